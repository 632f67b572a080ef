"""Networks of the zoo: neutral names, torch's layouts, and weights that come back as they went."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.contracts import ModelSource, RunContext
from paredown.errors import ModelError, UnsupportedError, WeightsError


def test_every_hook_leaves_other_backends_alone(hooks):
    assert hooks.load_model(backend="torch", source=None, run=None) is None
    assert hooks.save(backend="torch", model=None) is None


def test_resnet20_has_the_names_and_shapes_of_its_twin(hooks, build):
    state = hooks.save(backend="paddle", model=build("resnet20"))
    names = list(state)
    assert names[:5] == ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"]
    assert names[-2:] == ["fc.weight", "fc.bias"]
    assert state["layer2.0.downsample.0.weight"].shape == (32, 16, 1, 1)
    assert state["layer3.2.bn2.running_var"].shape == (64,)
    assert "layer1.0.downsample.0.weight" not in state
    assert sum(values.size for name, values in state.items() if "running" not in name) == 272_186


def test_cnn_has_the_names_and_shapes_of_its_twin(hooks, build):
    state = hooks.save(backend="paddle", model=build("cnn"))
    shapes = {name: values.shape for name, values in state.items() if name.endswith("weight") and values.ndim > 1}
    assert shapes == {
        "conv1.weight": (32, 1, 3, 3),
        "conv2.weight": (64, 32, 3, 3),
        "conv3.weight": (128, 64, 3, 3),
        "fc.weight": (10, 128),
    }


def test_mobilenet_v2_small_has_the_names_and_shapes_of_its_twin(hooks, build):
    state = hooks.save(backend="paddle", model=build("mobilenet_v2_small"))
    assert state["stem.0.weight"].shape == (16, 1, 3, 3)
    assert state["blocks.0.depthwise.0.weight"].shape == (16, 1, 3, 3)
    assert "blocks.0.expand.0.weight" not in state
    assert state["blocks.1.expand.0.weight"].shape == (48, 8, 1, 1)
    assert state["blocks.11.project.1.running_var"].shape == (80,)
    assert list(state)[-2:] == ["classifier.weight", "classifier.bias"]
    assert sum(values.size for name, values in state.items() if "running" not in name) == 157_034


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("mobilenet_v1", {"blocks.0.depthwise.0.weight": (32, 1, 3, 3), "blocks.12.pointwise.1.running_var": (1024,)}),
        ("mobilenet_v3_small", {"features.1.block.1.fc1.weight": (8, 16, 1, 1), "classifier.3.weight": (10, 1024)}),
        ("shufflenet_v2_x1_0", {"stage2.0.branch1.0.weight": (24, 1, 3, 3), "fc.bias": (10,)}),
        ("resnet18", {"layer4.0.downsample.1.running_mean": (512,), "fc.weight": (10, 512)}),
    ],
)
def test_networks_of_torchvision_carry_its_names(hooks, build, name, some):
    state = hooks.save(backend="paddle", model=build(name))
    assert {key: state[key].shape for key in some} == some


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v3_small"])
def test_weights_come_back_as_they_went(hooks, build, name):
    first = hooks.save(backend="paddle", model=build(name))
    fresh = ModelSource(name, 10, SHAPES_IN.get(name, 3), (8, 8))
    other = hooks.load_model(backend="paddle", source=fresh, run=RunContext(seed=7))
    hooks.restore(backend="paddle", model=other, state=first)
    second = hooks.save(backend="paddle", model=other)
    assert list(first) == list(second)
    assert all(np.array_equal(first[key], second[key]) for key in first)


SHAPES_IN = {"resnet20": 1}


def test_restore_names_what_is_missing_unknown_and_of_another_shape_and_writes_nothing(hooks, build):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    state = dict(before)
    state["fc.wieght"] = state.pop("fc.weight")
    state["fc.bias"] = np.zeros(3, np.float32)
    state["conv1.weight"] = np.zeros_like(state["conv1.weight"])
    with pytest.raises(WeightsError) as caught:
        hooks.restore(backend="paddle", model=model, state=state)
    told = str(caught.value)
    assert "fc.weight: is missing" in told
    assert "did you mean fc.wieght?" in told
    assert "fc.bias: has another shape" in told
    assert "fc.wieght: is not in the network" in told
    assert np.array_equal(hooks.save(backend="paddle", model=model)["conv1.weight"], before["conv1.weight"])


def test_an_unknown_network_is_refused_with_the_nearest_name(hooks):
    with pytest.raises(ModelError, match="did you mean resnet18"):
        hooks.load_model(backend="paddle", source=ModelSource("resnet81", 10, 3, (8, 8)), run=RunContext())


def test_batch_norm_has_torchs_constants(build):
    import paddle

    norms = [layer for layer in build("resnet20").sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    assert {(layer._epsilon, layer._momentum) for layer in norms} == {(1e-5, 0.9)}


def test_pretrained_weights_that_cannot_be_had_are_named(hooks, monkeypatch, tmp_path):
    from paddle.utils import download

    monkeypatch.setattr(download, "WEIGHTS_HOME", str(tmp_path))
    monkeypatch.setattr(download, "DOWNLOAD_RETRY_LIMIT", 0)
    source = ModelSource("resnet18", 1000, 3, (224, 224), pretrained=True)
    with pytest.raises(WeightsError) as caught:
        hooks.load_model(backend="paddle", source=source, run=RunContext())
    assert "resnet18.pdparams" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused(hooks):
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("this Paddle is built for GPUs")
    with pytest.raises(UnsupportedError, match="no GPU"):
        hooks.load_model(backend="paddle", source=ModelSource("cnn", 10, 1, (8, 8)), run=RunContext(device="gpu"))


def test_a_network_of_ones_own_has_its_own_paths_as_names(hooks):
    import paddle

    model = paddle.nn.Sequential(paddle.nn.Conv2D(1, 4, 3), paddle.nn.BatchNorm2D(4), paddle.nn.Linear(4, 2))
    state = hooks.save(backend="paddle", model=model)
    assert {name: values.shape for name, values in state.items()} == {
        "0.weight": (4, 1, 3, 3),
        "0.bias": (4,),
        "1.weight": (4,),
        "1.bias": (4,),
        "1.running_mean": (4,),
        "1.running_var": (4,),
        "2.weight": (2, 4),
        "2.bias": (2,),
    }
