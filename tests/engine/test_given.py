"""Labels of a caller's loader: joined whatever room each batch has for objects, refused where the task reads others."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import FINETUNE, small_spec

from paredown.algorithms.objects import Objects, pack
from paredown.contracts import BackendInfo, RunContext
from paredown.engine.given import GivenWorkbench, unused
from paredown.errors import DataError
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.spec.loader import load_spec


class Toy:
    """A network that answers with zeros for three classes."""

    @hookimpl
    def register_backend(self):
        return BackendInfo("toy", "Toy", (), "nothing", ("cnn",), ("toy", "Toy"))

    @hookimpl
    def evaluate(self, backend, model, images):
        return np.zeros((len(images), 3), np.float32)


@pytest.fixture(scope="module")
def manager():
    manager = Manager.discover()
    manager.register(Toy(), "toy")
    return manager


def data(manager, task, *labels, **own):
    batches = [(np.zeros((len(one), 1, 8, 8), np.float32), one) for one in labels]
    spec = load_spec(small_spec(backends=["toy"]), manager.registry)
    spec = spec.model_copy(update={"task": manager.registry.components["task", task].config(kind=task)})
    loaders = dict.fromkeys(("train", "validation", "test"), batches)
    return GivenWorkbench(manager, "toy", spec, RunContext(), model="net", loaders=loaders, **own).data


def boxes(*counts, corner=4.0):
    one = (np.array([[0, 0, corner, 4]], np.float32), np.ones(1, np.int64), np.zeros(1, np.bool_))
    return pack([Objects(*(np.repeat(values, count, axis=0) for values in one)) for count in counts])


def test_batches_with_room_for_fewer_objects_are_padded(manager):
    found = data(manager, "detection", boxes(1, 0), boxes(3), boxes(2)).train[1]
    assert found["classes"].tolist() == [[1, -1, -1], [-1, -1, -1], [1, 1, 1], [1, 1, -1]]
    assert found["boxes"][0].tolist() == [[0, 0, 4, 4], [0] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("task", "labels", "what"),
    [
        ("detection", [boxes(1), np.zeros(1, [("classes", np.int64, (1,))])], "labels of several forms"),
        ("detection", [boxes(1, corner=np.nan)], "`detection` does not read"),
        ("multi_label_classification", [np.full((2, 3), 0.5, np.float32)], "does not read"),
        ("semantic_segmentation", [np.zeros((2, 4, 4), np.int64)], "does not read"),
        ("semantic_segmentation", [np.zeros((2, 8, 8), np.int64), np.zeros((2, 4, 4), np.int64)], "several forms"),
    ],
    ids=["other fields", "NaN", "halves", "small maps", "maps of two sizes"],
)
def test_labels_that_the_task_does_not_read_are_refused(manager, task, labels, what):
    with pytest.raises(DataError, match=what) as caught:
        data(manager, task, *labels)
    assert caught.value.problems[0].where == "paredown.compress(train=...)"


def test_a_loss_and_a_metric_of_ones_own_read_any(manager):
    own = {"own_loss": lambda *_: 0.0, "own_metric": lambda *_: 0.0}
    assert data(manager, "multi_label_classification", np.full((2, 3), 0.5, np.float32), **own).num_classes == 3


def test_whole_numbers_may_be_floats(manager):
    assert data(manager, "multi_label_classification", np.ones((2, 3), np.float32)).num_classes == 3


def test_what_the_spec_gives_and_compress_does_not_use_is_named(manager):
    training = FINETUNE | {"train": FINETUNE["train"] | {"batch_size": 7}}
    spec = load_spec(small_spec(steps=[training], seeds=[3, 4], backends=["toy", "torch"]), manager.registry)
    note = unused(spec, "toy")
    assert note is not None
    assert "model, data, baseline, seeds after the first, backends, steps[0].train.batch_size;" in note
    needed = {"model": None, "data": None, "baseline": None, "steps": (), "seeds": (3,), "backends": ("toy",)}
    assert unused(spec.model_copy(update=needed), "toy") is None
