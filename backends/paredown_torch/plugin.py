"""The entry point of the PyTorch backend: every hook, each handed to the module that does it. Imports no framework."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from paredown.twins import outputs_of, widths_of
from paredown_torch.zoo import NAMES
from paredown_torch.zoo.refused import REFUSED

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs

NAME = "torch"

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
    """Announces the backend `torch`."""
    return BackendInfo(
        name=NAME,
        title="PyTorch",
        distributions=("torch", "torchvision", "torch-pruning", "onnxscript"),
        install='pip install "paredown[torch]"',
        models=NAMES,
        base_class=("torch.nn", "Module"),
        formats=("torch",),
        amp=("cpu", "gpu"),
        widths=widths_of(NAMES),
        reads=(".pth", ".pt"),
        libraries={"timm": ("timm",)},
        outputs=outputs_of(NAMES),
        refused=REFUSED,
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """Announces this backend's losses."""
    return tuple(Component("distill_loss", name, f"paredown_torch.losses:{name}", backend=NAME) for name in LOSSES)


@hookimpl
def load_model(backend: str, source: ModelSource, run: RunContext) -> Model | None:
    """Builds a network; see `paredown_torch.model.load_model`."""
    if backend != NAME:
        return None
    from paredown_torch import model as networks

    return networks.load_model(source, run)


@hookimpl
def measure(backend: str, model: Model, request: MeasureRequest) -> Measurements | None:
    """Finds layers, taps, gradients or activations; see the modules of these names."""
    if backend != NAME:
        return None
    if request.what == "gradients":
        from paredown_torch import gradients

        return Measurements(gradients=gradients.measure(model, request))
    if request.what == "activations":
        from paredown_torch import activations

        return Measurements(activations=activations.measure(model, request))
    if request.what == "taps":
        from paredown_torch import taps

        return Measurements(taps=taps.measure(model, request.input_shape))
    from paredown_torch import layers

    return Measurements(layers=layers.measure(model, request.input_shape))


@hookimpl
def prune(backend: str, model: Model, plan: PrunePlan | MaskPlan) -> Outcome | None:
    """Cuts the channels of a plan, or applies its masks; see `paredown_torch.prune` and `paredown_torch.masking`."""
    if backend != NAME:
        return None
    if isinstance(plan, MaskPlan):
        from paredown_torch import masking

        return masking.apply_plan(model, plan)
    from paredown_torch import prune as surgery

    return surgery.prune(model, plan)


@hookimpl
def quantize(backend: str, model: Model, plan: QuantPlan) -> Outcome | None:
    """Simulates a quantization plan; see `paredown_torch.quantize`."""
    if backend != NAME:
        return None
    from paredown_torch import quantize as simulation

    return simulation.quantize(model, plan)


@hookimpl
def distill(backend: str, model: Model, plan: DistillPlan, run: TrainingRun) -> Outcome | None:
    """Trains a network; see `paredown_torch.distill`."""
    if backend != NAME:
        return None
    from paredown_torch import distill as training

    return training.distill(model, plan, run)


@hookimpl
def evaluate(backend: str, model: Model, images: FloatArray) -> Outputs | None:
    """Runs a network; see `paredown_torch.model.evaluate`."""
    if backend != NAME:
        return None
    from paredown_torch import model as networks

    return networks.evaluate(model, images)


@hookimpl
def fold(backend: str, model: Model, folds: Sequence[Fold]) -> Model | None:
    """Folds BatchNorm layers into a copy; see `paredown_torch.fold`."""
    if backend != NAME:
        return None
    from paredown_torch import fold as folding

    return folding.fold(model, folds)


@hookimpl
def export(backend: str, model: Model, request: ExportRequest) -> ExportResult | None:
    """Writes a network as ONNX or in torch's own format; see `paredown_torch.export`."""
    if backend != NAME:
        return None
    from paredown_torch import export as exporting

    return exporting.export(model, request)


@hookimpl
def save(backend: str, model: Model) -> State | None:
    """Reads parameters and buffers; see `paredown_torch.model.save`."""
    if backend != NAME:
        return None
    from paredown_torch import model as networks

    return networks.save(model)


@hookimpl
def restore(backend: str, model: Model, state: State) -> Model | None:
    """Puts parameters and buffers into a network; see `paredown_torch.model.restore`."""
    if backend != NAME:
        return None
    from paredown_torch import model as networks

    return networks.restore(model, state)


@hookimpl
def read_weights(backend: str, path: Path) -> Checkpoint | None:
    """Reads a file of weights; see `paredown_torch.checkpoints`."""
    if backend != NAME:
        return None
    from paredown_torch import checkpoints

    return checkpoints.read(path)
