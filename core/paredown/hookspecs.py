"""The hooks: everything that a plugin can do. Implement any of them in a module or class marked with `hookimpl`.

An entry point of the group `paredown` names the module. Import a framework inside the functions, never at the top: the
command line reads every plugin to know its kinds. Hooks whose result is `firstresult` are asked of the chosen backend
first by name; an implementation returns None unless `backend` is its own.
"""

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
    Measurements,
    MeasureRequest,
    Model,
    ModelSource,
    Outcome,
    RunContext,
    State,
    StepKind,
    TrainingRun,
)
from paredown.markers import hookspec
from paredown.plan import DistillPlan, MaskPlan, PrunePlan, QuantPlan

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs
    from paredown.spec.base import Frozen


@hookspec
def register_backend() -> BackendInfo | None:
    """Announces a backend.

    Returns:
        What the backend is and needs, gathered without importing its framework; None from a plugin that is no backend.
    """


@hookspec
def register_steps() -> Sequence[StepKind]:
    """Announces kinds of step.

    Returns:
        The kinds, each with the pydantic model of its fields, which narrows `kind` with `Literal`.
    """
    return ()


@hookspec
def register_components() -> Sequence[Component]:
    """Announces components: criteria, observers, losses, data, tasks, runtimes.

    Returns:
        The components; implementations are named and imported on first use.
    """
    return ()


@hookspec(firstresult=True)
def load_model(backend: str, source: ModelSource, run: RunContext) -> Model | None:
    """Builds a network: of the zoo, of a library, or by `source.build` where that is given.

    Args:
        backend: The backend that is asked.
        source: The network, its classes and its input; `pretrained` asks for the framework's own weights. `build` is a
            user's own function, found and trusted: call it with the framework seeded, and put what it returns on the
            device.
        run: The seed, the device and the base directory.

    Returns:
        The network on its device, in evaluation mode; its weights are the framework's defaults until `restore`.
    """


@hookspec(firstresult=True)
def measure(backend: str, model: Model, request: MeasureRequest) -> Measurements | None:
    """Says what is in a network, and changes nothing.

    Args:
        backend: The backend that is asked.
        model: The network.
        request: What to find out.

    Returns:
        The layers in order of execution, or what backward passes or activations were reduced to.
    """


@hookspec(firstresult=True)
def prune(backend: str, model: Model, plan: PrunePlan | MaskPlan) -> Outcome | None:
    """Cuts the channels of a plan out of a network, or multiplies its masks into the weights.

    Args:
        backend: The backend that is asked.
        model: The network; it may be changed in place.
        plan: Groups and the channels to remove (shapes shrink), or masks (shapes stay); never second-guessed.

    Returns:
        The network. For cut channels the evidence names the library that cut, under `cut_by`. No mask stays behind in
        the network: what holds weights at zero afterwards is `TrainingRun.masking`.
    """


@hookspec(firstresult=True)
def quantize(backend: str, model: Model, plan: QuantPlan) -> Outcome | None:
    """Simulates a quantization plan: weights and the inputs and outputs of layers pass through fake quantization.

    Args:
        backend: The backend that is asked.
        model: The network, BatchNorm already folded; it may be changed in place.
        plan: Points with scales and zero points; points that the graph owns are skipped.

    Returns:
        The simulated network; the evidence counts the points applied, under `points`.
    """


@hookspec(firstresult=True)
def distill(backend: str, model: Model, plan: DistillPlan, run: TrainingRun) -> Outcome | None:
    """Trains a network, under a teacher or without.

    Args:
        backend: The backend that is asked.
        model: The student; it is changed in place.
        plan: The terms of the loss, the optimizer and the length.
        run: Batches, learning rates, loss functions and the teacher.

    Returns:
        The trained network in evaluation mode; the evidence holds `loss`, the mean training loss of each epoch.
    """


@hookspec(firstresult=True)
def apply_step(backend: str, model: Model, step: Frozen, run: RunContext) -> Outcome | None:
    """Runs a step of a kind that a plugin owns.

    Args:
        backend: The backend that the model belongs to.
        model: The network; it may be changed in place.
        step: The step of the spec, of the class that was registered for its kind.
        run: The seed, the device and the base directory.

    Returns:
        The network and what was done to it.
    """


@hookspec(firstresult=True)
def evaluate(backend: str, model: Model, images: FloatArray) -> Outputs | None:
    """Runs a network in evaluation mode without gradients.

    Args:
        backend: The backend that is asked.
        model: The network.
        images: One batch, float32, NCHW.

    Returns:
        The network's output, float32, in the order of the batch; of several a tuple, in the network's order.
    """


@hookspec(firstresult=True)
def fold(backend: str, model: Model, folds: Sequence[Any]) -> Model | None:
    """Folds BatchNorm layers into the layers before them, with `paredown.algorithms.fold`.

    Args:
        backend: The backend that is asked.
        model: The network; it is not changed.
        folds: `Fold` records.

    Returns:
        A copy in which each folded BatchNorm is an identity and its layer has a bias.
    """


@hookspec(firstresult=True)
def export(backend: str, model: Model, request: ExportRequest) -> ExportResult | None:
    """Writes a network to files of a format.

    Args:
        backend: The backend that is asked.
        model: The network; it is not changed.
        request: The format, the path and the input.

    Returns:
        The files, and for ONNX the neutral names of initializers that are named otherwise.
    """


@hookspec(firstresult=True)
def save(backend: str, model: Model) -> State | None:
    """Reads a network's parameters and buffers.

    Args:
        backend: The backend that is asked.
        model: The network.

    Returns:
        Copies in neutral names and torch's layouts, in the order of the network's definition; counters of batches and
        other integers that no inference needs are left out.
    """


@hookspec(firstresult=True)
def restore(backend: str, model: Model, state: State) -> Model | None:
    """Puts parameters and buffers into a network of the same shapes.

    Args:
        backend: The backend that is asked.
        model: The network; it is changed in place.
        state: What `save` of any backend gave.

    Returns:
        The network. Raises `WeightsError` that names what is missing, unknown, or of another shape.
    """


@hookspec(firstresult=True)
def read_weights(backend: str, path: Path, build: Callable[[], Model]) -> Checkpoint | None:
    """Reads a file of weights of the framework's own; asked for the endings that `BackendInfo.reads` names.

    Asked in a process of its own, with the plugins that entry points find, so that a file which crashes it ends no run.

    Args:
        backend: The backend that is asked.
        path: The file, which may come from a stranger: nothing in it may run.
        build: Builds the network that the file is of, where names have to be looked up in it.

    Returns:
        The arrays in neutral names and torch's layouts; names that the network does not have stay as they are. Raises
        `WeightsError` for a file that is damaged or holds more than arrays and plain containers.
    """


@hookspec
def on_step_end(backend: str, step: Frozen, evidence: dict[str, Any]) -> None:
    """Looks on after each step.

    Args:
        backend: The backend that ran the step.
        step: The step of the spec.
        evidence: A copy of what the step did.
    """


@hookspec
def report_sections(report: Any) -> Sequence[tuple[str, str]]:
    """Adds sections to the HTML report.

    Args:
        report: The comparison, `paredown.results.Comparison`.

    Returns:
        Pairs of a title and text; the text is escaped.
    """
    return ()
