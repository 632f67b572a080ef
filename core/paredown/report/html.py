"""The comparison as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown import files
from paredown.report.pictures import EXPLAINED as PICTURES_EXPLAINED
from paredown.report.pictures import Galleries, galleries, read_all_pictures
from paredown.report.plots import latency_plot, size_plot
from paredown.report.quantization import EFFECTIVE_BITS, EXPLAINED, noise_plot, noise_rows, weight_words
from paredown.report.rows import ZEROS_NOTE, blocks, columns, count, shows_zeros
from paredown.results import Comparison, StepRecord

if TYPE_CHECKING:
    from jinja2 import Environment

    from paredown.manager import Manager

REPORT = "report.html"
ANALYSIS = "analysis"
"""The evidence that is plotted layer by layer, and not listed."""


def write_report(comparison: Comparison, out: Path, manager: Manager) -> Path:
    """Writes `report.html` and returns its path; plugins add sections through `report_sections`.

    Raises:
        ArtifactError: The pictures of a run are missing or damaged.
    """
    path = out / REPORT
    shown = galleries(comparison, read_all_pictures(comparison, out))
    files.write_text(path, render(comparison, manager.report_sections(comparison), shown))
    return path


def render(comparison: Comparison, sections: list[tuple[str, str]], shown: Galleries = Galleries()) -> str:  # noqa: B008
    """The page as text; everything that comes from a spec or a plugin is escaped."""
    page: str = (
        environment()
        .get_template("report.html.j2")
        .render(
            comparison=comparison,
            columns=columns(comparison),
            blocks=blocks(comparison),
            zeros_note=ZEROS_NOTE if shows_zeros(comparison) else "",
            plots=_plots(comparison),
            noises=_noises(comparison),
            noise_explained=EXPLAINED,
            describe=describe,
            baselines=_baselines(comparison),
            galleries=shown,
            pictures_explained=PICTURES_EXPLAINED,
            sections=sections,
        )
    )
    return page


def _baselines(comparison: Comparison) -> str:
    """Where the baselines of several backends come from."""
    trainers = {run.provenance.trained_on for run in comparison.runs}
    if trainers <= {None}:
        return ""
    shared = (comparison.spec.get("baseline") or {}).get("train_on")
    if shared is None or trainers != {shared}:
        return "Each backend trains a baseline of its own, and every decision follows the weights that it is made on."
    digests = {(run.seed, run.provenance.baseline_digest) for run in comparison.runs}
    if any(digest is None for _, digest in digests):
        return f"The baselines of all backends were trained on {shared}."
    if len(digests) == len({seed for seed, _ in digests}):
        return f"All backends start from one baseline, which {shared} trained."
    return (
        f"The baselines of all backends were trained on {shared}, but not once for all: those of one seed differ, so"
        " the backends start from other weights."
    )


def environment() -> Environment:
    """Where the pages' templates come from; what they are given is escaped, and what is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("paredown.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return found


def describe(step: StepRecord) -> list[tuple[str, str]]:
    """What a step did, as pairs of a name and a short text."""
    return [
        (name.replace("_", " "), weight_words(value) if name == EFFECTIVE_BITS else _shown(value))
        for name, value in step.evidence.items()
        if name != ANALYSIS
    ]


def _shown(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        return f"{_shown(value['before'])} → {_shown(value['after'])}"
    if isinstance(value, dict) and _repeats_reasons(value):
        return "; ".join(f"{reason}: {', '.join(_of(value, reason))}" for reason in dict.fromkeys(value.values()))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(part) for part in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return count(value) if isinstance(value, int) else str(value)


def _repeats_reasons(value: dict[str, Any]) -> bool:
    """Whether texts are given to names, some of them to several: then each is said once."""
    return all(isinstance(one, str) for one in value.values()) and len(set(value.values())) < len(value)


def _of(reasons: dict[str, str], reason: str) -> list[str]:
    return [name for name, one in reasons.items() if one == reason]


def _noises(comparison: Comparison) -> list[tuple[str, str, list[tuple[str, str, str, str]]]]:
    """For each step that was analysed its title, the plot and the table of its layers' noise."""
    return [
        (
            f"{run.backend}, seed {run.seed}, step {step.index + 1}",
            noise_plot(step.evidence[ANALYSIS], with_library=False),
            noise_rows(step.evidence[ANALYSIS]),
        )
        for run in comparison.runs
        for step in run.steps
        if step.evidence.get(ANALYSIS)
    ]


def _plots(comparison: Comparison) -> list[str]:
    if not comparison.runs:
        return []
    return [latency_plot(comparison, with_library=True), size_plot(comparison, with_library=False)]
