"""What a runtime raises, as errors of ours; the exceptions of runtimes have no root of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.errors import DeployError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


@contextmanager
def loading(runtime: str, path: Path, remedy: str) -> Iterator[None]:
    """Around the loading of a deployed file or directory.

    Raises:
        DeployError: The runtime refuses it.
    """
    try:
        yield
    except Exception as error:
        raise DeployError(
            f"{runtime} refuses the file", where=str(path), value=str(error).strip()[-500:], remedy=remedy
        ) from error


@contextmanager
def running(images: FloatArray) -> Iterator[None]:
    """Around a batch of images.

    Raises:
        DeployError: The runtime fails.
    """
    try:
        yield
    except Exception as error:
        raise DeployError(
            "the deployed file fails on a batch",
            value=str(error),
            expected=f"images like {images.shape}",
            remedy="check the images' channels and size, and that the file's batch axis is dynamic",
        ) from error
