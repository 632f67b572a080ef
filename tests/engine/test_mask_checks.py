"""What is masked stays masked, whatever a plugin's step does, and a pruning that removes nothing is an error."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from paredown.algorithms.gradual import GradualMasks
from paredown.contracts import BackendInfo, LayerInfo, Outcome, RunContext, StepKind
from paredown.engine.gradual import Gradual
from paredown.engine.stepping import StepInput
from paredown.engine.steps import perform
from paredown.engine.weight_pruning import maskable
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError, PluginError, UnsupportedError
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.spec.base import Frozen
from paredown.spec.components import L1Criterion
from paredown.spec.models import PruneStep

MASKS = {"w": np.array([True, False, True])}


class Shake(Frozen):
    """A step of a plugin."""

    kind: Literal["shake"] = "shake"


class Backend:
    """A backend whose networks are dictionaries of arrays; `act` is what its step does."""

    def __init__(self, act):
        self.act = act

    @hookimpl
    def register_backend(self):
        return BackendInfo("toy", "Toy", (), "nothing", ("cnn",), ("toy", "Toy"))

    @hookimpl
    def register_steps(self):
        return [StepKind("shake", Shake)]

    @hookimpl
    def save(self, backend, model):
        return dict(model)

    @hookimpl
    def apply_step(self, backend, model, step, run):
        return Outcome(self.act(model), {})


@pytest.fixture
def apply(tmp_path):
    def apply(act, masks=MASKS):
        manager = Manager()
        manager.register(Backend(act), "toy")
        bench = Workbench(manager, "toy", None, RunContext())
        return perform(bench, Shake(), StepInput({"w": np.array([1.0, 0.0, 2.0])}, {}, 0, tmp_path, masks=masks))

    return apply


def test_a_plugins_step_that_keeps_the_zeros_goes_through(apply):
    np.testing.assert_array_equal(apply(lambda given: {"w": given["w"] * 2}).model["w"], [2, 0, 4])


def test_a_plugins_step_that_revives_masked_weights_is_named(apply):
    with pytest.raises(PluginError, match="`shake` of plugin `toy`") as caught:
        apply(lambda given: {"w": given["w"] + 1})
    assert caught.value.problems[0].where == "steps[0], w"
    assert caught.value.problems[0].remedy


def test_a_plugins_step_that_changes_shapes_under_masks_is_refused_by_name(apply):
    with pytest.raises(UnsupportedError, match="`shake` changed shapes"):
        apply(lambda given: {"w": given["w"][:2]})
    assert not apply(lambda given: {"w": given["w"][:2]}, masks={}).replayable


def test_a_plugins_step_that_does_nothing_says_what_to_do(apply):
    with pytest.raises(NoEffectError, match="changed nothing") as caught:
        apply(lambda given: given)
    assert caught.value.problems[0].remedy


@pytest.mark.parametrize("ratio", [0.1, 0.5])
def test_gradual_pruning_that_masks_nothing_is_an_error(ratio):
    step = PruneStep(granularity="weight", criterion=L1Criterion(), ratio=ratio)
    weights = {"w": np.array([1.0, 2.0, 3.0, 4.0])}
    masking = GradualMasks(
        parameters=("w",),
        criterion=lambda weight, options, random: np.abs(weight),
        options=None,
        ratio=ratio,
        scope="global",
        begin=0,
        end=1,
        every=1,
        initial={"w": np.ones(4, bool)},
    )
    masking.update(1, weights)
    pruning = Gradual(masking, step, "steps[0].during[0]", {}, masked_before=0)
    if ratio == 0.5:
        assert len(pruning.plan().masks) == 1
    else:
        with pytest.raises(NoEffectError, match="set no weight to zero"):
            pruning.plan()


def test_weights_that_no_mask_goes_on_are_named_with_the_reason():
    layers = [
        LayerInfo("conv", "conv", "Conv2d", (4, 3, 1, 1), (), ()),
        LayerInfo("up", "conv", "Conv2DTranspose", (4, 3, 2, 2), (), ()),
        LayerInfo("embed", "other", "Embedding", (9, 4), (), ()),
        LayerInfo("norm", "other", "LayerNorm", (4,), (), ()),
    ]
    shapes = {layer.name + ".weight": layer.weight_shape for layer in layers}
    shapes |= {
        "attention.in_proj_weight": (12, 4),
        "attention.out_proj.weight": (4, 4),
        "attention.in_proj_bias": (12,),
    }
    step = PruneStep(granularity="weight", criterion=L1Criterion(), ratio=0.5, protect=())
    weights, left_whole = maskable(step, {name: np.zeros(shape) for name, shape in shapes.items()}, layers, "steps[0]")
    assert list(weights) == ["conv.weight"]
    assert left_whole == {
        "up": "its type is Conv2DTranspose, and masks go on convolutions and Linear layers",
        "embed": "its type is Embedding, and masks go on convolutions and Linear layers",
        "attention.in_proj_weight": "no convolution or Linear layer that the network calls holds it as its weight",
        "attention.out_proj": "no convolution or Linear layer that the network calls holds it as its weight",
    }
