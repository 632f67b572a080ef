"""What crosses between core and plugins: small frozen records, and the protocols that objects of a plugin fulfil."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from paredown.plan import MemberRole, QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.base import Frozen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]
    IntArray = npt.NDArray[np.integer[Any]]
    Array = npt.NDArray[Any]
else:
    # Plugins' entry points read this module, and must not pay for NumPy to do so.
    Array = FloatArray = IntArray = Any

Model = Any
"""A network of some framework. Core hands it from hook to hook and never looks inside."""

State = Mapping[str, "Array"]
"""Neutral parameter and buffer names to arrays, in torch's names and layouts (Linear weights are [out, in])."""

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Component:
    """One named choice for a slot of the spec.

    `slot` is the kind of component (`criterion`, `observer`, `correction`, `distill_loss`, `data`, `task`, `runtime`),
    `config` the pydantic model of its options, narrowed on `kind`. `implementation` is `module:attribute`, imported
    when it is first used. A backend that implements a component that somebody else declares gives `backend` and leaves
    `config` None.

    `granularities`, `weights` and `needs` are for criteria. `granularities` are those that it fits; `implementation`
    scores channels (a `Criterion`), `weights` single weights (a `WeightCriterion`), and where `channel` is not among
    the granularities `implementation` is the `WeightCriterion`. `needs` names what has to be measured: `gradients`,
    `activations`; the options then have the whole numbers `samples` (how many training images are measured) and
    `batch_size`.

    `reads` says what a loss is given: the outputs of student and teacher, or of both a sequence of features, the maps
    of the layers that the option `taps` names.

    `distributions` are the packages that it needs and that come with no other part, `install` the exact command that
    installs them.
    """

    slot: str
    name: str
    implementation: str
    config: type[Frozen] | None = None
    backend: str | None = None
    granularities: tuple[Literal["channel", "weight", "n_m"], ...] = ("channel",)
    weights: str | None = None
    needs: tuple[Literal["gradients", "activations"], ...] = ()
    reads: Literal["outputs", "features"] = "outputs"
    distributions: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, slots=True)
