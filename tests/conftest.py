"""Shared by all tests: offline, and one thread for models too small to share."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# tiny models lose more to a second thread than they win, in subprocesses too
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_terminal_summary(terminalreporter):
    """Print what tests measured: ``record_property("measured", "...")``."""
    reports = [
        *terminalreporter.getreports("passed"),
        *terminalreporter.getreports("failed"),
    ]
    measured = [
        text
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == "measured"
    ]
    if measured:
        terminalreporter.section("measured")
        for text in measured:
            terminalreporter.write_line(text)
