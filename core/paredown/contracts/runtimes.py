"""Runtimes of deployed files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from paredown.contracts.arrays import FloatArray, Outputs


class Session(Protocol):
    """A deployed file, loaded."""

    def run(self, images: FloatArray) -> Outputs:
        """The network's output for a batch of images (float32, NCHW); of several a tuple, in the network's order."""
        ...


class Runtime(Protocol):
    """Runs deployed files. It keeps its options as `config`, so that a measuring process can build it again.

    `format` is what it reads: `onnx`, or a format that some backend exports (`BackendInfo.formats`). One that reads
    ONNX files with INT2 weights (opset 25) may say so as `reads_int2: bool`; without it ternary weights are packed into
    bytes.
    """

    name: str
    config: Any
    format: str

    def load(self, path: Path, *, threads: int) -> Session:
        """Loads a file, or a directory where an export of the format is one; raises `DeployError` when it cannot."""
        ...

    def files(self, path: Path) -> tuple[Path, ...]:
        """The files that `load` reads from a path, the one with the weights last: what a user ships."""
        ...

    def versions(self) -> dict[str, str]:
        """Distribution names to versions, for provenance."""
        ...


class QuantizingRuntime(Runtime, Protocol):
    """A runtime that reads no ONNX, and whose integer files are made by a quantizer of its own, after training."""

    quantizes: str
    """The format of a backend that its quantizer starts from."""

    def quantize(self, source: Path, target: Path, images: FloatArray, *, batch_size: int) -> Mapping[str, Any]:
        """Writes 8-bit files to the new directory `target`; returns the settings that it used (JSON values).

        Args:
            source: An export in the format `quantizes`.
            target: Where the files appear, whole or not at all.
            images: Calibration images, float32, NCHW.
            batch_size: How many images are seen at once.

        Raises:
            DeployError: The quantizer fails or dies.
        """
        ...
