"""Files appear whole or not at all: everything that is written goes through here."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.errors import ArtifactError, WeightsError

if TYPE_CHECKING:
    from paredown.contracts import Array, State


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a temporary file beside `path`, then puts it in place in one move.

    Raises:
        ArtifactError: When the directory cannot be written.
    """
    make_directory(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Makes a directory and those above it; one that exists is left as it is.

    Raises:
        ArtifactError: When that is impossible, or something else has the name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def sweep(directory: Path) -> None:
    """Removes what an interrupted process left half-written; call it while nobody else writes there."""
    for path in sorted(directory.rglob(".*"), reverse=True):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_directory(directory: Path) -> None:
    """Removes a directory and all in it, if it is there.

    Raises:
        ArtifactError: When that is impossible.
    """
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(directory, error) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file, UTF-8."""
    write_atomically(path, lambda temporary: _write_text(temporary, text))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a binary file."""
    write_atomically(path, lambda temporary: _write_bytes(temporary, data))


def write_json(path: Path, data: Any) -> None:
    """Writes JSON, indented, keys in the order given, with a newline at the end."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        ArtifactError: When the file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(
            "a file is missing", where=str(path), remedy="run the spec again into this place"
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError("a file cannot be read as JSON", where=str(path), value=str(error)) from error


def write_state(path: Path, state: State) -> None:
    """Writes arrays as safetensors in neutral names, sorted, so that equal arrays give equal bytes."""
    import numpy as np
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(state[name]) for name in sorted(state)}
    write_bytes(path, save(arrays, metadata={"format": "paredown"}))


def read_state(path: Path) -> dict[str, Array]:
    """Reads a safetensors file. Nothing in such a file can run.

    Raises:
        WeightsError: When the file is missing or is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except FileNotFoundError as error:
        raise WeightsError(
            "the weights are missing",
            where=str(path),
            expected="a safetensors file with neutral names",
            remedy="mend `model.weights`; a relative path starts from the spec's directory",
        ) from error
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise WeightsError(
            "the weights cannot be read", where=str(path), value=str(error), expected="a safetensors file"
        ) from error


def _unwritable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        "this place cannot be written",
        where=str(path),
        value=error.strerror or str(error),
        remedy="choose another --out",
    )


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
