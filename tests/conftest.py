"""Shared by all tests: offline, and one thread for models too small to share."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# tiny models lose more to a second thread than they win, in subprocesses too
os.environ.setdefault("OMP_NUM_THREADS", "1")
