"""What a training loop needs and must not decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from paredown.contracts.arrays import Array, Batch, LossFunction, Model, PointKey, State
from paredown.contracts.networks import Fold
from paredown.errors import UnsupportedError
from paredown.plan import QuantizationPoint, QuantizedTensor


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

    With `amp` the forward passes of all networks compute in mixed precision: bfloat16 on a CPU, float16 with a scaled
    loss on a GPU. Parameters, losses, projections, masks and the statistics of BatchNorm are float32. The evidence then
    has the narrower dtype as `precision`. Core asks for it in no training with fake quantization.

    Raises:
        UnsupportedError: `amp` with float64.
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
    amp: bool = False

    def __post_init__(self) -> None:
        if self.amp and self.dtype == "float64":
            raise UnsupportedError(
                "mixed precision and float64 exclude each other",
                where="TrainingRun.amp",
                value="amp=True, dtype=float64",
                expected="one of them",
                remedy="leave out `amp` where a training is compared in float64",
            )
