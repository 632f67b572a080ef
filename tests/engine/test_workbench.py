"""A backend's surgery is held against core's: a backend that does something else is found out."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import small_spec

from paredown.contracts import BackendInfo, Outcome, RunContext
from paredown.engine.workbench import Workbench
from paredown.errors import BackendFailed, ModelError, PlanError
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.plan import Cut, Group, Member, PrunePlan
from paredown.spec.loader import load_spec

GROUP = Group(name="w", size=4, members=(Member(parameter="w", axis=0, role="output"),))
PLAN = PrunePlan(
    input_shape=(1, 8, 8), criterion={}, scope="local", amount={"ratio": 0.5}, cuts=(Cut(group=GROUP, remove=(1,)),)
)


class Backend:
    """A backend whose networks are dictionaries of arrays; `cut` says what its surgery does."""

    def __init__(self, cut):
        self.cut = cut

    @hookimpl
    def register_backend(self):
        return BackendInfo("toy", "Toy", (), "nothing", ("resnet20",), ("toy", "Toy"))

    @hookimpl
    def save(self, backend, model):
        return {name: values.copy() for name, values in model.items()}

    @hookimpl
    def prune(self, backend, model, plan):
        return Outcome(self.cut(model), {"cut_by": "toy"})

    @hookimpl
    def evaluate(self, backend, model, images):
        if len(model["w"]) == 2:
            raise RuntimeError("")
        return np.zeros((len(images), 2), np.float32)


@pytest.fixture
def bench():
    def bench(cut) -> Workbench:
        manager = Manager()
        manager.register(Backend(cut), "toy")
        return Workbench(manager, "toy", None, RunContext())

    return bench


def model():
    return {"w": np.arange(4.0), "b": np.arange(2.0)}


def test_a_cut_at_the_plans_indices_is_accepted(bench):
    outcome = bench(lambda given: given | {"w": np.delete(given["w"], 1)}).cut(model(), PLAN)
    np.testing.assert_array_equal(outcome.model["w"], [0, 2, 3])


@pytest.mark.parametrize(
    "cut",
    [
        lambda given: given,
        lambda given: given | {"w": np.delete(given["w"], 2)},
        lambda given: given | {"w": given["w"] * [1, 0, 1, 1]},
        lambda given: given | {"w": np.delete(given["w"], 1), "b": given["b"] + 1},
        lambda given: given | {"w": np.delete(given["w"], 1), "mask": given["b"]},
        lambda given: {"w": np.delete(given["w"], 1)},
    ],
    ids=["nothing", "another channel", "a mask", "more than the plan", "a new buffer", "a lost array"],
)
def test_anything_else_is_the_backends_failure(bench, cut):
    with pytest.raises(BackendFailed, match="surgery"):
        bench(cut).cut(model(), PLAN)


def test_a_network_that_does_not_run_after_the_cut_is_refused(bench):
    plan = PLAN.model_copy(update={"cuts": (Cut(group=GROUP, remove=(1, 2)),)})
    with pytest.raises(BackendFailed, match="does not run"):
        bench(lambda given: given | {"w": np.delete(given["w"], [1, 2])}).cut(model(), plan)


def test_a_plan_of_another_network_is_refused_before_the_backend_is_asked(bench):
    with pytest.raises(PlanError, match="w, axis 0"):
        bench(lambda given: pytest.fail("the backend was asked")).cut({"w": np.arange(5.0)}, PLAN)


@pytest.mark.parametrize(("classes", "what"), [(4, "more outputs"), (2, "fewer outputs")])
def test_a_network_for_several_classes_an_image_has_an_output_for_each_column(tmp_path, classes, what):
    arrays = {}
    for split in ("train", "validation", "test"):
        arrays |= {f"{split}_images": np.zeros((4, 1, 8, 8), np.uint8), f"{split}_labels": np.eye(4, 3, dtype=np.int64)}
    np.savez(tmp_path / "several.npz", **arrays)
    given = {"name": "cnn", "num_classes": classes, "in_channels": 1, "input_size": [8, 8]}
    task = {"task": {"kind": "multi_label_classification"}, "data": {"kind": "npz", "path": "several.npz"}}
    manager = Manager.discover()
    spec = load_spec(small_spec(**task, model={"kind": "zoo"} | given, steps=[]), manager.registry)
    with pytest.raises(ModelError, match=what):
        Workbench(manager, "torch", spec, RunContext(base_dir=tmp_path)).require_fit()
