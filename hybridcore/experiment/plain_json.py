"""What lm_eval returns, as JSON that every reader accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lm_eval.utils import handle_non_serializable, sanitize_list


def plain(value: Any) -> Any:
    """Return it with text for what JSON cannot say, and None for NaN and infinities."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    return plain(handle_non_serializable(value))


def dumped(value: Any) -> str:
    """Return it as indented JSON."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False)


def write_samples(path: Path, samples: Iterable[Mapping[str, Any]]) -> None:
    """Write one line for each sample, as lm_eval's ``--log_samples`` does."""
    with path.open("w", encoding="utf-8") as file:
        for sample in samples:
            file.write(json.dumps(plain(_logged(sample)), ensure_ascii=False) + "\n")


def _logged(sample: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {
        f"gen_args_{i}": {f"arg_{j}": part for j, part in enumerate(argument)}
        for i, argument in enumerate(sample["arguments"])
    }
    return {
        **sample,
        "arguments": arguments,
        "resps": sanitize_list(sample["resps"]),
        "filtered_resps": sanitize_list(sample["filtered_resps"]),
        "target": str(sample["target"]),
    }
