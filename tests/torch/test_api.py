"""`paredown.compress` with a network and loaders of one's own, in the caller's process."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import DISTILL, FINETUNE, PRUNE, QUANTIZE
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import paredown
from paredown.errors import ArtifactError, DataError, ModelError, PlanError, SpecError

SPEC = {
    "version": 1,
    "name": "own",
    "task": {"kind": "classification"},
    "steps": [PRUNE, FINETUNE, DISTILL, QUANTIZE],
    "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
}


class Own(nn.Module):
    """A network of the user's, with an attribute and a block that no zoo has."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.side = nn.Conv2d(12, 12, 3, padding=1)
        self.answer = nn.Linear(12, 10)
        self.note = "mine"

    def forward(self, images):
        hidden = self.stem(images)
        hidden = torch.relu(self.side(hidden) + hidden)
        return self.answer(hidden.mean((2, 3)))


@pytest.fixture(scope="module")
def batches():
    """A DataLoader each for training and validation: real digits."""
    digits = load_digits()
    images = torch.from_numpy((digits.images[:, None] / 16).astype(np.float32))
    labels = torch.from_numpy(digits.target)
    train = DataLoader(TensorDataset(images[:256], labels[:256]), batch_size=32, shuffle=True)
    validation = DataLoader(TensorDataset(images[256:384], labels[256:384]), batch_size=64)
    return SimpleNamespace(train=train, validation=validation)


@pytest.fixture(scope="module")
def done(batches, tmp_path_factory):
    torch.manual_seed(0)
    given = Own().train()
    before = {name: tensor.clone() for name, tensor in given.state_dict().items()}
    out = tmp_path_factory.mktemp("own")
    compressed = paredown.compress(given, SPEC, train=batches.train, validation=batches.validation, out=out)
    return SimpleNamespace(given=given, before=before, compressed=compressed)


def test_the_network_is_smaller_and_of_the_callers_class(done):
    network = done.compressed.model
    assert isinstance(network, Own)
    assert network.note == "mine"
    assert network.stem[0].out_channels == 6
    assert network(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_the_given_network_is_unchanged(done):
    assert done.given.training
    assert done.given.stem[0].out_channels == 12
    assert all(torch.equal(tensor, done.before[name]) for name, tensor in done.given.state_dict().items())


def test_the_result_holds_every_step_and_says_what_the_test_figures_are(done):
    result = done.compressed.result
    assert result.backend == "torch"
    assert [step.kind for step in result.steps] == ["prune", "finetune", "distill", "quantize"]
    assert [one.precision for one in result.candidates] == ["fp32", "int8"]
    assert result.final.params < 0.5 * result.baseline.params
    assert any("no test loader" in note for note in result.notes)


def test_its_directory_loads_again_around_the_callers_network(done):
    loaded = paredown.load(done.compressed.directory, model=done.given)
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), done.compressed.model.eval()(images))
    assert done.given.stem[0].out_channels == 12


def test_without_the_network_its_directory_is_refused_with_the_remedy(done):
    with pytest.raises(ArtifactError, match=r"given to `paredown.compress`") as caught:
        paredown.load(done.compressed.directory)
    assert "paredown.load(directory, model=network)" in str(caught.value)


def test_another_network_is_refused(done):
    with pytest.raises(PlanError, match="does not fit this network"):
        paredown.load(done.compressed.directory, model=nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()))


def test_the_spec_that_was_used_lies_in_the_directory(done):
    spec = json.loads((Path(done.compressed.directory) / "spec.json").read_text())
    assert spec["model"] is None
    assert [step["kind"] for step in spec["steps"]] == ["prune", "finetune", "distill", "quantize"]


LIST = [(np.zeros((2, 1, 8, 8), np.float32), np.array([0, 9]))]


