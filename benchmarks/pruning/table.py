"""The results as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import mean
from typing import Any

from settings import NETWORKS, TARGETS

_ORDER = ("l2", "l2+sensitivity", "taylor", "fpgm", "random", "torch-pruning", "paddleslim")


def render(results: Mapping[str, Any]) -> str:
    """Two tables: accuracy by method, and paired differences with their intervals."""
    return "\n".join([*_accuracy(results), "", *_differences(results)]) + "\n"


def _accuracy(results: Mapping[str, Any]) -> Iterator[str]:
    columns = [(network, target) for network in NETWORKS for target in TARGETS]
    yield "| method | " + " | ".join(f"{network}, {target:g} of the MACs" for network, target in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    whole = [_mean(results, "baseline", network=network) for network, _ in columns]
    yield "| not pruned | " + " | ".join(f"{value:.2f}" for value in whole) + " |"
    for backend, method, scope in methods(results):
        found = []
        for network, target in columns:
            where = {"backend": backend, "method": method, "scope": scope, "network": network, "target": target}
            value = _mean(results, "test", **where)
            found.append("" if value is None else f"{value:.2f} ({_mean(results, 'macs_kept', **where) / 100:.3f})")
        yield f"| {title(backend, method)}, {scope} | " + " | ".join(found) + " |"


def _differences(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| compared on test | mean difference, points | 95% interval | by network | by target | bound |"
    yield "|---|---|---|---|---|---|"
    for name, one in results["comparisons"].items():
        low, high = one["all"]["interval"]
        networks = ", ".join(f"{part}: {found['mean']:+.2f}" for part, found in one["by_network"].items())
        targets = ", ".join(f"{part}: {found['mean']:+.2f}" for part, found in one["by_target"].items())
        bound = one.get("bound", "")
        yield f"| {name} | {one['all']['mean']:+.2f} | {low:+.2f} to {high:+.2f} | {networks} | {targets} | {bound} |"


def methods(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Backend, method and scope of every kind of cell, like beside like."""
    found = {(cell["backend"], cell["method"], cell["scope"]) for cell in results["cells"]}
    return sorted(found, key=lambda one: (one[0] != "torch", _ORDER.index(one[1]), one[2]))


def title(backend: str, method: str) -> str:
    """What a reader calls a method."""
    peers = {"torch-pruning": "torch-pruning by hand, l2", "paddleslim": "PaddleSlim by hand, L1"}
    return peers.get(method, f"paredown on {backend}, {method.replace('+', ' with ')}")


def _mean(results: Mapping[str, Any], figure: str, **where: Any) -> Any:
    """The mean over seeds, times 100; None where there is no such cell."""
    found = [cell[figure] for cell in results["cells"] if all(cell[name] == value for name, value in where.items())]
    return 100 * mean(found) if found else None