class StepKind:
    """A kind of step: its name and the model of its fields. Kinds that core does not own run through `apply_step`."""

    name: str
    config: type[Frozen]


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A backend, without importing its framework.

    `distributions` are the packages that it needs, `install` the exact command that installs them, `models` the names
    of the zoo that it can build, `base_class` the module and the name of the class that its networks are instances of,
    `formats` what it can export besides ONNX, `widths` the networks of the zoo that it builds at other widths than 1,
    with the smallest that each takes.
    """

    name: str
    title: str
    distributions: tuple[str, ...]
    install: str
    models: tuple[str, ...]
    base_class: tuple[str, str]
    formats: tuple[str, ...] = ()
    widths: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where a hook runs: the seed, the device (`cpu` or `gpu`), and the directory that relative paths start from."""

    seed: int = 0
    device: Literal["auto", "cpu", "gpu"] = "auto"
    base_dir: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A network to build: the name in the zoo, its classes, its input channels and image size (height, width).

    `width` is a factor of its channels; 1 is the network as it was published.
    """

    name: str
    num_classes: int
    in_channels: int
    input_size: tuple[int, int]
    pretrained: bool = False
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One call of a layer, in order of execution.

    `kind` is `conv`, `linear`, `batch_norm` or `other` (then `type` says what the framework calls it). Shapes are
    torch's, without the batch axis; `weight_shape` is empty where a layer has none. `source` is the layer whose
    output, as the same tensor, is this layer's input, or None. `is_output` says that the network returns its output.
    `eps` is a BatchNorm's epsilon.
    """

    name: str
    kind: Literal["conv", "linear", "batch_norm", "other"]
    type: str
    weight_shape: tuple[int, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    groups: int = 1
    eps: float | None = None
    source: str | None = None
    is_output: bool = False


Axis = tuple[str, int]
"""A parameter's neutral name and one of its axes, in torch's layout."""

LossFunction = Callable[[Any, Any, Any, Mapping[str, Any]], Any]
"""A backend's own loss: takes the student's outputs, the teacher's or None, the labels and the options of its kind;
returns a scalar of the framework. A loss that reads features takes two equally long lists of layers' outputs."""

Batch = tuple["FloatArray", "IntArray"] | tuple["FloatArray", "IntArray", "FloatArray"]
"""Images (float32, NCHW) and labels (int64); where core has them the teacher's outputs, [batch, classes], float32."""


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What to find out, in evaluation mode, leaving the network as it was.

    `layers`: one forward pass over a black image of `input_shape` (channels, height, width). `taps`: the same, of every
    layer and every block of layers whose output is one tensor.
    `gradients`: for each batch, backward through `loss`, and for each of `axes` weight times gradient, summed over the
    other axes. `activations`: over all images of `batches`, how active each input channel of each layer in
    `layer_names` is.
    """

    what: Literal["layers", "taps", "gradients", "activations"]
    input_shape: tuple[int, int, int]
    batches: Sequence[tuple[FloatArray, IntArray]] = ()
    loss: LossFunction | None = None
    axes: tuple[Axis, ...] = ()
    layer_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """How active the input channels of a layer are, over all images and positions; all calls of the layer together.

    `mean_absolute` and `zeros` (the share of values that are exactly zero) are [input channels], float64.
    """

    mean_absolute: FloatArray
    zeros: FloatArray


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a backend found. `gradients` are [batches, positions along the axis], float64, reduced on the device.

    `taps` are the shapes of layers' and blocks' outputs by neutral name, without the batch axis, in order of execution;
    of one that is called more than once, the last call's.
    """

    layers: tuple[LayerInfo, ...] = ()
    taps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gradients: Mapping[Axis, FloatArray] = field(default_factory=dict)
    activations: Mapping[str, Activity] = field(default_factory=dict)


PointKey = tuple[str, str, int]
"""A quantization point's layer, port and call index."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act of a backend gave: the network, and plain facts about what was done (JSON values).

    `learned` are the points whose scales a training learned, each under its leader.
    """

    model: Model
    evidence: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[PointKey, QuantizedTensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fold:
    """A BatchNorm layer and the convolution or Linear layer that it is folded into, by neutral names."""

    layer: str
    batch_norm: str


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


def _nobody(epoch: int, loss: float) -> None:
    """Nobody listens."""


class Masking(Protocol):
    """Decides which weights are held at zero while a network trains.

    The backend multiplies the masks into the weights before the first step and after every step of the optimizer, so
    that momentum and weight decay revive nothing.
    """

    def masks(self) -> Mapping[str, Array]:
        """The masks that hold now: neutral names to boolean arrays in torch's layout, True for what stays."""
        ...

    def is_due(self, step: int) -> bool:
        """Whether the masks change before this step, counted from zero over the whole training."""
        ...

    def update(self, step: int, weights: State) -> Mapping[str, Array]:
        """The new masks, from the weights as they are; the backend hands over all parameters, as `save` does."""
        ...


class Quantizing(Protocol):
    """Decides scales and zero points while a network trains with fake quantization (QAT, Jacob et al., 2018).

    The backend fake-quantizes with gradients passed straight through where a value is not clipped. Where `folds` name a
    BatchNorm behind a layer, the weight that is quantized is w * k with k = gamma / sqrt(running variance + eps), a
    number for each output channel that takes no gradient, and the layer computes with fake_quantize(w * k) / k; an
    `output` point of that layer lies behind its BatchNorm. Points of one tensor share one `leader`.
    """

    points: tuple[QuantizationPoint, ...]
    """The points of layers, as calibrated before training; none belongs to the graph."""
    folds: tuple[Fold, ...]
    freeze_bn: int | None
    """The step, counted over the whole training, from which BatchNorm uses and keeps its running statistics."""
    learned: bool
    """Whether scales are learned by gradient descent, zero points staying (Esser et al., 2020, LSQ)."""
    pact: bool
    """Whether the upper ends of ranges that start at zero are learned (Choi et al., 2018, PACT)."""

    def leader(self, key: PointKey) -> PointKey:
        """The point whose scale a point takes: points on one tensor have one."""
        ...

    def is_due(self, step: int) -> bool:
        """Whether weights get new scales before this step; where scales are learned, while rows of them are zero."""
        ...

    def update(self, step: int, weights: State) -> tuple[QuantizationPoint, ...]:
        """The weight points, from all arrays as `save` gives them; folding is done here.

        Where scales are learned, the points in which rows begin that were zero: the learned scales of the rows that
        differ from what the point was before start again from these, and the others stay as learned.
        """
        ...

    def is_silent(self, key: PointKey) -> bool:
        """Whether an activation was zero so far, so that its scale is a guess.

        What is learned of it starts from what `activation` gives its leader in the first batch in which it is not.
        """
        ...

    def activation(self, key: PointKey, minimum: float, maximum: float) -> QuantizedTensor:
        """How to quantize a tensor in this step of the training, given the range of its values in this batch.

        Raises:
            TrainingDiverged: A bound is not finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """All that a training loop needs and must not decide.

    `batches(epoch)` yields images and labels in core's order, with the teacher's outputs where core has them (soft
    labels, a teacher that is no network of this framework); `steps_per_epoch` counts them. `learning_rate(step)` is the
    rate of a step counted over the whole training, `loss_weights(step)` the factors of the plan's terms; without it
    they are the plan's weights. `losses` are the backend's own implementations, in the order of the plan's terms: each
    takes what the student gave, what teaches gave (None where nothing does), the labels and the options of its kind,
    and returns a scalar of the framework. Terms with taps take lists of outputs of layers, all others the outputs of
    the networks. `masking` holds weights at zero; None where no weight is masked. `quantizing` fake-quantizes the
    student; None where nothing is.

    What teaches is, by `way`:

    - `offline`: `teacher`, in evaluation mode and never changed, or the outputs that come with the batches.
    - `online`: `peer`, a second network that trains beside the student, with an optimizer of its own, by the same terms
      in which both change places; each sees the other's outputs without gradients. Masks and fake quantization are the
      student's alone, and the student is what the training gives; the evidence has `peer_loss` beside `loss`.
    - `self`: with `average` d a copy of the student in evaluation mode that starts as the student and after each step,
      masks included, becomes d * copy + (1 - d) * student, buffers copied; without it the student itself, the taps of
      the teacher without gradients.

    `projections` are the weights to start from, float32, in the shapes that the plan's taps name, by the place of the
    term and the place of its tap. They learn with the student, without bias, as parameters of their own group, and are
    thrown away; those of the peer start from the same numbers. `dtype` is what the loop computes in; a network and a
    teacher that are given in float32 come back so.
    """

    batches: Callable[[int], Iterator[Batch]]
    steps_per_epoch: int
    learning_rate: Callable[[int], float]
    losses: Sequence[LossFunction]
    seed: int = 0
    teacher: Model | None = None
    masking: Masking | None = None
    quantizing: Quantizing | None = None
    on_epoch: Callable[[int, float], None] = _nobody
    loss_weights: Callable[[int], Sequence[float]] | None = None
    projections: Mapping[tuple[int, int], Array] = field(default_factory=dict)
    way: Literal["offline", "online", "self"] = "offline"
    peer: Model | None = None
    average: float | None = None
    dtype: Literal["float32", "float64"] = "float32"


@dataclass(frozen=True, slots=True)
class DataSplits:
    """A dataset in memory, split once. Images are float32, NCHW, normalised; labels int64."""

    name: str
    train: tuple[FloatArray, IntArray]
    validation: tuple[FloatArray, IntArray]
    test: tuple[FloatArray, IntArray]
    num_classes: int

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        channels, height, width = self.train[0].shape[1:]
        return channels, height, width


class Task(Protocol):
    """What the network is for: turns its outputs into metrics. `primary` names the metric that bounds refer to."""

    primary: str

    def metrics(self, outputs: FloatArray, labels: IntArray) -> dict[str, float]:
        """Metrics by name, each in [0, 1], greater is better. `outputs` is what the network returned."""
        ...


class Observer(Protocol):
    """Watches one tensor during calibration, in constant memory.

    It is made as `implementation(options, bits=8, symmetric=False)`: the options of its kind, and how the tensor will
    be quantized. An observer may say in an attribute `statistics` that it needs less than whole batches, and is then
    faster: `values` takes each batch in several parts, and its result must not depend on how values are grouped;
    `extremes` is given a few of a batch's values, with its greatest and (or 0, where none is negative) its smallest.
    """

    def update(self, values: FloatArray) -> None:
        """Takes one more batch of the tensor's values, float32, [images, ...].

        Raises:
            DataError: A value is NaN or infinite.
        """
        ...

    def range(self) -> tuple[float, float]:
        """The smallest and greatest value to represent, minimum first; (0, 0) only where every value was zero.

        Raises:
            DataError: Nothing was observed.
        """
        ...


class Session(Protocol):
    """A deployed file, loaded."""

    def run(self, images: FloatArray) -> FloatArray:
        """The network's first output for a batch of images (float32, NCHW)."""
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


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction changed: arrays of the folded network, by neutral name, and scales that must stay.

    `weights` are the quantized tensors of layers whose weights were made for these scales (layer name to tensor).
    `evidence` are plain facts about what was done and what was left as it is (JSON values). `same_function` says that
    the float network computes the same with these arrays, as after equalization.
    """

    arrays: Mapping[str, Array]
    weights: Mapping[str, QuantizedTensor] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    same_function: bool = False


@dataclass(frozen=True, slots=True)
class CorrectionRun:
    """What a correction works on, all neutral.

    `graph` is the canonical network (an `onnx.ModelProto`) as corrections before this one left it. `images()` yields
    the calibration batches again each time that it is called. `plan(graph, fixed)` makes the quantization plan of a
    graph with changed arrays, where `fixed` are tensors of weights that must stay. `reference` is the float network
    without those of the changes that do not compute the same (None: `graph`), and `changed` are these arrays.
    """

    graph: Any
    images: Callable[[], Iterator[FloatArray]]
    plan: Callable[[Any, Mapping[str, QuantizedTensor]], QuantPlan]
    seed: int = 0
    reference: Any = None
    changed: Mapping[str, Array] = field(default_factory=dict)

    @property
    def target(self) -> Any:
        """The float network whose outputs the quantized one is to come near."""
        return self.graph if self.reference is None else self.reference


DataLoader = Callable[[Any, "Path"], DataSplits]
"""Loads a dataset: takes its options and the directory that relative paths in them start from."""


@dataclass(frozen=True, slots=True)
class ChannelSlices:
    """All that is known about the channels of one group that own positions in the same members.

    `weights[i]` is [channels, elements] of the member `parameters[i]` with the role `roles[i]`, float64, elements in C
    order. `gradients[i]` is [channels, batches]: weight times gradient summed over the member's slice. `activity` holds
    for each layer that reads the channels its statistics, each [channels]. `random` is a generator that core has
    seeded with the run's seed and the group's name.
    """

    group: str
    parameters: tuple[str, ...]
    roles: tuple[MemberRole, ...]
    weights: tuple[FloatArray, ...]
    gradients: tuple[FloatArray, ...] = ()
    activity: tuple[Activity, ...] = ()
    random: np.random.Generator | None = None


Criterion = Callable[[ChannelSlices, Any], "FloatArray | None"]
"""Scores channels: takes what is known about them and the options; returns one number a channel, greater is more
important, or None where it has nothing to go by (no BatchNorm, say): that group is left whole and named."""

WeightCriterion = Callable[["FloatArray", Any, "np.random.Generator"], "FloatArray"]
"""Scores single weights: takes one layer's weight in torch's layout, float64, the options and a seeded generator;
returns an array of the same shape, greater is more important."""
