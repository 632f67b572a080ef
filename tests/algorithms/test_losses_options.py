"""The options of the losses: what core declares, what it refuses, and that both agree with the functions."""

from __future__ import annotations

import pytest
from loss_cases import ON_FEATURES, ON_LABELS, OPTIONS
from pydantic import ValidationError

from paredown.builtin import register_components
from paredown.manager import Manager
from paredown.spec.losses import FspLoss, LossSchedule, TapPair

LOSSES = {one.name: one for one in register_components() if one.slot == "distill_loss"}
TAPS = [{"student": "layer2"}, {"student": "layer3", "teacher": "layer4"}]


def made(name, **options):
    """The options of a loss, with taps where it takes any."""
    taps = {"taps": TAPS} if name in ON_FEATURES else {}
    return LOSSES[name].config(**taps, **options)


def test_every_loss_has_its_cases():
    assert set(LOSSES) == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_loss_takes_the_options_that_its_cases_set(name):
    options = made(name, **OPTIONS[name]).model_dump(exclude={"kind", "weight", "schedule", "taps", "projection"})
    assert options == OPTIONS[name]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_loss_says_what_it_reads(name):
    entry = Manager().registry.components["distill_loss", name]
    on_labels = name == "hard_label" or name in ON_LABELS
    assert entry.reads == ("features" if name in ON_FEATURES else "labels" if on_labels else "outputs")


@pytest.mark.parametrize("name", ON_FEATURES)
def test_features_need_taps(name):
    with pytest.raises(ValidationError, match="taps"):
        LOSSES[name].config()


def test_a_flow_needs_two_taps():
    with pytest.raises(ValidationError, match="at least 2"):
        FspLoss(taps=TAPS[:1])


def test_the_teachers_layer_is_the_namesake_of_the_students_by_default():
    assert made("rkd").taps == (TapPair(student="layer2"), TapPair(student="layer3", teacher="layer4"))
    assert made("rkd").taps[0].teacher is None


@pytest.mark.parametrize(
    ("name", "option"),
    [("mse", "weight"), ("dkd", "alpha"), ("dkd", "beta"), ("dist", "beta"), ("dist", "gamma"), ("rkd", "distance")],
)
def test_factors_are_not_negative(name, option):
    assert getattr(made(name, **{option: 0}), option) == 0
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        made(name, **{option: -0.1})


@pytest.mark.parametrize("name", ["kl", "soft_cross_entropy", "dkd", "dist", "cwd"])
def test_a_temperature_is_above_zero(name):
    with pytest.raises(ValidationError, match="greater than 0"):
        made(name, temperature=0)


def test_a_schedule_needs_a_shape_and_both_ends():
    schedule = {"kind": "cosine", "start": 1, "end": 0, "finish": 2.5}
    assert made("kl", schedule=schedule).schedule == LossSchedule(kind="cosine", start=1, end=0, finish=2.5)
    for missing in ("kind", "start", "end"):
        with pytest.raises(ValidationError, match=missing):
            made("kl", schedule={key: value for key, value in schedule.items() if key != missing})
