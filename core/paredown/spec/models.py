"""The static models of the spec, version 1. Fields marked `Slot` take what plugins register.

Those of trainings and of teachers live in modules of their own and may be had from here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from paredown.spec.base import ComponentConfig, Frozen, Slot
from paredown.spec.networks import BackendName, BuilderModel, TimmModel
from paredown.spec.teachers import BaselineTeacher, EnsembleTeacher, TeacherConfig
from paredown.spec.training import (
    AdamWConfig,
    AugmentConfig,
    BaselineConfig,
    ConstantSchedule,
    CosineSchedule,
    OptimizerConfig,
    ScheduleConfig,
    SgdConfig,
    Share,
    StepSchedule,
    TrainConfig,
    Width,
)

__all__ = [
    "AdamWConfig",
    "AllocationConfig",
    "AugmentConfig",
    "BackendName",
    "BaselineConfig",
    "BaselineTeacher",
    "BuilderModel",
    "Calibration",
    "ConstantSchedule",
    "CosineSchedule",
    "CubicSparsity",
    "DeployConfig",
    "DistillStep",
    "DuringStep",
    "FinetuneStep",
    "Keep",
    "NetworkConfig",
    "OptimizerConfig",
    "Override",
    "PruneStep",
    "QuantizationMode",
    "QuantizeActivations",
    "QuantizeStep",
    "QuantizeWeights",
    "RunConfig",
    "ScheduleConfig",
    "Selector",
    "SensitivityAllocation",
    "SgdConfig",
    "Share",
    "Spec",
    "StepSchedule",
    "TeacherConfig",
    "TimmModel",
    "TrainConfig",
    "UniformAllocation",
    "ZooModel",
]

QuantizationMode = Literal["static", "dynamic", "qat", "weight_only", "fp16"]


class ZooModel(Frozen):
    """A network that both frameworks hold under one name.

    `weights` is None (drawn from the seed), `pretrained` (the framework's own) or the path of a file of weights,
    relative to the spec; with `strict: false` arrays that the file lacks are drawn, and others of the file are left.
    `width` is a factor of the channels, for networks that take one.
    """

    kind: Literal["zoo"] = "zoo"
    name: str
    num_classes: Annotated[int, Field(ge=2)] = 10
    in_channels: PositiveInt = 3
    input_size: tuple[PositiveInt, PositiveInt] = (224, 224)
    weights: str | None = None
    strict: bool = True
    width: Width = 1.0


NetworkConfig = Annotated[ZooModel | BuilderModel | TimmModel, Field(discriminator="kind")]
"""Where the network of a run comes from."""


class Keep(Frozen):
    """A target: the share of MACs, of parameters or of weight bytes that is kept. Exactly one is given."""

    macs: Share | None = None
    params: Share | None = None
    bytes: Share | None = None


class Selector(Frozen):
    """Picks layers by neutral name and nature; a layer must fit every field that is given.

    `names` are globs (`layer3.*`), or regular expressions after `re:`; `types` are neutral; `roles` are `classifier`
    (layers whose outputs the network returns) and `stem` (the first layer with weights).
    """

    names: tuple[str, ...] = ()
    types: tuple[Literal["conv", "depthwise", "linear"], ...] = ()
    roles: tuple[Literal["classifier", "stem"], ...] = ()


class Override(Frozen):
    """Another ratio for the layers that a selector picks, with all that they are coupled to."""

    select: Selector
    ratio: Share


class UniformAllocation(Frozen):
    """Every layer loses the same share (`scope: local`), or channels compete by score (`scope: global`)."""

    kind: Literal["uniform"] = "uniform"


class SensitivityAllocation(Frozen):
    """Layers that accuracy depends on less lose more.

    Each group is pruned alone at each of `ratios` and measured on validation, and the target is reached where the
    measured loss of every group stays under one common threshold (Li et al., 2017, section 3.2).
    """

    kind: Literal["sensitivity"] = "sensitivity"
    ratios: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.25, 0.5, 0.75)


AllocationConfig = Annotated[UniformAllocation | SensitivityAllocation, Field(discriminator="kind")]


class CubicSparsity(Frozen):
    """How masks grow inside a training step: s(t) = final * (1 - (1 - t)^3) (Zhu and Gupta, 2018).

    t runs from 0 at epoch `begin` to 1 at epoch `end` (the last quarter of the training is left for recovery where
    `end` is not given). Masks are renewed every `every` steps of the optimizer.
    """

    kind: Literal["cubic"] = "cubic"
    begin: Annotated[float, Field(ge=0)] = 0.0
    end: Annotated[float | None, Field(gt=0)] = None
    every: PositiveInt = 10

    def end_epoch(self, epochs: int) -> float:
        """The epoch at which masks are full, in a training of so many epochs."""
        return self.end if self.end is not None else 0.75 * epochs


class PruneStep(Frozen):
    """Removes the least important channels, coupled layers together, or sets single weights to zero.

    `granularity: channel` shrinks shapes; `weight` and `n_m` (of every `m` consecutive input channels at most `n`
    stay) set weights to zero and hold them there. `ratio` is the share removed, `keep` a target instead. `round_to`
    leaves widths that are multiples of it. `rounds` above 1 prunes a part each round and trains by `recover` after
    each. `schedule` belongs to a prune inside a training step's `during`.
    """

    kind: Literal["prune"] = "prune"
    granularity: Literal["channel", "weight", "n_m"] = "channel"
    criterion: Annotated[ComponentConfig, Slot("criterion")]
    scope: Literal["local", "global"] = "global"
    ratio: Share | None = None
    keep: Keep | None = None
    n: PositiveInt | None = None
    m: PositiveInt | None = None
    round_to: PositiveInt = 1
    protect: tuple[Selector, ...] = (Selector(roles=("classifier",)),)
    overrides: tuple[Override, ...] = ()
    allocation: AllocationConfig = UniformAllocation()
    rounds: PositiveInt = 1
    recover: TrainConfig | None = None
    schedule: CubicSparsity | None = None


class QuantizeWeights(Frozen):
    """How weights are quantized: one scale per output channel, per tensor, or per group of `group_size` weights.

    Signed integers around zero, or with `symmetric: false` unsigned ones with a zero point. `bits: 2` is ternary (-1, 0
    and 1 times a scale), `bits: 1` binary (-1 and 1 times a scale); both are symmetric.
    """

    bits: Literal[8, 4, 2, 1] = 8
    symmetric: bool = True
    granularity: Literal["channel", "tensor", "group"] = "channel"
    group_size: PositiveInt | None = None


class QuantizeActivations(Frozen):
    """How activations are quantized: one scale per tensor, from the range that the observer saw.

    Unsigned integers with a zero point, or with `symmetric: true` signed ones around zero.
    """

    bits: Literal[16, 8, 4] = 8
    symmetric: bool = False
    observer: Annotated[ComponentConfig, Slot("observer")]


class Calibration(Frozen):
    """How many training images the observers see, in the order of the training split."""

    samples: PositiveInt = 256
    batch_size: PositiveInt = 64


class QuantizeStep(Frozen):
    """Integer weights and activations: simulated in the framework, then real in the file.

    `static` calibrates activations on the canonical graph; `dynamic` takes their ranges at run time; `weight_only`
    leaves them in float; `fp16` makes both 16-bit floats. `qat` stands in the `during` of a training step, which then
    trains with fake quantization: `learned` makes scales parameters (LSQ), `pact` the upper ends of ranges;
    `freeze_bn` is the epoch from which BatchNorm keeps its statistics, and ranges that are not learned stay (after two
    thirds where it is not given).

    `protect` names layers that stay in float. `corrections` reduce the error of quantizing after training, in their
    order. `analysis` measures the signal-to-noise ratio layer by layer; `keep_best_effort` leaves the worst layers in
    float until `deploy.max_metric_drop` holds on validation. `preset` fills in the settings of a framework's own when
    the spec is read, under those that are written beside it.
    """

    kind: Literal["quantize"] = "quantize"
    preset: Literal["paddleslim_qat", "torch_default"] | None = None
    mode: QuantizationMode = "static"
    weights: QuantizeWeights = QuantizeWeights()
    activations: QuantizeActivations | None = None
    calibration: Calibration = Calibration()
    protect: tuple[Selector, ...] = ()
    corrections: tuple[Annotated[ComponentConfig, Slot("correction")], ...] = ()
    analysis: bool = False
    keep_best_effort: bool = False
    learned: bool = False
    pact: bool = False
    freeze_bn: Annotated[float | None, Field(ge=0)] = None

    def freeze_epoch(self, epochs: int) -> float:
        """The epoch from which BatchNorm keeps its statistics, in a training of so many epochs."""
        return self.freeze_bn if self.freeze_bn is not None else epochs * 2 / 3


DuringStep = Annotated[PruneStep | QuantizeStep, Field(discriminator="kind")]
"""What may happen inside a training step. The grammar holds both; the checks refuse what is not built."""


class FinetuneStep(Frozen):
    """Trains the network on the labels."""

    kind: Literal["finetune"] = "finetune"
    train: TrainConfig
    during: tuple[DuringStep, ...] = ()


class DistillStep(Frozen):
    """Trains the network under a teacher (Hinton et al., 2015).

    `way` says who teaches. `offline`: the teacher, which is trained and stays as it is; the baseline where none is
    named. `online`: a second student, drawn anew, that learns in the same training from the first (Zhang et al., 2018,
    "Deep Mutual Learning"). `self`: the average of the student's own weights, a = average * a + (1 - average) * w after
    each step (Tarvainen and Valpola, 2017, "Mean Teacher"), or with `average: null` its own deeper layers (Zhang et
    al., 2019, "Be Your Own Teacher").

    `soft_labels: cache` runs the teacher once over the training images. `student` is another network of the zoo, which
    takes the place of the present one from here on.
    """

    kind: Literal["distill"] = "distill"
    teacher: TeacherConfig | None = None
    losses: Annotated[tuple[Annotated[ComponentConfig, Slot("distill_loss")], ...], Field(min_length=1)]
    train: TrainConfig
    during: tuple[DuringStep, ...] = ()
    soft_labels: Literal["none", "cache"] = "none"
    student: ZooModel | None = None
    way: Literal["offline", "online", "self"] = "offline"
    average: Annotated[float | None, Field(gt=0, lt=1)] = 0.999

    @property
    def offline_teacher(self) -> TeacherConfig | None:
        """Who teaches offline: the one that is named, else the baseline; None for the other ways."""
        return (self.teacher or BaselineTeacher()) if self.way == "offline" else None

    def named_teachers(self) -> Iterator[tuple[tuple[str | int, ...], TeacherConfig]]:
        """Every teacher that is named, with its place in the step; the members of an ensemble one by one."""
        if isinstance(self.teacher, EnsembleTeacher):
            for index, member in enumerate(self.teacher.members):
                yield ("teacher", "members", index), member
        elif self.teacher is not None:
            yield ("teacher",), self.teacher


class DeployConfig(Frozen):
    """What the deployed file is for, which candidate is delivered, and how much of the metric may be lost."""

    runtime: Annotated[ComponentConfig, Slot("runtime")]
    target: Literal["portable", "avx2", "vnni", "arm"] = "portable"
    prefer: Literal["latency", "size"] = "latency"
    max_metric_drop: Annotated[float, Field(ge=0, le=1)] = 0.02


class RunConfig(Frozen):
    """Where, with how many threads and how precisely to train. Measuring always uses one thread, and float32."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: PositiveInt | Literal["auto"] = "auto"
    amp: bool = False


class Spec(Frozen):
    """A compression spec: the same for every backend.

    `model`, `data` and `baseline` may be left out only for `paredown.compress`, which is given a model and loaders.
    """

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    task: Annotated[ComponentConfig, Slot("task")]
    data: Annotated[ComponentConfig | None, Slot("data")] = None
    model: NetworkConfig | None = None
    baseline: BaselineConfig | None = None
    steps: tuple[Annotated[Frozen, Slot("step")], ...] = ()
    deploy: DeployConfig
    run: RunConfig = RunConfig()
    backends: Annotated[tuple[BackendName, ...], Field(min_length=1)] = ("torch",)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)] = (0,)
