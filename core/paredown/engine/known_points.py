"""Metrics of networks with channels zeroed, kept between runs: each is written as soon as it is measured."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paredown import files
from paredown.contracts import Model, State
from paredown.engine.networks import cache_directory, digest
from paredown.engine.provenance import distributions, thread_count, versions
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError
from paredown.plan import Cut


class KnownPoints:
    """The metrics measured so far on one network and one validation split, by what was removed.

    Criterion and ratio enter through the channels that they remove: two that remove the same ones share a measurement.
    """

    def __init__(self, bench: Workbench, path: Path, metrics: dict[str, float]) -> None:
        self._bench = bench
        self._path = path
        self._metrics = metrics
        self._kept = True

    @classmethod
    def of(cls, bench: Workbench, model: Model, state: State, baseline: float, *, fresh: bool = False) -> KnownPoints:
        """What is known of a network.

        Args:
            bench: The run.
            model: The network, nothing removed.
            state: Its arrays.
            baseline: Its metric on validation.
            fresh: Forgets what is known.
        """
        path = cache_directory() / "sensitivity" / f"{_content_key(bench, model, state, baseline)}.json"
        return cls(bench, path, {} if fresh else _read(path))

    def get(self, cut: Cut) -> float | None:
        """The metric without these channels; None where it is not known."""
        return self._metrics.get(_cut_key(cut))

    def put(self, cut: Cut, metric: float) -> None:
        """Keeps a metric, on disk too where that can be written."""
        self._metrics[_cut_key(cut)] = metric
        if not self._kept:
            return
        try:
            files.write_json(self._path, {"version": 1, "metrics": self._metrics})
        except ArtifactError as error:
            self._kept = False
            self._bench.report("note", text=f"measurements are not kept for other runs: {error.problems[0].value}")


def _cut_key(cut: Cut) -> str:
    return hashlib.sha256(cut.model_dump_json().encode()).hexdigest()[:32]


def _read(path: Path) -> dict[str, float]:
    """Metrics by key; a file that is damaged is as good as none."""
    try:
        content = files.read_json(path) if path.is_file() else {}
    except ArtifactError:
        return {}
    metrics = content.get("metrics") if isinstance(content, dict) and content.get("version") == 1 else None
    if not isinstance(metrics, dict) or not all(isinstance(value, float) for value in metrics.values()):
        return {}
    return metrics


def _content_key(bench: Workbench, model: Model, state: State, baseline: float) -> str:
    """Everything that a metric depends on but the channels removed: code, network, weights, data, device, threads.

    The whole network's metric is among it, so that another forward function under the same names is found out.
    """
    content: dict[str, Any] = {
        "paredown": version("paredown"),
        "versions": versions(distributions(bench.manager.registry.backends[bench.backend], bench.source.kind)),
        "backend": bench.backend,
        "network": [bench.source.name, [str(layer) for layer in bench.layers(model)]],
        "task": bench.spec.task.model_dump(mode="json"),
        "device": bench.context.device,
        "threads": thread_count(bench.spec.run),
        "data": digest(dict(zip(("images", "labels"), bench.split("validation"), strict=True))),
        "state": digest(state),
        "baseline": baseline,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
