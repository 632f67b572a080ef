"""Plans: what core decided, as plain data keyed by neutral layer names, replayable on any backend."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from paredown.spec.base import Frozen
from paredown.spec.models import OptimizerConfig, ScheduleConfig


class Member(Frozen):
    """One axis of one array that is cut together with the other members of its group.

    `channels[p]` is the group's channel that position p along the axis belongs to, or -1 for a position of another
    group; None stands for the identity. `role` is `parameter` (it is scored) or `buffer` (it is only cut).
    """

    parameter: str
    axis: int
    channels: tuple[int, ...] | None = None
    role: Literal["parameter", "buffer"] = "parameter"


class Group(Frozen):
    """Coupled channels: every member loses channel i, or none does. `blocks` demands an equal count per block."""

    name: str
    size: int
    members: tuple[Member, ...]
    blocks: int = 1


class Cut(Frozen):
    """The channels (ascending indices within the group) that are removed from every member of a group."""

    group: Group
    remove: tuple[int, ...]


class PrunePlan(Frozen):
    """Which channels go.

    `input_shape` (channels, height, width) is what the network was traced with. `left_whole` names every layer that
    could have been cut and was not, with the reason.
    """

    version: Literal[1] = 1
    kind: Literal["prune"] = "prune"
    granularity: Literal["channel"] = "channel"
    input_shape: tuple[int, int, int]
    criterion: dict[str, Any]
    scope: Literal["local", "global"]
    ratio: float
    cuts: tuple[Cut, ...]
    left_whole: dict[str, str] = Field(default_factory=dict)


class PlannedLoss(Frozen):
    """One term of the training loss: its kind, the options of that kind, and the factor it enters the sum with."""

    kind: str
    options: dict[str, Any]
    weight: float


class DistillPlan(Frozen):
    """One training step: the terms of the loss, the optimizer, and how long. `teacher` is None for plain training."""

    version: Literal[1] = 1
    kind: Literal["distill"] = "distill"
    losses: tuple[PlannedLoss, ...]
    teacher: str | None
    epochs: int
    batch_size: int
    optimizer: OptimizerConfig
    schedule: ScheduleConfig


class QuantizedTensor(Frozen):
    """How one tensor is quantized: q = clip(round(x / scale) + zero_point, qmin, qmax), rounding half to even.

    `scale` and `zero_point` hold one number for the whole tensor (`axis` is None) or one per index of `axis`.
    """

    bits: int
    qmin: int
    qmax: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None


class QuantizationPoint(Frozen):
    """One place where values are quantized.

    `layer` is a neutral layer name, or the name of a tensor of the canonical graph when `owner` is `graph` (a residual
    add, a pooling): such a point is quantized in the deployed file and not simulated in the framework. `index` counts
    the calls of a layer that is used more than once.
    """

    layer: str
    port: Literal["input", "output", "weight"]
    index: int = 0
    owner: Literal["layer", "graph"] = "layer"
    tensor: QuantizedTensor


class QuantPlan(Frozen):
    """Scales and zero points for every point; the layers left in fp32 are named with the reason."""

    version: Literal[1] = 1
    kind: Literal["quantize"] = "quantize"
    mode: Literal["static"] = "static"
    target: str
    points: tuple[QuantizationPoint, ...]
    left_float: dict[str, str] = Field(default_factory=dict)


Plan = PrunePlan | DistillPlan | QuantPlan
