"""The results in small: of each task and backend the baseline, the delivered file, seconds, and which bounds hold."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from clock import BASELINE
from subject import BACKENDS, BASELINE_SECONDS, DROP, MACS, REST_SECONDS, ROOT, SAME, SUBJECTS, TRAINER

from paredown.results import Comparison, RunResult

Found = Mapping[str, tuple[Comparison, Mapping[str, Mapping[str, float]], Mapping[str, Any]]]
"""By task, its runs, the seconds of their stages by backend, and under which code they ran or why they did not."""

_OF_A_RUN = ("spec_hash", "trained_on", "baseline_digest")


def summarise(found: Found) -> dict[str, Any]:
    """What is committed: small, with commit, versions and machine."""
    tasks = {task: _task(task, *one) for task, one in found.items()}
    return {
        "complete": set(tasks) == set(SUBJECTS) and all(not one["failures"] for one in tasks.values()),
        "provenance": _provenance(found),
        "tasks": tasks,
        "bounds": {
            f"{task}, {name}": verdict for task, one in tasks.items() for name, verdict in one["bounds"].items()
        },
    }


def _task(
    task: str, comparison: Comparison, seconds: Mapping[str, Mapping[str, float]], code: Mapping[str, Any]
) -> dict[str, Any]:
    runs = {run.backend: run for run in comparison.runs}
    trained = seconds.get(TRAINER, {}).get("baseline")
    rest = {name: _rest(seconds.get(name, {})) for name in runs}
    return {
        "example": SUBJECTS[task].example,
        "code": {backend: code.get(backend) for backend in runs},
        "primary": comparison.primary,
        "baseline": {"trained_on": TRAINER, "seconds": trained},
        "runs": {
            name: _run(run, comparison.primary) | {"seconds": seconds.get(name, {}), "rest_seconds": rest[name]}
            for name, run in runs.items()
        },
        "failures": [*(failure.model_dump(mode="json") for failure in comparison.failures), *code.get("failures", ())],
        "bounds": _bounds(task, comparison.primary, runs, trained, rest),
    }


def _run(run: RunResult, primary: str) -> dict[str, Any]:
    delivered = next(one for one in run.candidates if one.delivered)
    return {
        "baseline": _rounded(run.baseline.metrics),
        "spec_hash": run.provenance.spec_hash,
        "candidates": [
            {
                "precision": one.precision,
                "delivered": one.delivered,
                "metrics": _rounded(one.metrics),
                "drop": round(run.baseline.metrics[primary] - one.metrics[primary], 4),
                "macs": round(one.macs / run.baseline.macs, 4),
                "bytes": round(one.bytes / run.baseline.bytes, 4),
                "latency": round(one.latency_ratio, 3),
                "agreement": None if one.agreement is None else round(one.agreement, 4),
            }
            for one in run.candidates
        ],
        "precision": delivered.precision,
    }


def _bounds(
    task: str, primary: str, runs: Mapping[str, RunResult], trained: float | None, rest: Mapping[str, float]
) -> dict[str, str]:
    bounds = {f"baseline trained within {BASELINE_SECONDS // 60} minutes": _verdict(trained, BASELINE_SECONDS)}
    baselines = [run.baseline.metrics for run in runs.values()]
    for name, least in SUBJECTS[task].least.items():
        reached = [one[name] >= least for one in baselines]
        bounds[f"baseline's {name} at least {least:g}"] = _kept(all(reached)) if reached else "open"
    of_primary = [one[primary] for one in baselines]
    is_equal = len(runs) > 1 and max(of_primary) - min(of_primary) <= SAME
    bounds["equal baselines on both backends"] = _kept(is_equal) if len(runs) > 1 else "open"
    for backend in BACKENDS:
        within = f"{backend}: delivered in int8, {MACS:g} of the MACs, within {100 * DROP:g} points"
        in_time = f"{backend}: the rest within {REST_SECONDS // 60} minutes"
        if backend not in runs:
            bounds |= {within: "open", in_time: "open"}
            continue
        run = runs[backend]
        lost = run.baseline.metrics[primary] - run.final.metrics[primary]
        is_int8 = next(one for one in run.candidates if one.delivered).precision == "int8"
        holds = is_int8 and lost <= DROP and run.final.macs <= MACS * run.baseline.macs
        bounds |= {within: _kept(holds), in_time: _verdict(rest[backend], REST_SECONDS)}
    return bounds


def _rest(seconds: Mapping[str, float]) -> float:
    """Everything but the baseline."""
    return round(sum(value for stage, value in seconds.items() if stage not in BASELINE), 1)


def _verdict(seconds: float | None, most: float) -> str:
    return "open" if not seconds else _kept(seconds <= most)


def _kept(holds: bool) -> str:
    return "kept" if holds else "missed"


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}


def _provenance(found: Found) -> dict[str, Any]:
    """The machine, and the versions of all runs together."""
    everything = [
        run.provenance.model_dump(mode="json") for comparison, *_ in found.values() for run in comparison.runs
    ]
    versions = {name: number for one in everything for name, number in one["versions"].items()}
    common = {name: value for one in everything[:1] for name, value in one.items() if name not in _OF_A_RUN}
    return common | {"versions": versions}


def code_of_now() -> dict[str, Any]:
    """The commit, and whether files that it knows were changed since."""
    commit, changed = (_git(*asked) for asked in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    return {"commit": commit, "changed": bool(changed)}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()
