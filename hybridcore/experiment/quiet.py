"""Progress bars of others, off where one of ours is shown or none is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def without_bars() -> Iterator[None]:
    """Disable every tqdm bar that is made inside the block."""
    before = tqdm.__init__

    def disabled(self: Any, *args: Any, **kwargs: Any) -> None:
        before(self, *args, **{**kwargs, "disable": True})

    tqdm.__init__ = disabled
    try:
        yield
    finally:
        tqdm.__init__ = before
