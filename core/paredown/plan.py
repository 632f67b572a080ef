"""Plans: what core decided, as plain data keyed by neutral layer names, replayable on any backend."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from paredown.spec.base import Frozen
from paredown.spec.losses import LossSchedule
from paredown.spec.models import AugmentConfig, OptimizerConfig, QuantizationMode, ScheduleConfig

MemberRole = Literal["output", "input", "bias", "scale", "shift", "buffer", "other"]
"""What an axis of an array is to its layer.

`output` and `input` are the axes of a layer's weight that its output and input channels lie on (a depthwise weight's
only channel axis is an `output`); `bias` is a layer's bias; `scale` and `shift` are a normalisation's weight and bias;
`buffer` its running statistics, which are cut and never scored; `other` any other parameter that holds channels.
"""


class Member(Frozen):
    """One axis of one array that is cut together with the other members of its group.

    `channels[p]` is the group's channel that position p along the axis belongs to, or -1 for a position of another
    group; None stands for the identity. A channel may own several positions (a flattened image, a block), and not
    every channel of a group need be in every member.
    """

    parameter: str
    axis: int
    channels: tuple[int, ...] | None = None
    role: MemberRole


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

    `input_shape` (channels, height, width) is what the network was traced with. `amount` is what was asked for, as
    `{"ratio": share removed}` or `{"macs" | "params" | "bytes": share kept}`; `reached` the shares of MACs, parameters
    and bytes that are kept. `left_whole` names every layer that could have been cut and was not, with the reason.
    """

    version: Literal[1] = 1
    kind: Literal["prune"] = "prune"
    granularity: Literal["channel"] = "channel"
    input_shape: tuple[int, int, int]
    criterion: dict[str, Any]
    scope: Literal["local", "global"]
    amount: dict[str, float]
    reached: dict[str, float] = Field(default_factory=dict)
    cuts: tuple[Cut, ...]
    left_whole: dict[str, str] = Field(default_factory=dict)


class Mask(Frozen):
    """Which elements of one parameter stay: `kept` is base64 of zlib of packed bits, in C order, 1 for what stays.

    The shape is torch's; `paredown.algorithms.masks` packs and unpacks.
    """

    parameter: str
    shape: tuple[int, ...]
    kept: str


class MaskPlan(Frozen):
    """Which single weights become zero; shapes stay.

    `n` and `m` are set for `n_m`: of every m consecutive input channels at most n stay. `amount` is what was asked for
    (`{"ratio": share removed}`, or `{"n": n, "m": m}`); `left_whole` names the layers without a mask, with the reason.
    """

    version: Literal[1] = 1
    kind: Literal["mask"] = "mask"
    granularity: Literal["weight", "n_m"]
    criterion: dict[str, Any]
    scope: Literal["local", "global"]
    amount: dict[str, float]
    n: int | None = None
    m: int | None = None
    masks: tuple[Mask, ...]
    left_whole: dict[str, str] = Field(default_factory=dict)


class QuantizedTensor(Frozen):
    """How one tensor is quantized: q = clip(round(x / scale) + zero_point, qmin, qmax), rounding half to even.

    `scale` and `zero_point` hold one number for the whole tensor (`axis` is None) or one per index of `axis`. With
    `group_size` (weights, `axis` 0) each index of axis 0, flattened in C order, falls into groups of so many
    consecutive numbers, the last one maybe shorter; scales and zero points are listed group by group, index by index.
    `bits` 2 with the integers -1, 0 and 1 is ternary. `bits` 1 is binary: q = 1 where x >= 0, else -1, whatever the
    scale (Rastegari et al., 2016). Empty `scale` and `zero_point` stand for a range taken from each tensor at run time.
    """

    bits: int
    qmin: int
    qmax: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    group_size: int | None = None


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
    """Scales and zero points for every point; the layers left in fp32 are named with the reason.

    `weight_only` has points on weights alone, and `fp16` has none: weights and activations are 16-bit floats.
    """

    version: Literal[1] = 1
    kind: Literal["quantize"] = "quantize"
    mode: QuantizationMode = "static"
    target: str
    points: tuple[QuantizationPoint, ...]
    left_float: dict[str, str] = Field(default_factory=dict)

    @property
    def leaves_all_in_float(self) -> bool:
        """Whether no layer's weight is quantized, whatever else is: the file is no candidate beside the float one."""
        return self.mode != "fp16" and all(point.port != "weight" for point in self.points)


class PlannedTap(Frozen):
    """A layer of the student and a layer of what teaches, by neutral names, whose outputs a loss compares.

    The names are of single calls (`paredown.algorithms.calls`): of shared layers there is a tap for each call.

    `projection` is the shape of the weight that takes the student's channels to the teacher's, in torch's layout:
    [teacher's, student's, 1, 1] of a convolution without bias, or [teacher's, student's] of a Linear layer without bias
    for outputs [batch, features]; None where the loss compares the outputs as they are.
    """

    student: str
    teacher: str
    projection: tuple[int, ...] | None = None


class PlannedLoss(Frozen):
    """One term of the training loss: its kind, the options of that kind, and the factor it enters the sum with.

    A term with `taps` is given the outputs of these layers, in this order, in place of the networks' outputs. One that
    is `guided` besides is given, in place of the teacher's layers, a pair: these, and all that the teacher returned.
    `schedule` multiplies the factor with another one that changes from step to step.
    """

    kind: str
    options: dict[str, Any]
    weight: float
    taps: tuple[PlannedTap, ...] = ()
    schedule: LossSchedule | None = None
    guided: bool = False


class DistillPlan(Frozen):
    """One training step: the terms of the loss, the optimizer, and how long. `teacher` is None for plain training.

    `way` says who teaches: a teacher that stays as it is (`offline`), a second student (`online`), the student itself.
    `student` is the network of the zoo that takes the place of the present one, where one does.

    `bn_l1` is the strength of an L1 penalty on the scales of BatchNorm layers: bn_l1 * sign(scale) joins their gradient
    (Liu et al., 2017, "Network Slimming"). `masks` are those that hold when the step is over, where masks were made
    during it; `quantization` is what a network that was trained with fake quantization is deployed with.
    """

    version: Literal[1] = 1
    kind: Literal["distill"] = "distill"
    losses: tuple[PlannedLoss, ...]
    teacher: str | None
    epochs: int
    batch_size: int
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    augment: AugmentConfig | None = None
    bn_l1: float = 0.0
    way: Literal["offline", "online", "self"] = "offline"
    student: str | None = None
    masks: MaskPlan | None = None
    quantization: QuantPlan | None = None


Plan = PrunePlan | MaskPlan | DistillPlan | QuantPlan
