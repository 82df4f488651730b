"""What a model is called, where it lies, and errors in one line that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel

from ..errors import HybridLMError, ModelError

EXPECTED = (
    "expected a Hugging Face model id, or a folder with config.json, weights and "
    "tokenizer"
)
DEMO = ("demo-slm", "demo-llm")


@contextmanager
def one_line(
    role: str, name: str, what: str, expected: str = EXPECTED
) -> Iterator[None]:
    """Turn whatever loading raises into one line that names the model.

    :param expected: the second line, unless a package is missing.
    """
    try:
        yield
    except HybridLMError:
        raise
    except ImportError as error:
        raise ModelError(
            f"{role}={name!r}: {what}: {first_line(error)}\n"
            "install that package, or leave out the argument that needs it"
        ) from error
    except Exception as error:
        raise ModelError(
            f"{role}={name!r}: {what}: {first_line(error)}\n{expected}"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, its type where it says nothing.

    A line that announces others, by a colon, is followed by the first of them.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


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
        raise ModelError(f"{role}={name!r}: no such folder\n{EXPECTED}")
    return name
