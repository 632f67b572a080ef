"""Core's own plugin: the four kinds of step, and the components whose arithmetic lives in core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from paredown.contracts import Component, StepKind
from paredown.markers import hookimpl
from paredown.spec.components import (
    ActivationCriterion,
    AdaRound,
    BiasCorrection,
    BnScaleCriterion,
    EntropyObserver,
    Equalization,
    FpgmCriterion,
    HistogramObserver,
    L1Criterion,
    L2Criterion,
    LampCriterion,
    MinMaxObserver,
    MovingAverageObserver,
    PercentileObserver,
    RandomCriterion,
    TaylorCriterion,
)
from paredown.spec.losses import (
    AttentionLoss,
    BinaryCrossEntropyLoss,
    BoxImitationLoss,
    CwdLoss,
    DetectionLoss,
    DistLoss,
    DkdLoss,
    FcosMaskLoss,
    FeatureL2Loss,
    FspLoss,
    HardLabelLoss,
    KlLoss,
    MseLoss,
    PixelCrossEntropyLoss,
    RkdLoss,
    SimilarityLoss,
    SoftCrossEntropyLoss,
)
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep

_ANY: tuple[Literal["channel", "weight", "n_m"], ...] = ("channel", "weight", "n_m")
_HOME = "paredown.algorithms.criteria"

_CRITERIA = (
    Component(
        "criterion", "l1", f"{_HOME}.norms:l1", L1Criterion, granularities=_ANY, weights=f"{_HOME}.norms:absolute"
    ),
    Component("criterion", "l2", f"{_HOME}.norms:l2", L2Criterion, granularities=_ANY, weights=f"{_HOME}.norms:square"),
    Component("criterion", "fpgm", f"{_HOME}.geometric_median:fpgm", FpgmCriterion),
    Component("criterion", "bn_scale", f"{_HOME}.batch_norm:bn_scale", BnScaleCriterion),
    Component("criterion", "taylor", f"{_HOME}.taylor:taylor", TaylorCriterion, needs=("gradients",)),
    Component("criterion", "activation", f"{_HOME}.activation:activation", ActivationCriterion, needs=("activations",)),
    Component("criterion", "lamp", f"{_HOME}.lamp:lamp", LampCriterion, granularities=("weight",)),
    Component(
        "criterion",
        "random",
        f"{_HOME}.chance:channels",
        RandomCriterion,
        granularities=_ANY,
        weights=f"{_HOME}.chance:weights",
    ),
)

_WATCHING = "paredown.algorithms.observers"
_OBSERVERS = (
    Component("observer", "minmax", f"{_WATCHING}.extremes:MinMax", MinMaxObserver),
    Component("observer", "moving_average", f"{_WATCHING}.extremes:MovingAverage", MovingAverageObserver),
    Component("observer", "percentile", f"{_WATCHING}.percentile:Percentile", PercentileObserver),
    Component("observer", "histogram", f"{_WATCHING}.squared_error:SquaredError", HistogramObserver),
    Component("observer", "entropy", f"{_WATCHING}.entropy:Entropy", EntropyObserver),
)

_CORRECTING = "paredown.deploy.corrections"
_CORRECTIONS = (
    Component("correction", "bias_correction", f"{_CORRECTING}.bias:correct_bias", BiasCorrection),
    Component("correction", "equalization", f"{_CORRECTING}.equalization:equalize", Equalization),
    Component("correction", "adaround", f"{_CORRECTING}.rounding:learn_rounding", AdaRound),
)

_COMPARING = "paredown.algorithms.losses"
_LOSSES = (
    Component("distill_loss", "hard_label", f"{_COMPARING}:hard_label", HardLabelLoss, reads="labels"),
    Component("distill_loss", "kl", f"{_COMPARING}:kl", KlLoss),
    Component("distill_loss", "mse", f"{_COMPARING}:mse", MseLoss),
    Component("distill_loss", "soft_cross_entropy", f"{_COMPARING}:soft_cross_entropy", SoftCrossEntropyLoss),
    Component("distill_loss", "dkd", f"{_COMPARING}:dkd", DkdLoss),
    Component("distill_loss", "dist", f"{_COMPARING}:dist", DistLoss),
    Component("distill_loss", "feature_l2", f"{_COMPARING}:feature_l2", FeatureL2Loss, reads="features"),
    Component("distill_loss", "attention", f"{_COMPARING}:attention", AttentionLoss, reads="features"),
    Component("distill_loss", "cwd", f"{_COMPARING}:cwd", CwdLoss, reads="features"),
    Component(
        "distill_loss",
        "box_imitation",
        f"{_COMPARING}:box_imitation",
        BoxImitationLoss,
        reads="features",
        guided_by=("boxes", "masks"),
    ),
    Component("distill_loss", "fsp", f"{_COMPARING}:fsp", FspLoss, reads="features"),
    Component("distill_loss", "similarity", f"{_COMPARING}:similarity", SimilarityLoss, reads="features"),
    Component("distill_loss", "rkd", f"{_COMPARING}:rkd", RkdLoss, reads="features"),
    Component(
        "distill_loss",
        "pixel_cross_entropy",
        f"{_COMPARING}:pixel_cross_entropy",
        PixelCrossEntropyLoss,
        reads="labels",
    ),
    Component(
        "distill_loss",
        "binary_cross_entropy",
        f"{_COMPARING}:binary_cross_entropy",
        BinaryCrossEntropyLoss,
        reads="labels",
    ),
    Component("distill_loss", "detection", f"{_COMPARING}:detection", DetectionLoss, reads="labels"),
    Component("distill_loss", "fcos_mask", f"{_COMPARING}:fcos_mask", FcosMaskLoss, reads="labels"),
)


@hookimpl
def register_steps() -> Sequence[StepKind]:
    """The kinds of step that core decides for every backend."""
    return (
        StepKind("prune", PruneStep),
        StepKind("finetune", FinetuneStep),
        StepKind("distill", DistillStep),
        StepKind("quantize", QuantizeStep),
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """Criteria and observers in NumPy; losses with their NumPy references, which each backend implements again."""
    return (
        *_CRITERIA,
        *_OBSERVERS,
        *_CORRECTIONS,
        *_LOSSES,
    )
