"""The one place that calls hooks: asks the chosen backend by typed methods, and says so when nobody can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.contracts import (
    BackendInfo,
    Checkpoint,
    ExportRequest,
    ExportResult,
    Measurements,
    MeasureRequest,
    Model,
    ModelSource,
    Outcome,
    RunContext,
    State,
    TrainingRun,
)
from paredown.errors import BackendMissing, HookFailed, ParedownError, SpecError, UnsupportedError
from paredown.plan import DistillPlan, MaskPlan, PrunePlan, QuantPlan
from paredown.plugins import Failure, PluginSet
from paredown.registry import not_installed
from paredown.spec.nearest import listed, one_of, suggestion

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs
    from paredown.spec.base import Frozen

__all__ = ["Failure", "Manager", "missing_distributions"]


class Manager(PluginSet):
    """Core and the plugins that were found or registered, behind typed methods, one for each hook."""

    def __init__(self) -> None:
        super().__init__()
        self._installed: set[str] = set()

    def backend(self, name: str) -> BackendInfo:
        """A backend by name, whether its framework is installed or not.

        Raises:
            SpecError: No plugin is that backend; names the nearest.
            BackendMissing: The plugin of that name did not load.
        """
        backends = self.registry.backends
        if name in backends:
            return backends[name]
        failure = next((failure for failure in self.failures if failure.name == name), None)
        if failure is not None:
            raise BackendMissing(
                f"the plugin `{name}` did not load: {failure.reason}",
                value=failure.target,
                expected="a plugin that loads",
                remedy="see `paredown doctor` for the traceback, and reinstall the plugin",
            )
        raise SpecError(
            f"there is no backend `{name}`",
            value=name,
            expected=one_of(backends, "backend"),
            remedy=suggestion(name, backends),
        )

    def require_backend(self, name: str) -> BackendInfo:
        """A backend whose packages are installed.

        Raises:
            SpecError: No plugin is that backend.
            BackendMissing: A package that it needs is not installed; the remedy is the command that installs it.
        """
        info = self.backend(name)
        if name not in self._installed:
            missing = missing_distributions(info)
            if missing:
                raise BackendMissing(
                    f"the backend `{name}` is not installed",
                    value=f"without {', '.join(missing)}",
                    expected=f"{info.title} with {', '.join(info.distributions)}",
                    remedy=info.install,
                )
            self._installed.add(name)
        return info

    def load_model(self, backend: str, source: ModelSource, run: RunContext) -> Model:
        """Builds a network, on its device, in evaluation mode."""
        return self._ask("load_model", backend, f"build the network `{source.name}`", source=source, run=run)

    def measure(self, backend: str, model: Model, request: MeasureRequest) -> Measurements:
        """Says what is in a network: its layers, or what gradients or activations were reduced to."""
        found: Measurements = self._ask("measure", backend, f"measure {request.what}", model=model, request=request)
        return found

    def prune(self, backend: str, model: Model, plan: PrunePlan | MaskPlan) -> Outcome:
        """Cuts the channels of a plan out of a network, or multiplies its masks into the weights."""
        outcome: Outcome = self._ask("prune", backend, "prune", model=model, plan=plan)
        return outcome

    def quantize(self, backend: str, model: Model, plan: QuantPlan) -> Outcome:
        """Simulates a quantization plan."""
        outcome: Outcome = self._ask("quantize", backend, "quantize", model=model, plan=plan)
        return outcome

    def distill(self, backend: str, model: Model, plan: DistillPlan, run: TrainingRun) -> Outcome:
        """Trains a network, under a teacher or without."""
        what = "distil" if run.teacher is not None else "train"
        outcome: Outcome = self._ask("distill", backend, what, model=model, plan=plan, run=run)
        return outcome

    def apply_step(self, backend: str, model: Model, step: Frozen, run: RunContext) -> Outcome:
        """Runs a step of a kind that a plugin owns."""
        kind = getattr(step, "kind", type(step).__name__)
        outcome: Outcome = self._ask("apply_step", backend, f"run the step `{kind}`", model=model, step=step, run=run)
        return outcome

    def evaluate(self, backend: str, model: Model, images: FloatArray) -> Outputs:
        """Runs a network on one batch in evaluation mode."""
        outputs: Outputs = self._ask("evaluate", backend, "evaluate a network", model=model, images=images)
        return outputs

    def fold(self, backend: str, model: Model, folds: Sequence[Any]) -> Model:
        """Folds BatchNorm layers into a copy of the network."""
        return self._ask("fold", backend, "fold BatchNorm", model=model, folds=folds)

    def export(self, backend: str, model: Model, request: ExportRequest) -> ExportResult:
        """Writes a network to files of a format."""
        what = f"export to `{request.format}`"
        result: ExportResult = self._ask("export", backend, what, model=model, request=request)
        return result

    def save(self, backend: str, model: Model) -> State:
        """Reads a network's parameters and buffers in neutral names."""
        state: State = self._ask("save", backend, "read a network's weights", model=model)
        return state

    def restore(self, backend: str, model: Model, state: State) -> Model:
        """Puts parameters and buffers into a network of the same shapes."""
        return self._ask("restore", backend, "set a network's weights", model=model, state=state)

    def reader_of(self, ending: str) -> str:
        """The backend that reads files of weights with such an ending.

        Raises:
            UnsupportedError: None does.
        """
        for name, info in self.registry.backends.items():
            if ending in info.reads:
                return name
        known = [".safetensors", *(one for info in self.registry.backends.values() for one in info.reads)]
        raise UnsupportedError(
            f"no backend reads weights from `{ending}`",
            where="weights",
            value=ending,
            expected=one_of(known, "ending"),
            remedy="install the backend that does, or save the weights as .safetensors in neutral names",
        )

    def read_weights(self, backend: str, path: Path, build: Callable[[], Model]) -> Checkpoint:
        """Reads a file of weights of the framework's own, into neutral names; nothing in it runs."""
        found: Checkpoint = self._ask("read_weights", backend, f"read `{path.name}`", path=path, build=build)
        return found

    def on_step_end(self, backend: str, step: Frozen, evidence: dict[str, Any]) -> None:
        """Tells every onlooker that a step has ended; each may keep or change its argument."""
        self.tell("on_step_end", {"backend": backend, "step": step, "evidence": evidence})

    def report_sections(self, report: Any) -> list[tuple[str, str]]:
        """The sections that plugins add to a report, in the order of registration."""
        return [section for answer in self.tell("report_sections", {"report": report}) for section in answer or ()]

    def _ask(self, hook: str, backend: str, action: str, **arguments: Any) -> Any:
        self.require_backend(backend)
        try:
            answer = self.ask(hook, backend, arguments)
        except ParedownError:
            raise
        except Exception as error:  # a framework raises whatever its operators raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise HookFailed(
                f"`{backend}` could not {action}: {reason}",
                where=f"the hook `{hook}`",
                value=type(error).__name__,
                remedy="the log of the run holds the traceback; `paredown doctor` shows the versions",
            ) from error
        if answer is None:
            raise self._unsupported(hook, backend, action)
        return answer

    def _unsupported(self, hook: str, backend: str, action: str) -> UnsupportedError:
        registry, info = self.registry, self.backend(backend)
        others = [
            name
            for name in registry.backends
            if name != backend and hook in self.capabilities(registry.backend_owner(name))
        ]
        can = f"what it can do: {listed(self.capabilities(registry.backend_owner(backend)))}"
        if hook == "load_model":
            can = f"one of {listed(info.models)}"
        elif hook == "export":
            can = f"one of {listed(dict.fromkeys(('onnx', *info.formats)))}"
        choose = f"choose another backend (with `{hook}`: {', '.join(others)}), or " if others else ""
        return UnsupportedError(
            f"`{backend}` cannot {action}: no plugin answered the hook `{hook}`",
            value=action,
            expected=can,
            remedy=f"{choose}install a plugin that implements `{hook}` for `{backend}`",
        )


def missing_distributions(info: BackendInfo) -> tuple[str, ...]:
    """The packages that a backend needs and that are not installed."""
    return not_installed(info.distributions)
