"""A file is written whole, or is what it was before."""

import json
import os
from pathlib import Path

import pytest

from hybridcore.bench.report import Report
from hybridcore.conformance.report import ReportWriter
from hybridcore.whole_file import new_name, write_whole


@pytest.mark.parametrize("content", ["new \N{GREEK SMALL LETTER ALPHA}", b"\xff new"])
def test_a_file_is_replaced(tmp_path, content):
    path = tmp_path / "file"
    path.write_text("before, and longer than what comes")
    write_whole(path, content)
    expected = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_until_all_is_written(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")

    def killed(self, data):
        with self.open("wb") as file:
            file.write(data[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert new_name(path).read_text() == "af"


def test_a_link_stays_one(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    write_whole(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_pipe_stays_one_and_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # waits for nobody
    try:
        write_whole(pipe, "text")
        assert os.read(end, 9) == b"text"
    finally:
        os.close(end)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: Report("", {}).write(str(path)),
        lambda path: ReportWriter(path, []).pytest_sessionfinish(),
    ],
    ids=["bench", "conformance"],
)
def test_reports_take_the_place_of_those_before(tmp_path, write):
    path, old = tmp_path / "report.json", tmp_path / "old"
    path.write_text("before")
    os.link(path, old)
    write(path)
    assert json.loads(path.read_text()) is not None
    assert old.read_text() == "before"
