"""`paredown.compress` with a network and loaders of one's own, in the caller's process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import DISTILL, FINETUNE, PRUNE, QUANTIZE

import paredown
from paredown.errors import ArtifactError, DataError, ModelError

SPEC = {
    "version": 1,
    "name": "own",
    "task": {"kind": "classification"},
    "steps": [PRUNE, FINETUNE, DISTILL, QUANTIZE],
    "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
}
LIST = [(np.zeros((2, 1, 8, 8), np.float32), np.array([0, 9]))]


@pytest.fixture(scope="module")
def own() -> Any:
    """Makes a network of the user's, with an attribute and a block that no zoo has."""
    from paredown_paddle.framework import paddle  # imports it without its warnings

    nn = paddle.nn

    class Own(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            first = nn.Conv2D(1, 12, 3, padding=1, bias_attr=False)
            self.stem = nn.Sequential(first, nn.BatchNorm2D(12), nn.ReLU())
            self.side = nn.Conv2D(12, 12, 3, padding=1)
            self.answer = nn.Linear(12, 10)
            self.note = "mine"

        def forward(self, images: Any) -> Any:
            hidden = self.stem(images)
            hidden = paddle.nn.functional.relu(self.side(hidden) + hidden)
            return self.answer(hidden.mean([2, 3]))

    return Own


@pytest.fixture(scope="module")
def done(own, tmp_path_factory):
    import paddle
    from paddle.io import DataLoader, TensorDataset
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = paddle.to_tensor((digits.images[:, None] / 16).astype("float32"))
    labels = paddle.to_tensor(digits.target.astype("int64"))
    train = DataLoader(TensorDataset([images[:256], labels[:256]]), batch_size=32, shuffle=True)
    validation = [(images[256:320], labels[256:320]), (images[320:384], labels[320:384])]
    paddle.seed(0)
    given = own()
    given.train()
    before = {name: tensor.numpy().copy() for name, tensor in given.state_dict().items()}
    out = tmp_path_factory.mktemp("own")
    compressed = paredown.compress(given, SPEC, train=train, validation=validation, test=validation, out=out)
    return SimpleNamespace(given=given, before=before, compressed=compressed)


def test_the_network_is_smaller_and_of_the_callers_class(done, own):
    import paddle

    network = done.compressed.model
    assert isinstance(network, own)
    assert network.note == "mine"
    assert network.stem[0].weight.shape == [6, 1, 3, 3]
    assert network(paddle.zeros([3, 1, 8, 8])).shape == [3, 10]


def test_the_given_network_is_unchanged(done):
    assert done.given.training
    found = {name: tensor.numpy() for name, tensor in done.given.state_dict().items()}
    assert found.keys() == done.before.keys()
    assert all(np.array_equal(found[name], done.before[name]) for name in found)


def test_the_result_holds_every_step(done):
    result = done.compressed.result
    assert result.backend == "paddle"
    assert [step.kind for step in result.steps] == ["prune", "finetune", "distill", "quantize"]
    assert [one.precision for one in result.candidates] == ["fp32", "int8"]
    assert result.final.params < 0.5 * result.baseline.params
    assert result.notes == ()


def test_its_directory_loads_again_around_the_callers_network(done):
    import paddle

    loaded = paredown.load(done.compressed.directory, model=done.given)
    loaded.eval()
    images = paddle.rand([4, 1, 8, 8])
    with paddle.no_grad():
        assert np.array_equal(loaded(images).numpy(), done.compressed.model(images).numpy())


def test_without_the_network_its_directory_is_refused(done):
    with pytest.raises(ArtifactError, match=r"given to `paredown.compress`"):
        paredown.load(done.compressed.directory)


def test_a_generator_is_one_clear_error(own, tmp_path):
    with pytest.raises(DataError, match="can be iterated only once"):
        paredown.compress(own(), SPEC, train=(batch for batch in LIST), validation=LIST, out=tmp_path)


def test_labels_beyond_the_outputs_are_one_clear_error(own, tmp_path):
    with pytest.raises(ModelError, match="do not fit the labels"):
        paredown.compress(own(), SPEC, train=[(LIST[0][0], np.array([0, 10]))], validation=LIST, out=tmp_path)


def test_images_that_the_network_does_not_take_are_one_clear_error(own, tmp_path):
    coloured = [(np.zeros((2, 3, 8, 8), np.float32), np.array([0, 9]))]
    with pytest.raises(ModelError, match="does not take the loader's images"):
        paredown.compress(own(), SPEC, train=coloured, validation=coloured, out=tmp_path)


def test_an_object_that_is_no_network_is_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match="no backend knows this object"):
        paredown.compress("model.pdparams", SPEC, train=LIST, validation=LIST, out=tmp_path)
