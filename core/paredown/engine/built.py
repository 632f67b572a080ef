"""A deployable network: where its files are, and what they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paredown.contracts import State
from paredown.engine.tested import Tested
from paredown.plan import QuantPlan
from paredown.spec.models import QuantizeStep


@dataclass(frozen=True, slots=True)
class Quantized:
    """The quantization plan, and the arrays of the folded network that corrections changed."""

    plan: QuantPlan
    corrected: State = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuantizedByRuntime:
    """The step that a runtime's own quantizer does, when the files are written."""

    step: QuantizeStep


@dataclass(frozen=True, slots=True)
class Stored:
    """What the files hold: bytes in all, bytes of weights, the share of zeros among weights, bytes under zstd."""

    bytes: int
    weight_bytes: int
    sparsity: float | None
    compressed_bytes: int


@dataclass(frozen=True, slots=True)
class Built:
    """One network as it would be deployed.

    `file` is a file or a directory, relative to the run's. `tested` is what it does on the test split; `simulated` are
    the metrics of fake quantization, `framework` those of the float network; `settings` those of a runtime's own
    quantizer.
    """

    name: str
    file: str
    precision: str
    tested: Tested
    simulated: dict[str, float] | None
    params: int
    macs: int
    stored: Stored
    settings: Mapping[str, Any] | None = None
    framework: dict[str, float] | None = None
