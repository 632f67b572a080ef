"""`sensitivity`: what it prints and returns, and what it refuses before any work."""

from __future__ import annotations

import pytest
from helpers import FINETUNE, PRUNE, paredown, small_spec, write_spec
from rich.console import Console

from paredown.cli.sensitivity import only_measured
from paredown.errors import Problem, SpecError
from paredown.manager import Manager
from paredown.report.sensitivity import print_sensitivity, render
from paredown.results import Failure, Provenance, Sensitivity, SensitivityCurve, SensitivityPoint, SensitivityRun
from paredown.spec.loader import load_spec

PROVENANCE = Provenance(
    versions={"numpy": "1"}, python="3.11", system="Linux", cpu="a CPU", spec_hash="0", device="cpu", threads=1
)
RUN = SensitivityRun(
    backend="torch",
    seed=0,
    baseline=0.9,
    curves=(
        SensitivityCurve(
            group="<b>conv</b>.weight",
            layers=("<b>conv</b>",),
            channels=8,
            points=(
                SensitivityPoint(ratio=0.25, removed=2, metric=0.91, drop=-0.01),
                SensitivityPoint(ratio=0.375, removed=3, metric=0.5, drop=0.4),
            ),
        ),
    ),
    left_whole={"fc": "its outputs are the network's"},
    measured=2,
    reused=0,
    provenance=PROVENANCE,
)
FOUND = Sensitivity(
    name="any",
    metric="top1",
    criterion={"kind": "l2"},
    ratios=(0.25, 0.375),
    runs=(RUN,),
    failures=(Failure(backend="third", seed=0, error="BackendFailed", problems=(Problem("<i>it died</i>"),)),),
)


def test_the_table_holds_drops_in_points_and_what_was_left_out(capsys):
    print_sensitivity(FOUND, Console(width=160))
    shown = capsys.readouterr().out
    assert "torch, seed 0: top1 90.00% on validation with every channel" in shown
    assert [line.split() for line in shown.splitlines() if "conv" in line] == [
        ["<b>conv</b>.weight", "8", "-1.00", "40.00"]
    ]
    assert "-25%  -37.5%" in shown
    assert "fc has no curve: its outputs are the network's" in shown
    assert "third, seed 0: failed" in shown


def test_the_page_escapes_what_it_is_given_and_loads_nothing():
    page = render(FOUND)
    assert "&lt;b&gt;conv" in page
    assert "&lt;i&gt;it died" in page
    assert "<b>conv</b></td>" not in page
    assert 'src="http' not in page
    assert page.count("Plotly.newPlot") == 1


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


def measured(manager, *steps, criterion=None, ratios=None):
    """The only step that is measured by, for a spec with these steps."""
    spec = load_spec(small_spec(steps=list(steps)), manager.registry)
    (step,) = only_measured(manager, spec, criterion, ratios).steps
    return step


TAYLOR = PRUNE | {"criterion": {"kind": "taylor", "samples": 64}}
BY_SENSITIVITY = PRUNE | {"scope": "local", "allocation": {"kind": "sensitivity", "ratios": [0.3, 0.6]}}
WEIGHTS = PRUNE | {"granularity": "weight", "criterion": {"kind": "lamp"}}


def test_the_first_channel_prune_step_says_how(manager):
    step = measured(manager, FINETUNE, TAYLOR, BY_SENSITIVITY)
    assert step.criterion.model_dump()["samples"] == 64
    assert step.allocation.ratios == (0.25, 0.5, 0.75)
    assert measured(manager, BY_SENSITIVITY).allocation.ratios == (0.3, 0.6)


def test_masks_are_no_channels(manager):
    assert measured(manager, WEIGHTS, TAYLOR).criterion.kind == "taylor"


def test_options_of_the_command_win(manager):
    step = measured(manager, BY_SENSITIVITY, criterion="fpgm", ratios=(0.1, 0.9))
    assert step.criterion.kind == "fpgm"
    assert step.allocation.ratios == (0.1, 0.9)


def test_a_spec_without_pruning_needs_a_criterion(manager):
    with pytest.raises(SpecError, match="prunes no channels") as raised:
        measured(manager, FINETUNE)
    assert raised.value.problems[0].remedy == "add --criterion l2"
    assert measured(manager, FINETUNE, criterion="l2").criterion.kind == "l2"


@pytest.mark.parametrize("criterion", ["l22", "lamp"])
def test_a_criterion_that_does_not_exist_or_scores_no_channels_is_named(manager, criterion):
    with pytest.raises(SpecError) as raised:
        measured(manager, PRUNE, criterion=criterion)
    assert raised.value.problems[0].where == "--criterion"
    assert criterion in str(raised.value)


@pytest.mark.parametrize("ratios", ["0", "1", "1.5", "-0.1", "0.5,half", "0.5,", "0.5,0.50", "nan", ""])
def test_ratios_that_are_no_shares_are_refused(tmp_path, refused, ratios):
    message = refused("sensitivity", write_spec(tmp_path / "spec.yaml", small_spec()), f"--ratios={ratios}")
    assert "--ratios: these are no shares" in message


def test_wrong_input_is_refused_before_any_work(tmp_path, refused):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(steps=[FINETUNE]))
    assert "add --criterion l2" in refused("sensitivity", spec, "--out", tmp_path / "out")
    assert "--backend: there is no backend `padle`" in refused("sensitivity", spec, "--backend", "padle")
    assert not (tmp_path / "out").exists()


def test_a_missing_backend_exits_with_3_and_the_others_finish(tmp_path, ghost, baseline_cache):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(steps=[PRUNE], backends=["ghost", "torch"]))
    environment = {**ghost, "PAREDOWN_CACHE": str(baseline_cache)}
    done = paredown("sensitivity", spec, "--out", tmp_path / "out", "--ratios", "0.5", "--quiet", env=environment)
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    assert "pip install ghost-framework" in done.stdout
    found = Sensitivity.model_validate_json((tmp_path / "out" / "sensitivity.json").read_text())
    assert [run.backend for run in found.runs] == ["torch"]
    assert {len(curve.points) for curve in found.runs[0].curves} == {1}
    alone = paredown("sensitivity", spec, "--backend", "ghost", "--out", tmp_path / "none", "--quiet", env=environment)
    assert alone.returncode == 3
    assert alone.stderr.startswith("error: the backend `ghost` is not installed\n")
    assert not (tmp_path / "none").exists()
