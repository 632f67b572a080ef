"""The rows of the comparison's table, the same in the terminal and on the page."""

from __future__ import annotations

from dataclasses import dataclass

from paredown.report.metrics import Metric, metrics_of
from paredown.results import Candidate, Comparison, Figures, RunResult

_COLUMNS = ("params", "MACs", "file", "weights", "latency", "peak memory")
_ZEROS_COLUMNS = ("zeros", "zstd")

NOTABLE_SPARSITY = 0.01
ZEROS_NOTE = (
    "Zeros: the share of exact zeros among the weights in the file (in int8 files rounding makes some of its own)."
    " They shrink only the file compressed with zstd: the file itself and its memory stay as large, and no speed is"
    " claimed for them; latency is what was measured."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and how it stands to the baseline's; the second is empty where there is nothing to say."""

    text: str
    relative: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.relative})" if self.relative else self.text


@dataclass(frozen=True, slots=True)
class Row:
    """One network of one run; `delivered` marks the file that the spec's preference chose."""

    label: str
    cells: tuple[Cell, ...]
    delivered: bool
    is_baseline: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One run: its title and its rows."""

    title: str
    rows: tuple[Row, ...]


def columns(comparison: Comparison) -> tuple[str, ...]:
    """The columns of the table, metrics first by name; those about zeros stand last, where there are notable zeros."""
    zeros = _ZEROS_COLUMNS if shows_zeros(comparison) else ()
    return ("", *(one.name for one in metrics_of(comparison)), *_COLUMNS, *zeros)


def shows_zeros(comparison: Comparison) -> bool:
    """Whether an fp32 file holds more than 1% zeros. Integers do not decide: rounding alone makes that many."""
    files = [one for run in comparison.runs for one in (run.baseline, *run.candidates) if not _is_quantized(one)]
    return any((one.sparsity or 0.0) > NOTABLE_SPARSITY for one in files)


def blocks(comparison: Comparison) -> tuple[Block, ...]:
    """A block for each run, baseline first."""
    with_zeros = shows_zeros(comparison)
    metrics = metrics_of(comparison)
    return tuple(_block(run, metrics, with_zeros=with_zeros) for run in comparison.runs)


def _block(run: RunResult, metrics: tuple[Metric, ...], *, with_zeros: bool) -> Block:
    def zeros(one: Figures) -> tuple[Cell, ...]:
        return _zeros(run.baseline, one) if with_zeros else ()

    own = tuple(Cell(metric.text(run.baseline)) for metric in metrics)
    baseline = Row("baseline fp32", own + _cells(run.baseline) + zeros(run.baseline), False, True)
    rows = (
        Row(
            _label(one),
            _scores(run.baseline, one, metrics) + _against(run.baseline, one) + zeros(one),
            one.delivered,
            False,
        )
        for one in run.candidates
    )
    return Block(f"{run.backend}, seed {run.seed}", (baseline, *rows))


def _is_quantized(figures: Figures) -> bool:
    return isinstance(figures, Candidate) and figures.precision != "fp32"


def _zeros(baseline: Figures, one: Figures) -> tuple[Cell, Cell]:
    if one.sparsity is None or one.compressed_bytes is None:
        return Cell("not taken"), Cell("not taken")
    relative = ""
    if one is not baseline and baseline.compressed_bytes:
        relative = f"{one.compressed_bytes / baseline.compressed_bytes:.2f}x"
    return Cell(f"{one.sparsity:.1%}"), Cell(size(one.compressed_bytes), relative)


def _label(candidate: Candidate) -> str:
    label = "compressed fp32" if candidate.precision == "fp32" else f"compressed {candidate.precision}"
    return label if candidate.within_bound else f"{label} (beyond the bound)"


def _scores(baseline: Figures, one: Candidate, metrics: tuple[Metric, ...]) -> tuple[Cell, ...]:
    """The metrics of a candidate; how it stands to the baseline is said of the primary one, which bounds refer to."""
    primary, *others = metrics
    stands = Cell(primary.text(one), primary.difference(one, baseline))
    return (stands, *(Cell(metric.text(one)) for metric in others))


def _cells(figures: Figures, relative: tuple[str, ...] = ("",) * 6) -> tuple[Cell, ...]:
    texts = (
        count(figures.params),
        count(figures.macs),
        size(figures.bytes),
        size(figures.weight_bytes),
        f"{figures.latency_ms:.3f} ms",
        f"{figures.peak_memory_mb:.0f} MB",
    )
    return tuple(Cell(text, part) for text, part in zip(texts, relative, strict=True))


def _against(baseline: Figures, one: Candidate) -> tuple[Cell, ...]:
    relative = (
        f"{one.params / baseline.params:.2f}x",
        f"{one.macs / baseline.macs:.2f}x",
        f"{one.bytes / baseline.bytes:.2f}x",
        f"{one.weight_bytes / baseline.weight_bytes:.2f}x",
        pace(one.latency_ratio),
        "",
    )
    return _cells(one, relative)


def pace(ratio: float) -> str:
    """A ratio of latencies in words: 0.5 is `2.00x faster`, 2 is `2.00x slower`."""
    return f"{1 / ratio:.2f}x faster" if ratio < 1 else f"{ratio:.2f}x slower"


def count(number: float) -> str:
    """A count with the unit that keeps it short: 1.2 k, 3.4 M, 5.6 G."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= limit:
            return f"{number / limit:.2f}{unit}"
    return f"{number:.0f}"


def size(number: float) -> str:
    """Bytes in kB (1,000 bytes) or MB."""
    return f"{number / 1e6:.2f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"
