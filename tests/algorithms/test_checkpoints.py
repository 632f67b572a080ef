"""How a checkpoint's arrays are found in it, and how their names are fitted to a network's."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.checkpoints import fit, report, unwrapped, without_prefix
from paredown.errors import WeightsError

W, B = np.zeros((4, 3), np.float32), np.zeros(4, np.float32)
OWN = {"conv.weight": W, "conv.bias": B, "head.weight": W, "head.bias": B}


def is_array(value):
    return isinstance(value, np.ndarray)


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ({"w": W}, ()),
        ({"state_dict": {"w": W}, "epoch": 3}, ("took `state_dict`, left `epoch`",)),
        ({"optimizer": {"lr": 1}, "model": {"w": W}}, ("took `model`, left `optimizer`",)),
        ({"ema": {"module": {"w": W}}}, ("took `ema`", "took `module`")),
        ({"epoch": 3, "state_dict": {"w": W}, "best": B}, ("took `state_dict`, left `epoch`, `best`",)),
        ({"state_dict": {}, "params": {"lr": 1}, "w": W}, ("left out what is no array: `state_dict`, `params`",)),
        ({"model": {"lr": 1}, "ema": {"w": W}}, ("took `ema`, left `model`",)),
        ({"w": W, "step": 5}, ("left out what is no array: `step`",)),
    ],
)
def test_arrays_are_found_within_what_people_wrap_them_in(content, notes):
    arrays, said = unwrapped(content, is_array)
    assert list(arrays) == ["w"]
    assert said == notes


@pytest.mark.parametrize("content", [{}, [W], W, {"epoch": 1}, {"model": {}}, None])
def test_a_file_without_named_arrays_is_refused(content):
    with pytest.raises(WeightsError, match="no arrays under names"):
        unwrapped(content, is_array)


def test_a_file_that_holds_itself_or_nests_without_end_is_read_or_refused():
    itself = {"epoch": 1}
    itself["state_dict"] = itself
    with pytest.raises(WeightsError, match="no arrays under names"):
        unwrapped(itself, is_array)
    assert list(unwrapped(itself | {"w": W}, is_array)[0]) == ["w"]
    itself["w"] = W
    assert list(unwrapped(itself, is_array)[0]) == ["w"]
    deep = {"w": W}
    for _ in range(5000):
        deep = {"model": deep}
    with pytest.raises(WeightsError, match="no arrays under names"):
        unwrapped(deep, is_array)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.module."])
def test_a_prefix_of_every_name_is_removed_and_told(prefix):
    found, notes = without_prefix({prefix + name: values for name, values in OWN.items()}, OWN)
    assert list(found) == list(OWN)
    assert [f"`{part}.`" in note for part, note in zip(prefix.split("."), notes, strict=False)] == [True] * len(notes)


def test_a_first_part_that_the_network_has_too_is_no_prefix():
    arrays = {"conv.weight": W, "conv.bias": B}
    assert without_prefix(arrays, OWN) == (arrays, ())


def test_what_fits_and_what_does_not_is_told_name_by_name_with_the_nearest():
    given = {"conv.wieght": W, "conv.bias": np.zeros(5, np.float32), "head.weight": np.zeros((9, 3), np.float32)}
    given |= {"head.bias": np.zeros(9, np.float32), "extra": B, "steps": np.zeros(4, np.int64)}
    found = fit(given, OWN, {"head.weight", "head.bias"})
    assert (found.matched, found.anew) == ((), ("head.weight", "head.bias"))
    assert (found.missing, found.unknown) == (("conv.weight",), ("conv.wieght", "extra"))
    assert found.nearest == {"conv.weight": "conv.wieght", "conv.wieght": "conv.weight"}
    assert not found.is_whole
    text = report(found)
    assert "1 missing in the file: conv.weight (nearest: conv.wieght)" in text
    assert "conv.bias (float32 5 in the file, float32 4 in the network)" in text
    assert "2 unknown to the network" in text


def test_numbers_of_another_type_do_not_fit():
    found = fit(OWN | {"conv.bias": np.zeros(4, np.uint16)}, OWN, set())
    assert list(found.misshapen) == ["conv.bias"]
    assert fit({name: values.astype(np.float16) for name, values in OWN.items()}, OWN, set()).is_whole
