"""What a spec would do on a backend, stage by stage, with every setting explicit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from paredown.manager import Manager, missing_distributions
from paredown.spec.base import Frozen
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, Spec

_REDUCED = ("portable", "avx2")
_WHAT = {
    PruneStep: "prune: measure coupled channels, score and choose in core, cut them; shapes shrink",
    FinetuneStep: "finetune: train on the labels",
    DistillStep: "distill: train under the baseline's soft labels",
    QuantizeStep: "quantize: fold BatchNorm, export, calibrate on the canonical graph, simulate the plan",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what happens, and its settings with all defaults filled in."""

    what: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All stages of one backend, and whether it is ready."""

    backend: str
    state: str
    stages: tuple[Stage, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def explain_backend(manager: Manager, spec: Spec, backend: str) -> Explanation:
    """What a spec would do on one backend; nothing is built, loaded or imported.

    Raises:
        SpecError: No plugin supplies the backend.
    """
    info = manager.backend(backend)
    missing = missing_distributions(info)
    state = f"{info.title}, " + (f"missing {', '.join(missing)}: {info.install}" if missing else "ready")
    stages = [_baseline(spec), *(_step(manager, step, backend) for step in spec.steps), _deploy(spec)]
    return Explanation(backend, state, tuple(stages))


def _baseline(spec: Spec) -> Stage:
    settings: dict[str, Any] = {
        name: part.model_dump(mode="json")
        for name, part in (("model", spec.model), ("data", spec.data), ("train", spec.baseline))
        if part is not None
    }
    trained = spec.baseline is not None and spec.baseline.epochs > 0
    return Stage("baseline: " + ("train it, once per content" if trained else "take the weights as they are"), settings)


def _step(manager: Manager, step: Frozen, backend: str) -> Stage:
    settings = step.model_dump(mode="json")
    kind = str(settings.pop("kind", ""))
    what = next((text for model, text in _WHAT.items() if isinstance(step, model)), f"{kind}: a plugin's step")
    registry = manager.registry
    for loss in settings.get("losses", ()):
        if not registry.has_implementation("distill_loss", loss["kind"], backend):
            what += f" (the loss `{loss['kind']}` has no implementation for {backend}: this run would be refused)"
    return Stage(what, settings)


def _deploy(spec: Spec) -> Stage:
    reduced = spec.deploy.target in _REDUCED
    bits = "7 effective bits of weights, safe on every CPU" if reduced else "8 bits of weights"
    settings = {**spec.deploy.model_dump(mode="json"), "int8 range": bits}
    return Stage(
        "deploy: verify every candidate on data, measure it against the baseline's fp32 file, choose one", settings
    )
