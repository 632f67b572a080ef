"""Which single weights stay, and what becomes of their masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paredown.algorithms import masks
from paredown.algorithms.criteria.chance import weights as by_chance
from paredown.algorithms.criteria.lamp import lamp
from paredown.algorithms.criteria.norms import absolute
from paredown.errors import PlanError, UnsupportedError
from paredown.plan import Cut, Group, Mask, Member, PrunePlan


def kept(weights, ratio, scope="local", criterion=absolute, **options):
    arrays_ = {name: np.asarray(values, dtype=np.float32) for name, values in weights.items()}
    found = masks.weight_masks(arrays_, criterion, None, ratio=ratio, scope=scope, **options)
    return {name: mask.astype(int).tolist() for name, mask in found.items()}


@given(mask=arrays.arrays(bool, arrays.array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_a_mask_comes_back_as_it_was_packed(mask):
    packed = masks.pack("a.weight", mask)
    np.testing.assert_array_equal(masks.unpack(Mask.model_validate_json(packed.model_dump_json())), mask)


def test_a_packed_mask_is_base64_of_zlib_of_bits():
    import base64
    import zlib

    packed = masks.pack("a.weight", np.array([[True, False, False], [True, True, False]]))
    assert packed.shape == (2, 3)
    assert zlib.decompress(base64.b64decode(packed.kept)) == bytes([0b10011000])


@pytest.mark.parametrize("data", ["not base64!", "AAAA", masks.pack("b", np.ones(64, dtype=bool)).kept])
def test_a_damaged_mask_is_an_error_that_names_the_parameter(data):
    with pytest.raises(PlanError, match=r"a\.weight"):
        masks.unpack(Mask(parameter="a.weight", shape=(2, 3), kept=data))


def test_local_removes_the_share_of_each_layer_rounded_down():
    found = kept({"a": [[1, -5, 2], [4, 3, -0.5]], "b": [10, 20, 30]}, 0.5)
    assert found == {"a": [[0, 1, 0], [1, 1, 0]], "b": [0, 1, 1]}


def test_global_removes_the_share_of_all_layers_together():
    assert kept({"a": [1, 2, 3, 40], "b": [10, 20, 30]}, 4 / 7, "global") == {"a": [0, 0, 0, 1], "b": [0, 1, 1]}


def test_a_tie_keeps_the_lower_index_and_the_earlier_layer():
    assert kept({"a": [1, 1, 1, 1]}, 0.5) == {"a": [1, 1, 0, 0]}
    assert kept({"a": [1, 1], "b": [1, 1]}, 0.25, "global") == {"a": [1, 1], "b": [1, 0]}


def test_every_layer_keeps_a_weight():
    assert kept({"a": [0.1, 0.2], "b": [10, 20, 30, 40]}, 0.5, "global") == {"a": [0, 1], "b": [0, 0, 1, 1]}
    assert kept({"a": [5]}, 0.99) == {"a": [1]}


def test_what_is_zero_goes_first_and_counts():
    assert kept({"a": [0, 1, 0, 9]}, 0.5, criterion=lambda weight, options, random: -np.abs(weight)) == {
        "a": [0, 1, 0, 1]
    }


def test_masks_of_earlier_steps_hold_beyond_the_ratio():
    held = {"a": np.array([False, False, False, True])}
    assert kept({"a": [4, 3, 2, 1]}, 0.25, held=held) == {"a": [0, 0, 0, 1]}
    assert kept({"a": [4, 3, 2, 1]}, 0.5, held={"a": np.array([False, True, True, True])}) == {"a": [0, 1, 1, 0]}


def test_a_layer_with_a_ratio_of_its_own_is_decided_apart():
    found = kept({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8], "c": [9, 10]}, 0.5, "global", overrides={"a": 0.25})
    assert found == {"a": [0, 1, 1, 1], "b": [0, 0, 0, 1], "c": [1, 1]}


def test_lamp_spares_a_layer_of_small_weights():
    weights = {"a": [0.01, 0.02, 0.03], "b": [1, 2, 30]}
    assert kept(weights, 0.5, "global") == {"a": [0, 0, 1], "b": [0, 1, 1]}
    assert kept(weights, 0.5, "global", criterion=lamp) == {"a": [0, 1, 1], "b": [0, 0, 1]}


def test_chance_is_the_runs_seed_and_the_parameters_name():
    weights = {"a": np.ones(100)}
    first, again, other = (kept(weights, 0.5, criterion=by_chance, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


@given(
    shapes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4),
    ratio=st.floats(0.01, 0.99),
    scope=st.sampled_from(["local", "global"]),
    seed=st.integers(0, 100),
)
def test_exactly_the_share_rounded_down_goes(shapes, ratio, scope, seed):
    generator = np.random.default_rng(seed)
    weights = {f"w{i}": generator.integers(-3, 4, shape).astype(float) for i, shape in enumerate(shapes)}
    found = masks.weight_masks(weights, absolute, None, ratio=ratio, scope=scope)
    gone = {name: int((~mask).sum()) for name, mask in found.items()}
    assert all(mask.any() for mask in found.values())
    if scope == "local":
        assert gone == {name: min(int(mask.size * ratio + 1e-9), mask.size - 1) for name, mask in found.items()}
    else:
        total = sum(mask.size for mask in found.values())
        assert sum(gone.values()) == min(int(total * ratio + 1e-9), total - len(found))


def test_two_of_four_stay_along_the_input_channels():
    weight = np.array([[1, -4, 3, 2, 0, 0, 5, 0]], dtype=np.float32).reshape(1, 8, 1, 1)
    found, left = masks.n_m_masks({"a.weight": weight}, absolute, None, n=2, m=4)
    assert found["a.weight"].reshape(-1).astype(int).tolist() == [0, 1, 1, 0, 1, 0, 1, 0]
    assert left == {}


def test_each_output_and_kernel_position_has_its_own_pattern():
    weight = np.random.default_rng(0).standard_normal((3, 8, 2, 2))
    found, _ = masks.n_m_masks({"a.weight": weight}, absolute, None, n=1, m=4)
    by_group = found["a.weight"].reshape(3, 2, 4, 2, 2)
    np.testing.assert_array_equal(by_group.sum(axis=2), 1)
    np.testing.assert_array_equal(
        by_group,
        np.abs(weight.reshape(by_group.shape)) == np.abs(weight.reshape(by_group.shape)).max(axis=2, keepdims=True),
    )


def test_layers_that_the_pattern_does_not_fit_are_left_and_named():
    weights = {
        "stem.weight": np.ones((8, 3, 3, 3)),
        "fc.weight": np.ones((2, 8)),
        "depthwise.weight": np.ones((8, 1, 3, 3)),
    }
    found, left = masks.n_m_masks(weights, absolute, None, n=2, m=4)
    assert list(found) == ["fc.weight"]
    assert left == {
        "stem.weight": "4 does not divide its 3 input channels",
        "depthwise.weight": "4 does not divide its 1 input channels",
    }


def test_a_pattern_that_fits_no_layer_is_an_error():
    with pytest.raises(UnsupportedError, match=r"2:4 fits no layer"):
        masks.n_m_masks({"stem.weight": np.ones((8, 3, 3, 3))}, absolute, None, n=2, m=4)
    with pytest.raises(PlanError, match="4:4"):
        masks.n_m_masks({"fc.weight": np.ones((2, 8))}, absolute, None, n=4, m=4)


def test_scores_that_are_not_finite_are_an_error_that_names_the_parameter():
    with pytest.raises(PlanError, match=r"a\.weight"):
        kept({"a.weight": [1, np.nan]}, 0.5)


def test_a_mask_sets_zeros_and_leaves_the_rest_and_the_dtype():
    state = {"a": np.array([-1.0, np.inf, 3.0], dtype=np.float32), "b": np.ones(2)}
    after = masks.apply(state, {"a": np.array([False, False, True])})
    assert after["a"].dtype == np.float32
    assert not np.signbit(after["a"]).any()
    np.testing.assert_array_equal(after["a"], [0, 0, 3])
    assert after["b"] is state["b"]
    np.testing.assert_array_equal(state["a"], [-1, np.inf, 3])


def test_a_mask_for_another_network_is_an_error_that_names_the_parameter():
    with pytest.raises(PlanError, match="absent"):
        masks.apply({}, {"a": np.ones(2, dtype=bool)})
    with pytest.raises(PlanError, match=r"shape \(3,\)"):
        masks.apply({"a": np.ones(3)}, {"a": np.ones(2, dtype=bool)})


def test_masks_combine_to_what_both_keep():
    old = {"a": np.array([True, True, False]), "b": np.array([True])}
    found = masks.combine(old, {"a": np.array([True, False, True]), "c": np.array([False])})
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "a": [True, False, False],
        "b": [True],
        "c": [False],
    }
    with pytest.raises(PlanError, match="different shapes"):
        masks.combine(old, {"a": np.array([True])})


def test_masks_are_cut_along_with_the_channels():
    group = Group(
        name="a.weight",
        size=3,
        members=(
            Member(parameter="a.weight", axis=0, role="output"),
            Member(parameter="a.bias", axis=0, role="bias"),
            Member(parameter="b.weight", axis=1, role="input"),
        ),
    )
    plan = PrunePlan(
        input_shape=(3, 8, 8), criterion={}, scope="local", amount={"ratio": 0.3}, cuts=(Cut(group=group, remove=(1,)),)
    )
    present = {"a.weight": np.array([[True], [False], [True]]), "b.weight": np.array([[False, True, True]])}
    after = masks.cut(present, plan)
    assert {name: mask.tolist() for name, mask in after.items()} == {
        "a.weight": [[True], [True]],
        "b.weight": [[False, True]],
    }
