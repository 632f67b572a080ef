"""What a backend's acts give, and its exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paredown.contracts.arrays import Model, PointKey
from paredown.plan import QuantizedTensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act of a backend gave: the network, and plain facts about what was done (JSON values).

    `learned` are the points whose scales a training learned, each under its leader.
    """

    model: Model
    evidence: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[PointKey, QuantizedTensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """An export: `onnx` (a raw file, brought to canonical form by core), or a format of the backend's own.

    The batch axis is dynamic; the network is exported in evaluation mode, and left as it was.
    `path` is a file for `onnx`, else an empty directory.
    """

    format: str
    path: Path
    input_shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The files that an export wrote, and for ONNX the neutral name of each initializer whose name is another."""

    files: tuple[Path, ...]
    names: Mapping[str, str] = field(default_factory=dict)
