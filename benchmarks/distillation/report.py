"""The results as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

_LIFTS = {"kept": "yes", "open": "not shown", "missed": "no"}
_WHAT = {
    "soft_labels": ("teacher running by soft labels of the cache", "at least 1.3"),
    "overhead": ("our loop by the same loop by hand", "at most 1.1"),
}


def render(results: Mapping[str, Any]) -> str:
    """Tables of what each loss gains, of the differences to the peer, and of time."""
    parts = [*_teachers(results["teachers"]), "", *_gains(results["gains"]), "", *_peers(results["peers"])]
    left_out = [f"Left out: {', '.join(results['left_out'])}.", ""] if results["left_out"] else []
    return "\n".join([*left_out, *parts, "", *_speed(results["speed"])]) + "\n"


def title(one: Mapping[str, Any]) -> str:
    """What a reader calls one way to learn."""
    lane = "torchdistill" if one["lane"] == "torchdistill" else f"paredown on {one['lane']}"
    teacher = {"torch": "", "torch.onnx": ", torch's ONNX file", "paddle.onnx": ", Paddle's ONNX file"}[one["teacher"]]
    return f"{lane}, {one['student']}, {one['loss']}{teacher}"


def _teachers(teachers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for backend in dict.fromkeys(one["backend"] for one in teachers):
        found = [100 * one["test"] for one in teachers if one["backend"] == backend]
        yield f"Teacher trained on {backend}: {mean(found):.2f} ({', '.join(f'{value:.2f}' for value in found)})."


def _gains(gains: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| who learns, from what | weight | alone | taught | mean gain, points | 95% interval | helps |"
    yield "|---|---|---|---|---|---|---|"
    for one in gains:
        figures = f"{one['alone']:.2f} | {one['taught']:.2f} | {_signed(one['gain'])}"
        yield f"| {title(one)} | {one['weight']:g} | {figures} | {_LIFTS[one['lifts']]} |"


def _peers(peers: Mapping[str, Any]) -> Iterator[str]:
    yield "| ours minus torchdistill | mean difference, points | 95% interval | bound |"
    yield "|---|---|---|---|"
    for loss, one in peers.items():
        yield f"| {loss} | {_signed(one)} | {one['bound']} |"


def _speed(speed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| time, one thread | backend | ratio | 95% interval | wanted | bound |"
    yield "|---|---|---|---|---|---|"
    for one in speed:
        what, wanted = _WHAT[one["what"]]
        low, high = one["ratio"]["interval"]
        figures = f"{one['ratio']['mean']:.2f} | {low:.2f} to {high:.2f}"
        yield f"| {what} | {one['backend']} | {figures} | {wanted} | {one['bound']} |"


def _signed(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['mean']:+.2f} | {low:+.2f} to {high:+.2f}"
