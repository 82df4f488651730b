"""What a model is called, where it lies, and errors in one line that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel

from ..errors import HybridLMError, ModelError

_EXPECTED = (
    "expected a Hugging Face model id, or a folder with config.json, weights and "
    "tokenizer"
)
DEMO = ("demo-slm", "demo-llm")


@contextmanager
def one_line(role: str, name: str, what: str) -> Iterator[None]:
    """Turn whatever loading raises into one line that names the model."""
    try:
        yield
    except HybridLMError:
        raise
    except Exception as error:
        raise ModelError(
            f"{role}={name!r}: {what}: {first_line(error)}\n{_EXPECTED}"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def described(model: str | PreTrainedModel) -> str:
    """Return a model's name: as it was given, or of its class if it was loaded."""
    if isinstance(model, str):
        return model
    return str(getattr(model, "name_or_path", "") or type(model).__name__)


def resolved(role: str, name: str) -> str:
    """Return where to load a name from: a folder, or a hub id as it is.

    :raises ModelError: it is written as a path, and there is no such folder.
    """
    if name in DEMO:
        from ..demo import model_path

        return str(model_path(name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith(("/", ".", "~")) or name.count("/") > 1 or folder.exists():
        raise ModelError(f"{role}={name!r}: no such folder\n{_EXPECTED}")
    return name