def test_a_selector_that_picks_nothing_is_refused_before_anything_is_done(tmp_path):
    steps = [FINETUNE, PRUNE | {"protect": [{"names": ["sten.*"]}]}]
    with pytest.raises(SpecError, match="picks no layer") as caught:
        paredown.compress(Own(), SPEC | {"steps": steps}, train=LIST, validation=LIST, out=tmp_path)
    assert caught.value.problems[0].where == "steps[1].protect[0]"
    assert not list(tmp_path.iterdir())


WRONG_LOADERS = {
    "a generator": (lambda: (batch for batch in LIST), "only once", "not a generator"),
    "nothing": (list, "gave no images", "empty"),
    "no iterable": (lambda: 5, "cannot be iterated", "int"),
    "images alone": (lambda: [LIST[0][0]], "no pair", "(images, labels)"),
    "flat images": (lambda: [(np.zeros((2, 64)), LIST[0][1])], "another form", "(2, 64)"),
    "one-hot labels": (lambda: [(LIST[0][0], np.eye(10)[:2])], "labels of another form", "one-hot"),
    "NaN": (lambda: [(np.full((2, 1, 8, 8), np.nan, np.float32), LIST[0][1])], "NaN", "normalisation"),
    "other shapes": (
        lambda: [(np.zeros((2, 1, 9, 9), np.float32), LIST[0][1])],
        "another shape than train",
        "(1, 8, 8)",
    ),
}


@pytest.mark.parametrize("name", WRONG_LOADERS)
def test_a_wrong_loader_is_one_clear_error(name, tmp_path):
    make, what, hint = WRONG_LOADERS[name]
    with pytest.raises(DataError, match=what) as caught:
        paredown.compress(Own(), SPEC, train=LIST, validation=make(), out=tmp_path)
    assert "validation" in str(caught.value)
    assert hint in str(caught.value)


def test_labels_beyond_the_outputs_are_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match="do not fit the labels"):
        paredown.compress(Own(), SPEC, train=[(LIST[0][0], np.array([0, 10]))], validation=LIST, out=tmp_path)


def test_images_that_the_network_does_not_take_are_one_clear_error(tmp_path):
    coloured = [(np.zeros((2, 3, 8, 8), np.float32), np.array([0, 9]))]
    with pytest.raises(ModelError, match="does not take the loader's images"):
        paredown.compress(Own(), SPEC, train=coloured, validation=coloured, out=tmp_path)


@pytest.mark.parametrize("thing", [{"weight": 1}, "model.pt", None, Own])
def test_an_object_that_is_no_network_is_one_clear_error(thing, tmp_path):
    with pytest.raises(ModelError, match="no backend knows this object") as caught:
        paredown.compress(thing, SPEC, train=LIST, validation=LIST, out=tmp_path)
    assert "torch.nn.Module" in str(caught.value)


def test_a_wrong_spec_is_one_clear_error(tmp_path):
    with pytest.raises(SpecError, match="ratoi"):
        paredown.compress(Own(), SPEC | {"steps": [PRUNE | {"ratoi": 1}]}, train=LIST, validation=LIST, out=tmp_path)


def test_an_activation_that_is_silent_in_calibration_is_named_and_its_range_is_that_of_the_training(batches, tmp_path):
    torch.manual_seed(0)
    given = Own()
    # Running statistics of other images: the first layer never fires, until the training sees its own statistics.
    given.stem[1].running_mean.fill_(30.0)
    inner = {"kind": "quantize", "mode": "qat", "activations": {"observer": {"kind": "minmax"}}}
    spec = SPEC | {"steps": [FINETUNE | {"during": [inner]}]}
    done = paredown.compress(given, spec, train=batches.train, validation=batches.validation, out=tmp_path)

    assert "side input" in done.result.steps[0].evidence["silent"]
    plan = json.loads((done.directory / done.result.steps[0].plan).read_text())["quantization"]
    scales = {(point["layer"], point["port"]): point["tensor"]["scale"] for point in plan["points"]}
    assert 0.001 < scales["side", "input"][0] < 0.1
