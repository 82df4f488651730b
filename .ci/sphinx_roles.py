"""Docstrings say :class:`Route`, as Sphinx has it; the pages show the name as code."""

import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>~?([^<]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Drop the role in front of a name, and the modules of a shortened one."""
    return _ROLE.sub(r"<code>\1</code>", html)
