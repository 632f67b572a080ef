"""Leaving the layers that quantization hurts most in float, until the metric holds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paredown import files
from paredown.algorithms.batches import evaluation_batch
from paredown.engine.built import Quantized
from paredown.engine.stepping import StepInput
from paredown.engine.tallies import metrics_of
from paredown.engine.workbench import Workbench

REASON = "left in float so that the metric holds (keep_best_effort)"


def search(
    bench: Workbench,
    given: StepInput,
    graph: Any,
    without: Callable[[Mapping[str, str]], Quantized],
    noise: Callable[[], Any],
) -> tuple[Quantized, dict[str, Any]]:
    """Leaves the worst layers in float until the deployed file keeps `max_metric_drop` on validation.

    Layers are ranked by the noise that each makes alone; how many of the worst have to stay is searched by doubling and
    then halving, every try as a file in the runtime. What is taken is the fewest among those tried that hold the bound;
    another count would hold it too where the metric does not grow with every layer. A float file that misses the bound
    ends the search: no layer left in float makes up for what the steps before lost.

    Args:
        bench: The run.
        given: What the step was given; the baseline's metric sets the bound.
        graph: The canonical network, an `onnx.ModelProto`, before any correction.
        without: The plan that leaves more layers in float, with the reasons, and the arrays to deploy with it.
        noise: Measures the noise of each layer; called where the whole plan does not hold.

    Returns:
        The plan with its arrays, and what was tried: `bound`, `baseline`, `tries` (layers left, metric, bytes), `left`,
        `reached`; where the whole plan does not hold also `float`, the metric of the float file, and where that does
        not hold either the `reason` why no layer is left.
    """
    from paredown.deploy.analysis import worst_first

    primary = bench.task.primary
    baseline = bench.metrics(bench.build(state=given.baseline), "validation")[primary]
    bound = baseline - bench.spec.deploy.max_metric_drop
    tries: dict[int, tuple[Quantized, float, int]] = {}
    ranked: list[str] = []

    def holds(count: int) -> bool:
        if count not in tries:
            quantized = without(dict.fromkeys(ranked[:count], REASON))
            tries[count] = (quantized, *_measure(bench, graph, quantized))
        return tries[count][1] >= bound - 1e-12

    found: dict[str, Any] = {}
    if not holds(0):
        found["float"], _ = _measure(bench, graph)
        if found["float"] < bound - 1e-12:
            found["reason"] = "the float file itself misses the bound, before anything is quantized"
        else:
            ranked += worst_first(noise())
            _fewest(holds, len(ranked))
    reached = [count for count in tries if holds(count)]
    chosen = min(reached) if reached else max(tries, key=lambda count: (tries[count][1], -count))
    return tries[chosen][0], {
        "metric": primary,
        "baseline": baseline,
        "bound": bound,
        "tries": [{"left": count, primary: tries[count][1], "bytes": tries[count][2]} for count in sorted(tries)],
        "left": ranked[:chosen],
        "reached": bool(reached),
        **found,
    }


def _fewest(holds: Callable[[int], bool], most: int) -> None:
    """Tries counts until one holds, doubling from one, then between it and the last that does not, halving the gap."""
    low, high = 0, 1
    while high < most and not holds(high):
        low, high = high, min(high * 2, most)
    if not holds(min(high, most)):
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)


def _measure(bench: Workbench, graph: Any, quantized: Quantized | None = None) -> tuple[float, int]:
    """The metric of the deployed file on validation, and its bytes; without a plan those of the float file."""
    from paredown.deploy.canonical.graph import with_arrays
    from paredown.deploy.files import to_bytes
    from paredown.deploy.runtimes import ternary_storage
    from paredown.deploy.verify import run_batches
    from paredown.deploy.writing import write_quantized

    if quantized is not None:
        own = with_arrays(graph, quantized.corrected)
        graph = write_quantized(own, quantized.plan, ternary=ternary_storage(bench.runtime))
    content = to_bytes(graph)
    with tempfile.TemporaryDirectory(prefix="paredown-") as scratch:
        path = Path(scratch) / "try.onnx"
        files.write_bytes(path, content)
        images, labels = bench.split("validation")
        answers = run_batches(bench.runtime, path, images, batch_size=evaluation_batch(images))
        return metrics_of(bench.task, answers, labels)[bench.task.primary], len(content)
