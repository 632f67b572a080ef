"""The Paddle backend: every hook that it implements. Nothing heavy is imported until a hook needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.contracts import (
    BackendInfo,
    Checkpoint,
    Component,
    ExportRequest,
    ExportResult,
    Fold,
    Measurements,
    MeasureRequest,
    Model,
    ModelSource,
    Outcome,
    RunContext,
    State,
    TrainingRun,
)
from paredown.markers import hookimpl
from paredown.plan import DistillPlan, MaskPlan, PrunePlan, QuantPlan
from paredown.twins import DETECTORS, MASK_DETECTORS, OWN, PIXELS, SHARED, outputs_of, widths_of

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs

NAME = "paddle"

NETWORKS = (*OWN, *SHARED, *PIXELS, *DETECTORS, *MASK_DETECTORS)

LOSSES = (
    "hard_label",
    "kl",
    "mse",
    "soft_cross_entropy",
    "dkd",
    "dist",
    "feature_l2",
    "attention",
    "cwd",
    "box_imitation",
    "fsp",
    "similarity",
    "rkd",
    "pixel_cross_entropy",
    "binary_cross_entropy",
    "detection",
    "fcos_mask",
)


@hookimpl
def register_backend() -> BackendInfo:
    """Announces Paddle."""
    return BackendInfo(
        name=NAME,
        title="PaddlePaddle",
        distributions=("paddlepaddle", "paddleslim", "paddle2onnx"),
        install='pip install "paredown[paddle]"',
        models=NETWORKS,
        base_class=("paddle.nn", "Layer"),
        formats=("paddle", "paddle_old_ir"),
        amp=("gpu",),
        widths=widths_of(NETWORKS),
        reads=(".pdparams",),
        outputs=outputs_of(NETWORKS),
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """Announces Paddle's implementations of the losses that core declares."""
    return tuple(Component("distill_loss", name, f"paredown_paddle.losses:{name}", backend=NAME) for name in LOSSES)


@hookimpl
def load_model(backend: str, source: ModelSource, run: RunContext) -> Model | None:
    """Builds a network."""
    if backend != NAME:
        return None
    from paredown_paddle.model import load

    return load(source, run)


@hookimpl
def measure(backend: str, model: Model, request: MeasureRequest) -> Measurements | None:
    """Measures layers, taps, gradients or activations."""
    if backend != NAME:
        return None
    if request.what == "layers":
        from paredown_paddle.layers import measure_layers

        return Measurements(layers=measure_layers(model, request.input_shape))
    if request.what == "taps":
        from paredown_paddle.taps import measure_taps

        return Measurements(taps=measure_taps(model, request.input_shape))
    if request.what == "gradients":
        from paredown_paddle.gradients import measure_gradients

        return Measurements(gradients=measure_gradients(model, request))
    from paredown_paddle.activations import measure_activations

    return Measurements(activations=measure_activations(model, request))


@hookimpl
def prune(backend: str, model: Model, plan: PrunePlan | MaskPlan) -> Outcome | None:
    """Cuts channels, or sets single weights to zero."""
    if backend != NAME:
        return None
    if plan.kind == "mask":
        from paredown_paddle.sparsity import set_zeros

        return set_zeros(model, plan)
    from paredown_paddle.prune import prune as act

    return act(model, plan)


@hookimpl
def quantize(backend: str, model: Model, plan: QuantPlan) -> Outcome | None:
    """Simulates a quantization plan."""
    if backend != NAME:
        return None
    from paredown_paddle.quantize import quantize as act

    return act(model, plan)


@hookimpl
def distill(backend: str, model: Model, plan: DistillPlan, run: TrainingRun) -> Outcome | None:
    """Trains."""
    if backend != NAME:
        return None
    from paredown_paddle.distill import distill as act

    return act(model, plan, run)


@hookimpl
def evaluate(backend: str, model: Model, images: FloatArray) -> Outputs | None:
    """Runs one batch."""
    if backend != NAME:
        return None
    from paredown_paddle.model import evaluate as act

    return act(model, images)


@hookimpl
def fold(backend: str, model: Model, folds: Sequence[Fold]) -> Model | None:
    """Folds BatchNorm layers."""
    if backend != NAME:
        return None
    from paredown_paddle.fold import fold as act

    return act(model, folds)


@hookimpl
def export(backend: str, model: Model, request: ExportRequest) -> ExportResult | None:
    """Writes files."""
    if backend != NAME:
        return None
    from paredown_paddle.export import export as act

    return act(model, request)


@hookimpl
def save(backend: str, model: Model) -> State | None:
    """Reads parameters and buffers."""
    if backend != NAME:
        return None
    from paredown_paddle.model import save as act

    return act(model)


@hookimpl
def restore(backend: str, model: Model, state: State) -> Model | None:
    """Fills parameters and buffers."""
    if backend != NAME:
        return None
    from paredown_paddle.model import restore as act

    restored: Any = act(model, state)
    return restored


@hookimpl
def read_weights(backend: str, path: Path, build: Callable[[], Model]) -> Checkpoint | None:
    """Reads a file of weights; see `paredown_paddle.checkpoints`."""
    if backend != NAME:
        return None
    from paredown_paddle.checkpoints import read

    return read(path, build())
