"""The results as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from cells import NETWORKS

_TITLES = {
    "paredown": "paredown",
    "paredown-qat": "paredown, trained",
    "paredown-openvino": "paredown's file in OpenVINO",
    "quantize_static": "ONNX Runtime quantize_static",
    "nncf": "NNCF in OpenVINO",
    "quant_post_static": "PaddleSlim quant_post_static",
}
_COLUMNS = ("top-1", "agreement", "bytes", "latency", "seconds")


def render(results: Mapping[str, Any]) -> str:
    """Tables of every setting on each network, of paired differences, and of speed."""
    parts = [line for network in NETWORKS for line in (*_network(results["cells"], network), "")]
    return "\n".join([*parts, *_differences(results["comparisons"]), "", *_speed(results["speed"])]) + "\n"


def _network(cells: Sequence[Mapping[str, Any]], network: str) -> Iterator[str]:
    """Means over seeds; bytes and latency are shares of the float file's in the same runtime."""
    own = [cell for cell in cells if cell["network"] == network]
    if not own:
        return
    yield f"| {network}: {100 * mean(cell['fp32'] for cell in own):.2f} in fp32 | " + " | ".join(_COLUMNS) + " |"
    yield "|---" * (len(_COLUMNS) + 1) + "|"
    for lane, method, setting in dict.fromkeys((cell["lane"], cell["method"], cell["setting"]) for cell in own):
        found = [cell for cell in own if (cell["lane"], cell["method"], cell["setting"]) == (lane, method, setting)]
        place = f" on {lane}" if method in ("paredown", "paredown-qat") else ""
        figures = (
            f"{100 * mean(cell['test'] for cell in found):.2f}",
            f"{100 * mean(cell['test_agreement'] for cell in found):.2f}",
            f"{mean(cell['bytes'] / cell['fp32_bytes'] for cell in found):.3f}",
            f"{mean(cell['latency_ratio'] for cell in found):.2f}",
            f"{mean(cell['seconds'] for cell in found):.1f}",
        )
        yield f"| {_TITLES[method]}{place}, {setting} | " + " | ".join(figures) + " |"


def _differences(comparisons: Mapping[str, Any]) -> Iterator[str]:
    yield "| compared on test | mean difference, points | 95% interval | by network | bound |"
    yield "|---|---|---|---|---|"
    for name, one in comparisons.items():
        low, high = one["all"]["interval"]
        networks = ", ".join(f"{part}: {found['mean']:+.2f}" for part, found in one["by_network"].items())
        bound = one.get("bound", "")
        yield f"| {name} | {one['all']['mean']:+.2f} | {low:+.2f} to {high:+.2f} | {networks} | {bound} |"


def _speed(speed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| at 224 px, one thread, ONNX Runtime | gain over fp32, paredown | by hand | share |"
    yield "|---|---|---|---|"
    for one in speed:
        gains = one["gains"]
        yield f"| {one['network']} | {gains['paredown']:.2f} | {gains['by_hand']:.2f} | {one['share']:.2f} |"
