"""The report: one page that needs nothing else, the table, and nothing in it that was not escaped."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from paredown import files
from paredown.engine.run_files import PICTURES
from paredown.errors import Problem
from paredown.report.html import describe, render
from paredown.report.pictures import Galleries, galleries, read_all_pictures
from paredown.report.rows import blocks, columns, count, pace, size
from paredown.report.terminal import print_comparison
from paredown.results import (
    Agreement,
    Candidate,
    Comparison,
    Failure,
    Figures,
    Picture,
    Pictures,
    Provenance,
    RunResult,
    Shown,
    ShownObject,
    StepRecord,
)

BASELINE = {
    "metrics": {"top1": 0.98},
    "params": 272_186,
    "macs": 2_532_992,
    "bytes": 1_089_615,
    "weight_bytes": 1_085_608,
    "latency_ms": 0.2,
    "peak_memory_mb": 81.0,
    "sparsity": 0.0,
    "compressed_bytes": 1_000_000,
}
SMALLER = BASELINE | {"metrics": {"top1": 0.975}, "params": 71_498, "macs": 626_622, "bytes": 88_962}


def run_of(backend: str) -> RunResult:
    int8 = Candidate(
        **SMALLER | {"latency_ms": 0.1},
        name="int8",
        file="onnx/int8.onnx",
        precision="int8",
        validation={"top1": 0.97},
        simulated={"top1": 0.9751},
        latency_ratio=0.5,
        agreement=1.0,
        within_bound=True,
        delivered=True,
    )
    fp32 = int8.model_copy(update={"name": "fp32", "precision": "fp32", "delivered": False, "within_bound": False})
    return RunResult(
        backend=backend,
        seed=0,
        baseline=Figures(**BASELINE),
        final=Figures(**SMALLER),
        delivered="onnx/int8.onnx",
        baseline_file="onnx/baseline-fp32.onnx",
        candidates=(fp32, int8),
        steps=(
            StepRecord(
                index=0,
                kind="prune",
                plan="plan-0.json",
                weights="weights-0.safetensors",
                seconds=1.0,
                evidence={"channels": {"before": 448, "after": 224}, "left_whole": {"fc": "<b>output</b>"}},
            ),
        ),
        notes=("a note & more",),
        provenance=Provenance(
            versions={}, python="3.11", system="Linux", cpu="a CPU", spec_hash="0", device="cpu", threads=1
        ),
    )


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison(
        name="<script>name</script>",
        spec={"version": 1, "name": "any"},
        primary="top1",
        runs=(run_of("torch"), run_of("paddle")),
        failures=(Failure(backend="third", seed=0, error="BackendFailed", problems=(Problem("<i>it died</i>"),)),),
        agreement=(
            Agreement(
                backends=("torch", "paddle"),
                seed=0,
                predictions=0.98,
                kept_channels={"plan-0.json": None},
                metric_difference={"top1": 0.01},
            ),
        ),
    )


@pytest.fixture(scope="module")
def page(comparison) -> str:
    return render(comparison, [("a plugin's <section>", "its <text>")])


def test_the_page_loads_nothing_from_elsewhere(page):
    assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[^>]*>", page) == []
    assert "Plotly.newPlot" in page


@pytest.mark.parametrize(
    ("baseline", "trained_on", "digests", "said"),
    [
        ({"epochs": 0, "train_on": None}, None, "aa", None),
        ({"epochs": 1, "train_on": "torch"}, None, (None, None), None),
        (None, None, (None, None), None),
        (None, "torch", (None, None), "Each backend trains a baseline of its own"),
        (
            {"epochs": 1, "train_on": "torch"},
            "torch",
            "aa",
            "All backends start from one baseline, which torch trained",
        ),
        ({"epochs": 1, "train_on": "torch"}, "torch", "ab", "those of one seed differ"),
        ({"epochs": 1, "train_on": "torch"}, "torch", (None, "a"), "of all backends were trained on torch."),
    ],
)
def test_the_page_says_where_baselines_come_from_as_far_as_the_results_tell(
    comparison, baseline, trained_on, digests, said
):
    runs = tuple(
        run.model_copy(
            update={
                "provenance": run.provenance.model_copy(update={"trained_on": trained_on, "baseline_digest": digest})
            }
        )
        for run, digest in zip(comparison.runs, digests, strict=True)
    )
    spec = {"name": "any"} if baseline is None else {"name": "any", "baseline": baseline}
    text = render(comparison.model_copy(update={"runs": runs, "spec": spec}), [])
    notes = [note for note in ("baseline of its own", "one baseline", "baselines of all") if note in text]
    assert (said in text) if said else notes == []


def test_the_page_escapes_names_evidence_errors_and_sections(page):
    for text in ("&lt;script&gt;name", "&lt;b&gt;output", "&lt;i&gt;it died", "its &lt;text&gt;", "a note &amp; more"):
        assert text in page
    assert "<script>name" not in page


def test_the_page_marks_the_delivered_row_and_says_what_each_step_did(page):
    assert page.count('<tr class="delivered"><td>compressed int8</td>') == 2
    assert "448 → 224" in page
    assert "other groups" in page


def test_rows_say_how_a_file_stands_to_the_baseline(comparison):
    baseline, fp32, int8 = blocks(comparison)[0].rows
    assert [str(cell) for cell in baseline.cells][:2] == ["98.00%", "272.19 k"]
    assert [str(cell) for cell in int8.cells] == [
        "97.50% (-0.50)",
        "71.50 k (0.26x)",
        "626.62 k (0.25x)",
        "89.0 kB (0.08x)",
        "1.09 MB (1.00x)",
        "0.100 ms (2.00x faster)",
        "81 MB",
    ]
    assert fp32.label == "compressed fp32 (beyond the bound)"


def test_the_terminal_shows_both_backends_and_the_failure(comparison, capsys):
    print_comparison(comparison.model_copy(update={"name": "any"}), Console(width=160))
    shown = capsys.readouterr().out
    assert "> compressed int8" in shown
    assert "agree on 98.0% of the test images" in shown
    assert "third, seed 0: failed" in shown


def measured(comparison: Comparison, **metrics: float) -> Comparison:
    """The same, all of its files with these metrics beside."""
    runs = []
    for run in comparison.runs:
        files_of = [
            one.model_copy(update={"metrics": one.metrics | metrics}) for one in (run.baseline, *run.candidates)
        ]
        runs.append(run.model_copy(update={"baseline": files_of[0], "candidates": tuple(files_of[1:])}))
    return comparison.model_copy(update={"name": "any", "runs": tuple(runs)})


def test_the_first_columns_are_the_metrics_by_name_in_percent_where_they_are_shares(comparison):
    several = measured(comparison, top5=1.0, own=-3.25)
    assert columns(several)[:5] == ("", "top1", "top5", "own", "params")
    baseline, _, int8 = blocks(several)[0].rows
    assert [str(cell) for cell in baseline.cells][:3] == ["98.00%", "100.00%", "-3.25"]
    assert [str(cell) for cell in int8.cells][:3] == ["97.50% (-0.50)", "100.00%", "-3.25"]
    for column in columns(several):
        assert f"<th>{column}</th>" in render(several, [])
    own = several.model_copy(update={"primary": "own"})
    assert columns(own)[1] == "own"
    assert str(blocks(own)[0].rows[2].cells[0]) == "-3.25 (+0)"


def test_an_agreement_of_nothing_is_not_one_of_everything(comparison, capsys):
    (torch, paddle), (between,) = comparison.runs, comparison.agreement
    blind = torch.model_copy(
        update={"candidates": tuple(one.model_copy(update={"agreement": None}) for one in torch.candidates)}
    )
    nothing = comparison.model_copy(
        update={"runs": (blind, paddle), "agreement": (between.model_copy(update={"predictions": None}),)}
    )
    assert render(nothing, []).count("nothing to compare") == 3
    print_comparison(nothing, Console(width=160))
    assert "nothing to compare" in capsys.readouterr().out


def test_a_comparison_without_runs_is_a_page_too(comparison):
    page = render(comparison.model_copy(update={"runs": (), "agreement": ()}), [])
    assert "Plotly" not in page
    assert "third, seed 0 failed" in page


@pytest.mark.parametrize(
    ("found", "wanted"),
    [(count(999), "999"), (count(1200), "1.20 k"), (size(999_999), "1000.0 kB"), (pace(2), "2.00x slower")],
)
def test_units(found, wanted):
    assert found == wanted


def with_zeros(comparison: Comparison, share: float) -> Comparison:
    """The same, its fp32 files with this share of zeros."""
    runs = []
    for run in comparison.runs:
        fp32, int8 = run.candidates
        fp32 = fp32.model_copy(update={"sparsity": share, "compressed_bytes": 250_000})
        runs.append(run.model_copy(update={"candidates": (fp32, int8)}))
    return comparison.model_copy(update={"name": "any", "runs": tuple(runs)})


def test_zeros_are_shown_with_what_they_are_worth_and_claim_no_speed(comparison, capsys):
    sparse = with_zeros(comparison, 0.9)
    baseline, fp32, _ = blocks(sparse)[0].rows
    assert columns(sparse)[-2:] == ("zeros", "zstd")
    assert [str(cell) for cell in baseline.cells[-2:]] == ["0.0%", "1.00 MB"]
    assert [str(cell) for cell in fp32.cells[-2:]] == ["90.0%", "250.0 kB (0.25x)"]
    print_comparison(sparse, Console(width=200))
    assert "no speed is claimed" in " ".join(capsys.readouterr().out.split())
    assert "no speed is claimed" in render(sparse, [])


def test_without_notable_zeros_nothing_is_said_of_them(comparison, page):
    assert "zstd" not in page
    assert "zstd" not in render(with_zeros(comparison, 0.01), [])


def test_zeros_that_an_earlier_version_did_not_count_are_not_called_none(comparison):
    sparse = with_zeros(comparison, 0.9)
    (run, *_) = sparse.runs
    older = run.model_copy(update={"baseline": run.baseline.model_copy(update={"compressed_bytes": None})})
    baseline, fp32, _ = blocks(sparse.model_copy(update={"runs": (older,)}))[0].rows
    assert [str(cell) for cell in baseline.cells[-2:]] == ["not taken", "not taken"]
    assert str(fp32.cells[-1]) == "250.0 kB"


def seen(image: str = "aW1hZ2U=", score: float = 0.875) -> Pictures:
    """One image on which the delivered file is less sure of an object than the baseline, and sees another map."""
    known = ShownObject(box=(4, 5, 14, 17), label=3, crowd=True)
    found = ShownObject(box=(4.5, 5, 14, 17), label=3, score=score, mask="bWFzaw==")
    before, after = Shown(objects=(found,)), Shown(class_map="bWFw")
    picture = Picture(index=0, image=image, truth=Shown(objects=(known,)), baseline=before, delivered=after)
    return Pictures(height=32, width=48, classes=(3,), pictures=(picture,))


def test_the_page_shows_what_is_true_and_what_both_files_of_each_backend_see(comparison):
    shown = galleries(comparison, {("torch", 0): seen(), ("paddle", 0): seen(score=0.5)})
    page = render(comparison, [], shown)
    columns = ["image", "truth", "torch baseline", "torch delivered, int8", "paddle baseline", "paddle delivered, int8"]
    assert "".join(f"<th>{name}</th>" for name in columns) in page
    assert page.count("aW1hZ2U=") == 1  # the image stands in the page once, however often it is drawn on
    assert page.count('<use href="#picture-0"/>') == len(columns)
    for title in ("class 3, a crowd", "class 3, score 0.88", "class 3, score 0.50"):
        assert page.count(f"<title>{title}</title>") == 1
    assert 'class="crowd" x="4.0" y="5.0" width="10.0" height="12.0"' in page
    assert page.count("base64,bWFzaw==") == page.count("base64,bWFw") == 2
    assert 'aria-label="image 0, torch baseline: 1 object"' in page
    assert set(re.findall(r'<(?:image|use)\b[^>]*\bhref="([^";]*)', page)) == {"#picture-0", "data:image/png"}


def test_what_pictures_hold_is_escaped(comparison):
    page = render(comparison, [], galleries(comparison, {("torch", 0): seen('"><script>alert()</script>')}))
    assert "<script>alert" not in page


def test_runs_that_saw_other_images_are_not_put_side_by_side(comparison):
    shown = galleries(comparison, {("torch", 0): seen(), ("paddle", 0): seen("b3RoZXI=")})
    assert [len(one.columns) for one in shown.of_seeds] == [4, 4]
    assert [row.image for one in shown.of_seeds for row in one.rows] == [0, 1]


def test_without_pictures_the_page_is_as_it_was(comparison, page):
    assert "What the files see" not in page
    assert "<use" not in page
    assert galleries(comparison, {}) == Galleries()


def test_pictures_are_read_from_the_runs_that_name_them(comparison, tmp_path):
    torch, paddle = comparison.runs
    files.write_json(tmp_path / "torch" / "seed-0" / PICTURES, seen().model_dump(mode="json"))
    named = comparison.model_copy(update={"runs": (torch.model_copy(update={"pictures": PICTURES}), paddle)})
    assert read_all_pictures(named, tmp_path) == {("torch", 0): seen()}
    assert read_all_pictures(comparison, tmp_path) == {}


def test_a_reason_that_many_layers_share_is_said_once():
    reasons = {
        "head": "it is the network's",
        "a.1": "it ranks above",
        "box": "it is the network's",
        "a.2": "it ranks above",
    }
    step = StepRecord(
        index=0,
        kind="prune",
        plan=None,
        weights="w",
        seconds=1.0,
        evidence={"left_whole": reasons, "cut_by": {"a": "x"}},
    )
    assert describe(step) == [
        ("left whole", "it is the network's: head, box; it ranks above: a.1, a.2"),
        ("cut by", "a: x"),
    ]


QUANTIZED = {
    "effective_bits": {
        "target": "portable",
        "integers": [
            {"range": [-64, 64], "levels": 129, "bits": 7.01, "layers": 20},
            {"range": [-1, 1], "levels": 2, "bits": 1.0, "layers": 1},
        ],
    }
}


def test_page_and_terminal_say_how_wide_weights_are(comparison, capsys):
    step = comparison.runs[0].steps[0].model_copy(update={"kind": "quantize", "evidence": QUANTIZED})
    quantized = comparison.model_copy(update={"runs": (comparison.runs[0].model_copy(update={"steps": (step,)}),)})
    words = "7 bits (-64 to 64) in 20 layers, 1 bit (-1 or 1) in 1 layer, for portable"
    assert words in render(quantized, [])
    print_comparison(quantized, Console(width=200))
    assert f"torch, seed 0: step 1: weights of {words}" in capsys.readouterr().out
