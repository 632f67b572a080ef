"""What a spec may ask of quantization, and presets, which read like the frameworks' own."""

from __future__ import annotations

from typing import Any

import pytest

from paredown.registry import Registry
from paredown.spec.components import MinMaxObserver
from paredown.spec.loader import load_spec
from paredown.spec.models import QuantizeActivations, QuantizeStep, QuantizeWeights
from paredown.spec.presets import with_presets

OBSERVED = {"observer": {"kind": "minmax"}}


def quantizing(quickstart: dict[str, Any], **settings: Any) -> dict[str, Any]:
    quickstart["steps"] = [{"kind": "quantize", **settings}]
    return quickstart


def training(quickstart: dict[str, Any], **settings: Any) -> dict[str, Any]:
    train = {"epochs": 3, "optimizer": {"kind": "sgd", "lr": 0.01}}
    quickstart["steps"] = [{"kind": "finetune", "train": train, "during": [{"kind": "quantize", **settings}]}]
    return quickstart


@pytest.mark.parametrize(
    "settings",
    [
        {"activations": OBSERVED, "weights": {"bits": bits, "symmetric": symmetric, "granularity": granularity}}
        | ({} if granularity != "group" else {"weights": {"bits": bits, "granularity": "group", "group_size": 32}})
        for bits, symmetric in ((8, True), (8, False), (4, True), (4, False), (2, True), (1, True))
        for granularity in ("tensor", "channel", "group")
    ]
    + [
        {"activations": {**OBSERVED, "bits": bits, "symmetric": symmetric}}
        for bits in (16, 8, 4)
        for symmetric in (True, False)
    ]
    + [{"mode": "dynamic"}, {"mode": "weight_only", "weights": {"bits": 4}}, {"mode": "fp16"}]
    + [{"mode": "weight_only", "analysis": True, "calibration": {"samples": 8}}]
    + [{"activations": OBSERVED, "corrections": [{"kind": "equalization"}, {"kind": "adaround"}]}],
    ids=str,
)
def test_these_are_valid(registry: Registry, quickstart: dict[str, Any], settings: dict[str, Any]) -> None:
    assert load_spec(quantizing(quickstart, **settings), registry).steps


def test_a_preset_becomes_explicit_fields(registry: Registry, quickstart: dict[str, Any]) -> None:
    step = load_spec(training(quickstart, preset="paddleslim_qat"), registry).steps[0].during[0]  # type: ignore[attr-defined]
    assert (step.mode, step.weights.granularity, step.weights.bits) == ("qat", "channel", 8)
    assert (step.activations.symmetric, step.activations.observer.kind) == (True, "moving_average")
    assert {"mode", "weights", "activations"} <= step.model_fields_set


def test_what_is_written_beside_a_preset_wins_over_it(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = training(quickstart, preset="paddleslim_qat", weights={"bits": 4}, activations={"symmetric": False})
    step = load_spec(spec, registry).steps[0].during[0]  # type: ignore[attr-defined]
    assert (step.weights.bits, step.weights.granularity) == (4, "channel")
    assert (step.activations.symmetric, step.activations.observer.kind) == (False, "moving_average")


def test_a_mode_without_activations_takes_none_of_the_presets(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = quantizing(quickstart, preset="torch_default", mode="weight_only")
    step = load_spec(spec, registry).steps[0]
    assert (step.mode, step.activations) == ("weight_only", None)  # type: ignore[attr-defined]


def test_another_observer_takes_none_of_the_presets_options(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = training(quickstart, preset="paddleslim_qat", activations={"observer": {"kind": "minmax"}})
    step = load_spec(spec, registry).steps[0].during[0]  # type: ignore[attr-defined]
    assert step.activations.observer.model_dump() == {"kind": "minmax"}


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (QuantizeStep(preset="torch_default"), {}),
        (QuantizeStep(preset="torch_default", weights=QuantizeWeights(bits=4)), {"weights": {"bits": 4}}),
        (QuantizeStep(preset="torch_default", mode="weight_only"), {"mode": "weight_only"}),
        (
            QuantizeStep(preset="torch_default", activations=QuantizeActivations(bits=4, observer=MinMaxObserver())),
            {"activations": {"bits": 4, "observer": {"kind": "minmax"}}},
        ),
    ],
    ids=str,
)
def test_a_preset_in_a_spec_made_in_python_is_that_of_a_written_one(
    registry: Registry, quickstart: dict[str, Any], made: QuantizeStep, written: dict[str, Any]
) -> None:
    expected = load_spec(quantizing(quickstart, preset="torch_default", **written), registry)
    assert load_spec(expected.model_copy(update={"steps": (made,)}), registry) == expected


def test_a_spec_that_was_read_reads_again_as_the_same(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = load_spec(quantizing(quickstart, preset="torch_default"), registry)
    assert load_spec(spec, registry) == spec


@pytest.mark.parametrize("data", [None, [], {"steps": 3}, {"steps": [3, {"during": 4}]}], ids=str)
def test_what_is_no_spec_goes_through_to_the_checks(data: Any) -> None:
    assert with_presets(data) == data
