"""Metrics as the report shows them: in percent where they are shares, as numbers otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paredown.results import Comparison, Figures


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name; `is_share` where all of its values in a comparison are."""

    name: str
    is_share: bool

    def text(self, figures: Figures) -> str:
        """What a file has."""
        value = figures.metrics.get(self.name)
        if value is None:
            return "not taken"
        return f"{value:.2%}" if self.is_share else f"{value:.4g}"

    def difference(self, figures: Figures, baseline: Figures) -> str:
        """What a file has more than the baseline's, in percentage points where it is a share."""
        if self.name not in figures.metrics or self.name not in baseline.metrics:
            return ""
        more = figures.metrics[self.name] - baseline.metrics[self.name]
        return f"{100 * more:+.2f}" if self.is_share else f"{more:+.4g}"


def metrics_of(comparison: Comparison) -> tuple[Metric, ...]:
    """The primary metric, then the others in the order of the results."""
    files = [one for run in comparison.runs for one in (run.baseline, *run.candidates)]
    names = dict.fromkeys([comparison.primary, *(name for one in files for name in one.metrics)])
    return tuple(Metric(name, is_share(one.metrics[name] for one in files if name in one.metrics)) for name in names)


def is_share(values: Iterable[float]) -> bool:
    """Whether all lie between 0 and 1, as the metrics of tasks do; those of a caller may be anything."""
    return all(0 <= value <= 1 for value in values)
