"""Every way to prune that makes sense is accepted; the examples are such ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paredown.errors import SpecError
from paredown.manager import Manager
from paredown.registry import Registry
from paredown.spec.loader import load_spec, require_complete
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, Spec

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAIN = {"epochs": 4, "optimizer": {"kind": "sgd", "lr": 0.01}}
TWO_FOUR = {"kind": "prune", "criterion": {"kind": "l1"}, "granularity": "n_m", "n": 2, "m": 4}
FINETUNE = {"kind": "finetune", "train": TRAIN}
GROWTH = {
    "kind": "prune",
    "criterion": {"kind": "lamp"},
    "granularity": "weight",
    "ratio": 0.8,
    "schedule": {"kind": "cubic"},
}


def prune(criterion: str = "l2", **fields: Any) -> dict[str, Any]:
    return {"kind": "prune", "criterion": {"kind": criterion}, **fields}


def loaded(registry: Registry, quickstart: dict[str, Any], *steps: dict[str, Any]) -> Spec:
    return load_spec({**quickstart, "steps": list(steps)}, registry)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("**/*.yaml")), ids=lambda file: file.stem)
def test_every_example_is_a_complete_spec_for_both_backends(file: Path) -> None:
    spec = load_spec(file, Manager.discover().registry)
    require_complete(spec)
    assert spec.name == file.stem
    assert spec.backends == ("torch", "paddle")


def test_the_examples_show_every_granularity_amount_and_time() -> None:
    registry = Manager.discover().registry
    steps = [step for file in EXAMPLES.glob("pruning/*.yaml") for step in load_spec(file, registry).steps]
    inner = [one for step in steps if isinstance(step, FinetuneStep | DistillStep) for one in step.during]
    pruned = [step for step in (*steps, *inner) if isinstance(step, PruneStep)]
    assert {step.granularity for step in pruned} == {"channel", "weight", "n_m"}
    assert {step.allocation.kind for step in pruned} == {"uniform", "sensitivity"}
    assert any(step.rounds > 1 for step in pruned)
    assert any(step.keep for step in pruned)
    assert any(step.schedule for step in inner if isinstance(step, PruneStep))


@pytest.mark.parametrize("criterion", ["l1", "l2", "fpgm", "bn_scale", "taylor", "activation", "random"])
def test_a_criterion_of_channels_prunes_channels(
    criterion: str, registry: Registry, quickstart: dict[str, Any]
) -> None:
    loaded(registry, quickstart, prune(criterion, ratio=0.5))


@pytest.mark.parametrize("criterion", ["l1", "l2", "lamp", "random"])
def test_a_criterion_of_weights_prunes_weights(criterion: str, registry: Registry, quickstart: dict[str, Any]) -> None:
    loaded(registry, quickstart, prune(criterion, granularity="weight", ratio=0.9))


@pytest.mark.parametrize("measure", ["macs", "params", "bytes"])
def test_channels_take_any_target(measure: str, registry: Registry, quickstart: dict[str, Any]) -> None:
    step = prune(keep={measure: 0.3}, round_to=8, rounds=3, recover=TRAIN)
    assert loaded(registry, quickstart, step).steps[0].keep.model_dump(exclude_none=True) == {measure: 0.3}


def test_the_classifier_is_protected_unless_protect_says_otherwise(
    registry: Registry, quickstart: dict[str, Any]
) -> None:
    spec = loaded(registry, quickstart, prune(ratio=0.5), prune(ratio=0.5, protect=[]))
    assert [selector.roles for selector in spec.steps[0].protect] == [("classifier",)]
    assert spec.steps[1].protect == ()


def test_selectors_are_globs_and_regular_expressions(registry: Registry, quickstart: dict[str, Any]) -> None:
    names = ["layer3.*", r"re:layer\d+\.0\..*"]
    step = prune(ratio=0.5, overrides=[{"select": {"names": names, "types": ["conv"]}, "ratio": 0.2}])
    assert loaded(registry, quickstart, step).steps[0].overrides[0].select.names == tuple(names)


def test_a_spec_with_its_defaults_written_out_is_still_right(registry: Registry, quickstart: dict[str, Any]) -> None:
    growing = {**FINETUNE, "during": [GROWTH]}
    spec = loaded(registry, quickstart, prune(granularity="weight", ratio=0.5), growing, TWO_FOUR)
    assert load_spec(spec, registry) == spec


@pytest.mark.parametrize("schedule", [{}, {"begin": 2.9}, {"begin": 0, "end": 4}, {"begin": 0.5, "end": 1, "every": 1}])
def test_masks_grow_inside_any_training(
    schedule: dict[str, Any], registry: Registry, quickstart: dict[str, Any]
) -> None:
    during = [{**GROWTH, "schedule": {"kind": "cubic", **schedule}}]
    taught = {"kind": "distill", "losses": [{"kind": "kl"}], "train": TRAIN, "during": during}
    loaded(registry, quickstart, taught, {**FINETUNE, "during": during})


@pytest.mark.parametrize("change", [{"during": [GROWTH]}, {"train": {**TRAIN, "bn_l1": 0.001}}])
def test_a_first_step_may_distil_by_kl_alone_where_something_else_changes_the_student(
    change: dict[str, Any], registry: Registry, quickstart: dict[str, Any]
) -> None:
    step = {"kind": "distill", "losses": [{"kind": "kl"}], "train": TRAIN}
    with pytest.raises(SpecError, match="its own teacher"):
        loaded(registry, quickstart, step)
    loaded(registry, quickstart, {**step, **change})


def test_sensible_orders_are_accepted(registry: Registry, quickstart: dict[str, Any]) -> None:
    channels, weights = prune(ratio=0.25), prune(granularity="weight", ratio=0.5)
    stricter = {**TWO_FOUR, "n": 1}
    quantize = quickstart["steps"][2]
    for steps in (
        (channels, FINETUNE, channels, FINETUNE, quantize),
        (weights, FINETUNE, channels, TWO_FOUR, quantize),
        (channels, TWO_FOUR, FINETUNE, stricter, {**FINETUNE, "during": [GROWTH]}),
        (TWO_FOUR, weights, FINETUNE, quantize),
    ):
        loaded(registry, quickstart, *steps)


def test_all_mistakes_of_one_step_are_told_at_once(registry: Registry, quickstart: dict[str, Any]) -> None:
    step = prune("taylor", granularity="weight", keep={"params": 0.5}, round_to=8, protect=[{}])
    with pytest.raises(SpecError) as caught:
        loaded(registry, quickstart, step)
    assert [problem.where for problem in caught.value.problems] == [
        "steps[0].criterion.kind",
        "steps[0].keep",
        "steps[0].round_to",
        "steps[0].protect[0]",
    ]
