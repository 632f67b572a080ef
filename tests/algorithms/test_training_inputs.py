"""What both frameworks train from: initial weights, batch order, learning rates."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.batches import batch_count, epoch_batches, epoch_order, evaluation_batch, in_order
from paredown.algorithms.counting import count_macs, count_parameters
from paredown.algorithms.initialization import draw
from paredown.algorithms.schedules import learning_rate
from paredown.contracts import LayerInfo
from paredown.spec.models import ConstantSchedule, CosineSchedule, StepSchedule

STATE = {
    "conv.weight": np.zeros((64, 16, 3, 3)),
    "bn.weight": np.zeros(64),
    "bn.bias": np.zeros(64),
    "bn.running_mean": np.zeros(64),
    "bn.running_var": np.zeros(64),
    "fc.weight": np.zeros((10, 64)),
}


def test_weights_depend_on_the_seed_and_the_name_alone():
    alone = draw({"fc.weight": STATE["fc.weight"]}, seed=3)
    np.testing.assert_array_equal(alone["fc.weight"], draw(STATE, seed=3)["fc.weight"])
    assert not np.array_equal(alone["fc.weight"], draw(STATE, seed=4)["fc.weight"])


def test_convolutions_have_the_variance_of_he_and_batch_norm_starts_as_the_identity():
    drawn = draw(STATE, seed=0)
    assert drawn["conv.weight"].std() == pytest.approx(np.sqrt(2 / (64 * 9)), rel=0.05)
    assert abs(drawn["fc.weight"]).max() <= 1 / 8
    assert set(drawn["bn.weight"]) == set(drawn["bn.running_var"]) == {1.0}
    assert set(drawn["bn.bias"]) == set(drawn["bn.running_mean"]) == {0.0}


def test_every_epoch_has_its_own_order_and_every_image_stands_in_it_once():
    first, second = epoch_order(100, seed=0, epoch=0), epoch_order(100, seed=0, epoch=1)
    assert sorted(first) == list(range(100))
    assert not np.array_equal(first, second)


def test_shards_together_see_the_batch_that_one_process_would_see():
    images, labels = np.arange(24.0).reshape(24, 1, 1, 1), np.arange(24)
    whole = next(epoch_batches((images, labels), 8, seed=1, epoch=0))[1]
    parts = [next(epoch_batches((images, labels), 4, seed=1, epoch=0, shard=s, shards=2))[1] for s in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_data_smaller_than_a_batch_is_one_batch():
    images, labels = np.zeros((3, 1, 1, 1)), np.arange(3)
    assert batch_count(3, 8) == 1
    assert sorted(next(epoch_batches((images, labels), 8, seed=0, epoch=0))[1]) == [0, 1, 2]


def test_class_maps_that_are_kept_as_bytes_are_trained_on_as_int64():
    maps = np.full((4, 2, 2), 255, np.uint8)
    _, labels = next(epoch_batches((np.zeros((4, 1, 2, 2)), maps), 4, seed=0, epoch=0))
    assert labels.dtype == np.int64
    assert np.all(labels == 255)


@pytest.mark.parametrize(("side", "count"), [(8, 128), (181, 128), (512, 16), (4096, 1)])
def test_fewer_large_images_are_evaluated_at_once(side, count):
    assert evaluation_batch(np.broadcast_to(np.float32(0), (1000, 3, side, side))) == count


def test_in_order_gives_the_rest_as_a_smaller_batch():
    assert [len(batch) for batch in in_order(np.zeros((5, 1, 1, 1)), 2)] == [2, 2, 1]


def test_cosine_goes_from_the_whole_rate_to_nothing():
    rate = learning_rate(CosineSchedule(), 0.1, epochs=2, steps_per_epoch=10)
    assert rate(0) == pytest.approx(0.1)
    assert rate(10) == pytest.approx(0.05)
    assert 0 < rate(19) < 0.001


def test_warm_up_rises_linearly_before_the_cosine():
    rate = learning_rate(CosineSchedule(warmup_epochs=1), 0.1, epochs=3, steps_per_epoch=4)
    assert [rate(step) for step in range(4)] == pytest.approx([0.025, 0.05, 0.075, 0.1])


def test_step_multiplies_at_each_milestone_and_constant_stays():
    rate = learning_rate(StepSchedule(milestones=(1, 2)), 1.0, epochs=3, steps_per_epoch=2)
    assert [rate(step) for step in range(6)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert learning_rate(ConstantSchedule(), 0.3, 1, 1)(7) == 0.3


def test_macs_and_parameters_by_hand():
    conv = LayerInfo("conv", "conv", "Conv2d", (8, 3, 3, 3), (3, 16, 16), (8, 16, 16))
    depthwise = LayerInfo("dw", "conv", "Conv2d", (8, 1, 3, 3), (8, 16, 16), (8, 8, 8), groups=8)
    linear = LayerInfo("fc", "linear", "Linear", (10, 8), (8,), (10,))
    assert count_macs((conv, depthwise, linear)) == 8 * 27 * 256 + 8 * 9 * 64 + 80
    assert count_parameters(STATE) == 64 * 16 * 9 + 64 + 64 + 640
