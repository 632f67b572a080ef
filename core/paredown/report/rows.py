"""The rows of the comparison's table, the same in the terminal and on the page."""

from __future__ import annotations

from dataclasses import dataclass

from paredown.results import Candidate, Comparison, Figures, RunResult

COLUMNS = ("", "accuracy", "params", "MACs", "file", "weights", "latency", "vs baseline", "peak memory")


@dataclass(frozen=True, slots=True)
class Row:
    """One network of one run; `delivered` marks the file that the spec's preference chose."""

    label: str
    cells: tuple[str, ...]
    delivered: bool
    is_baseline: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One run: its title and its rows."""

    title: str
    rows: tuple[Row, ...]


def blocks(comparison: Comparison) -> tuple[Block, ...]:
    """A block for each run, baseline first."""
    return tuple(_block(run, comparison.primary) for run in comparison.runs)


def _block(run: RunResult, primary: str) -> Block:
    rows = [Row("baseline fp32", _cells(run.baseline, run.baseline, 1.0, primary), False, True)]
    for one in run.candidates:
        label = _label(one)
        rows.append(Row(label, _cells(one, run.baseline, one.latency_ratio, primary), one.delivered, False))
    return Block(f"{run.backend}, seed {run.seed}", tuple(rows))


def _label(candidate: Candidate) -> str:
    label = "compressed fp32" if candidate.precision == "fp32" else f"compressed {candidate.precision}"
    return label if candidate.within_bound else f"{label} (beyond the bound)"


def _cells(figures: Figures, baseline: Figures, latency_ratio: float, primary: str) -> tuple[str, ...]:
    return (
        f"{figures.metrics[primary]:.2%}",
        f"{count(figures.params)} ({figures.params / baseline.params:.2f}x)",
        f"{count(figures.macs)} ({figures.macs / baseline.macs:.2f}x)",
        f"{size(figures.bytes)} ({figures.bytes / baseline.bytes:.2f}x)",
        f"{size(figures.weight_bytes)} ({figures.weight_bytes / baseline.weight_bytes:.2f}x)",
        f"{figures.latency_ms:.3f} ms",
        f"{1 / latency_ratio:.2f}x faster"
        if latency_ratio < 1
        else f"{latency_ratio:.2f}x slower"
        if latency_ratio > 1
        else "-",
        f"{figures.peak_memory_mb:.0f} MB",
    )


def count(number: float) -> str:
    """A count with the unit that keeps it short: 1.2 k, 3.4 M, 5.6 G."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= limit:
            return f"{number / limit:.2f}{unit}"
    return f"{number:.0f}"


def size(number: float) -> str:
    """Bytes in kB (1,000 bytes) or MB."""
    return f"{number / 1e6:.2f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"
