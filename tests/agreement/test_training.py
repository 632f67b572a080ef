"""Training from equal weights on equal batches: rounding apart, one training."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import BATCH, PRUNED, STEPS, lively

from paredown.algorithms.initialization import draw
from paredown.files import read_json, read_state

PAIR = ("torch", "paddle")
DISTILLED = 20
DROPOUT = ("mobilenet_v2", "mobilenet_v3_small")
"""Their losses part in the first step: each framework drops out what its own generator says."""


def test_the_losses_of_the_first_steps_are_equal(produced):
    torch, paddle = (read_json(produced[backend] / "training.json")["cnn"] for backend in PAIR)
    assert len(torch) == STEPS
    assert len(set(torch)) == STEPS
    np.testing.assert_allclose(torch, paddle, rtol=1e-4)


def test_the_weights_after_the_first_steps_are_equal(produced):
    torch, paddle = (read_state(produced[backend] / "trained-cnn-further.safetensors") for backend in PAIR)
    for name in torch.keys() - _variances(torch):
        np.testing.assert_allclose(torch[name], paddle[name], rtol=0, atol=1e-4 * np.abs(torch[name]).max())


@pytest.mark.parametrize("network", ["cnn", *(name for name in PRUNED if name not in DROPOUT)])
def test_the_first_loss_is_equal_without_dropout(produced, network):
    torch, paddle = (read_json(produced[backend] / "training.json")[network][0] for backend in PAIR)
    assert torch == pytest.approx(paddle, rel=1e-5)


@pytest.mark.parametrize("network", ["cnn", *PRUNED])
def test_batch_norm_keeps_equal_means(produced, network):
    # They would part if a momentum differed: Paddle's default and its meaning are not torch's.
    torch, paddle = (read_state(produced[backend] / f"trained-{network}.safetensors") for backend in PAIR)
    means = [name for name in torch if name.endswith(".running_mean")]
    assert means
    for name in means:
        np.testing.assert_allclose(torch[name], paddle[name], rtol=0, atol=1e-4 * np.abs(torch[name]).max())


@pytest.mark.parametrize(("layer", "side"), [("bn1", 8), ("bn2", 4), ("bn3", 2)])
def test_torch_keeps_the_unbiased_variance_and_paddle_the_biased(produced, layer, side):
    torch, paddle = (read_state(produced[backend] / "trained-cnn.safetensors") for backend in PAIR)
    name = f"{layer}.running_var"
    before = lively(draw(torch, 0))[name]
    seen_by_torch, seen_by_paddle = ((state[name] - 0.9 * before) / 0.1 for state in (torch, paddle))
    count = BATCH * side * side
    np.testing.assert_allclose(seen_by_torch / seen_by_paddle, count / (count - 1), rtol=1e-4)


@pytest.mark.parametrize(("dtype", "losses", "weights"), [("float64", 1e-8, 1e-6), ("float32", 1e-5, 1e-4)])
def test_the_first_steps_under_a_teacher_are_equal(produced, dtype, losses, weights):
    torch, paddle = (read_json(produced[backend] / "distillation.json")[dtype] for backend in PAIR)
    assert torch["projections"] == paddle["projections"] == [[2, 0]]
    assert len(set(torch["losses"])) == DISTILLED
    np.testing.assert_allclose(torch["losses"], paddle["losses"], rtol=losses)
    states = [read_state(produced[backend] / f"distilled-{dtype}.safetensors") for backend in PAIR]
    # Paddle keeps the biased variance of a batch and torch the unbiased one; in training neither is read.
    for name in states[0].keys() - _variances(states[0]):
        np.testing.assert_allclose(
            states[0][name], states[1][name], rtol=0, atol=weights * np.abs(states[0][name]).max(), err_msg=name
        )


def _variances(state):
    return {name for name in state if name.endswith(".running_var")}
