"""The options of the components that core itself supplies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from paredown.spec.base import ComponentConfig
from paredown.spec.losses import HardLabelLoss as HardLabelLoss  # noqa: PLC0414 - for those who look for it here
from paredown.spec.losses import KlLoss as KlLoss  # noqa: PLC0414 - for those who look for it here
from paredown.spec.losses import LossWeight as LossWeight  # noqa: PLC0414 - for those who look for it here


class L1Criterion(ComponentConfig):
    """Scores a channel by the mean over its members of the slice's L1 norm, a single weight by its absolute value.

    Li et al., 2017, "Pruning Filters for Efficient ConvNets".
    """

    kind: Literal["l1"] = "l1"


class L2Criterion(ComponentConfig):
    """Scores a channel by the mean over its members of the slice's squared L2 norm, a single weight by its square."""

    kind: Literal["l2"] = "l2"


class FpgmCriterion(ComponentConfig):
    """Scores a channel by its distance to the others of its group.

    What lies near the geometric median can be spared (He et al., 2019, "Filter Pruning via Geometric Median").
    """

    kind: Literal["fpgm"] = "fpgm"


class BnScaleCriterion(ComponentConfig):
    """Scores a channel by the absolute scale of its BatchNorm (Liu et al., 2017, "Network Slimming")."""

    kind: Literal["bn_scale"] = "bn_scale"


class TaylorCriterion(ComponentConfig):
    """Scores a channel by the squared sum of weight times gradient over its slices, averaged over calibration batches.

    Molchanov et al., 2019, "Importance Estimation for Neural Network Pruning".
    """

    kind: Literal["taylor"] = "taylor"
    samples: PositiveInt = 512
    batch_size: PositiveInt = 64


class ActivationCriterion(ComponentConfig):
    """Scores a channel by what the layers that read it see on calibration images.

    `statistic` is the mean absolute value, or with `apoz` the share of values that are not zero (Hu et al., 2016,
    "Network Trimming").
    """

    kind: Literal["activation"] = "activation"
    statistic: Literal["mean_absolute", "apoz"] = "mean_absolute"
    samples: PositiveInt = 512
    batch_size: PositiveInt = 64


class LampCriterion(ComponentConfig):
    """Scores a weight by its square over the sum of the squares of all weights of its layer that are not smaller.

    Lee et al., 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning".
    """

    kind: Literal["lamp"] = "lamp"


class RandomCriterion(ComponentConfig):
    """Scores by chance, drawn from the run's seed: the control that a criterion has to beat."""

    kind: Literal["random"] = "random"


class MinMaxObserver(ComponentConfig):
    """Takes the smallest and the largest value seen as the range."""

    kind: Literal["minmax"] = "minmax"


class MovingAverageObserver(ComponentConfig):
    """Averages the smallest and the largest value of each batch: a = momentum * a + (1 - momentum) * batch.

    Jacob et al., 2018, section 3.1. With symmetric integers it averages the absmax. Its result depends on the order and
    the size of batches.
    """

    kind: Literal["moving_average"] = "moving_average"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9


class PercentileObserver(ComponentConfig):
    """Leaves out 100 - `percentile` percent of the values, half of them at either end (McKinstry et al., 2019).

    Behind a ReLU the lower end cuts nothing off: 99 keeps 99.5% there.
    """

    kind: Literal["percentile"] = "percentile"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99
    bins: Annotated[int, Field(ge=128, le=65536)] = 2048


class HistogramObserver(ComponentConfig):
    """Chooses the range with the least squared error of quantization, over a histogram of the values."""

    kind: Literal["histogram"] = "histogram"
    bins: Annotated[int, Field(ge=128, le=65536)] = 2048


class EntropyObserver(ComponentConfig):
    """Chooses the range whose quantized histogram has the least KL divergence from the values' own (Migacz, 2017)."""

    kind: Literal["entropy"] = "entropy"
    bins: Annotated[int, Field(ge=128, le=65536)] = 2048


class BiasCorrection(ComponentConfig):
    """Moves each layer's bias by the mean error that quantization makes in its outputs (Nagel et al., 2019)."""

    kind: Literal["bias_correction"] = "bias_correction"


class Equalization(ComponentConfig):
    """Rescales the channels between consecutive layers so that their weights' ranges are alike (Nagel et al., 2019).

    The float network computes the same; no data is needed. It stops after `iterations`, or when nothing moves.
    """

    kind: Literal["equalization"] = "equalization"
    iterations: PositiveInt = 20


class AdaRound(ComponentConfig):
    """Learns for each weight whether it is rounded up or down, layer by layer (Nagel et al., 2020, AdaRound).

    It learns from `positions` of each layer's output, drawn from the first `samples` calibration images, as far as
    there are so many.
    `regularization` is the strength of the term that drives each weight to one side.
    """

    kind: Literal["adaround"] = "adaround"
    iterations: PositiveInt = 500
    samples: PositiveInt = 256
    positions: PositiveInt = 2048
    lr: Annotated[float, Field(gt=0)] = 5e-2
    regularization: Annotated[float, Field(gt=0)] = 3.0
