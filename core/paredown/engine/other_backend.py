"""What a process for another backend than the run's is told of the run, and the workbench that it makes of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paredown.contracts import ModelSource, RunContext
from paredown.engine.trust import trusting
from paredown.engine.workbench import Report, Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec

_PLAIN = ("name", "num_classes", "in_channels", "input_size", "width", "kind")
"""The fields of a source that say all of a network that is built by name."""


def told(bench: Workbench, backend: str, source: ModelSource, context: RunContext) -> dict[str, Any]:
    """The part of a request that `opened` reads, as JSON values; `context` is that of the work there."""
    return {
        "backend": backend,
        "source": {name: getattr(source, name) for name in _PLAIN},
        "spec": bench.spec.model_dump(mode="json"),
        "seed": context.seed,
        "device": context.device,
        "amp": context.amp,
        "base_dir": str(context.base_dir.resolve()),
        "trust": list(bench.trust.packages),
    }


def opened(request: dict[str, Any], report: Report) -> tuple[Workbench, ModelSource]:
    """The other backend's workbench, and its source of the network."""
    manager = Manager.discover()
    spec = load_spec(request["spec"], manager.registry)
    base_dir = Path(request["base_dir"])
    context = RunContext(seed=request["seed"], device=request["device"], base_dir=base_dir, amp=request["amp"])
    bench = Workbench(manager, request["backend"], spec, context, report, trusting(request["trust"], base_dir))
    given = request["source"]
    plain = ModelSource(**given | {"input_size": tuple(given["input_size"])})
    return bench, bench.source if plain.kind == "builder" else plain
