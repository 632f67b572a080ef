"""Networks: the twins' names and shapes, saving, restoring, and errors that tell what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paredown.contracts import ModelSource, RunContext
from paredown.errors import ModelError, UnsupportedError, WeightsError
from paredown.twins import TORCH_ONLY
from paredown_torch import plugin
from paredown_torch.zoo import NAMES

SAMPLE = [name for name in TORCH_ONLY if name != "vit_b_16"]


def test_resnet20_has_the_layers_of_the_paper(build):
    state = plugin.save("torch", build("resnet20", in_channels=1))

    assert sum(values.size for name, values in state.items() if "running" not in name) == 272_186
    assert state["conv1.weight"].shape == (16, 1, 3, 3)
    assert state["layer1.2.conv2.weight"].shape == (16, 16, 3, 3)
    assert state["layer2.0.downsample.0.weight"].shape == (32, 16, 1, 1)
    assert state["layer3.0.downsample.1.running_var"].shape == (64,)
    assert state["fc.weight"].shape == (10, 64)
    assert "layer1.0.downsample.0.weight" not in state


def test_cnn_is_three_convolutions_and_one_linear_layer(build):
    state = plugin.save("torch", build("cnn", in_channels=1))

    assert {name: values.shape for name, values in state.items() if values.ndim > 1} == {
        "conv1.weight": (32, 1, 3, 3),
        "conv2.weight": (64, 32, 3, 3),
        "conv3.weight": (128, 64, 3, 3),
        "fc.weight": (10, 128),
    }


def test_mobilenet_v1_has_the_layers_of_the_paper(build):
    state = plugin.save("torch", build("mobilenet_v1"))
    weights = {name: values.shape for name, values in state.items() if values.ndim > 1}

    assert len(weights) == 1 + 2 * 13 + 1
    assert weights["conv1.0.weight"] == (32, 3, 3, 3)
    assert weights["blocks.3.depthwise.0.weight"] == (128, 1, 3, 3)
    assert weights["blocks.12.pointwise.0.weight"] == (1024, 1024, 1, 1)
    assert sum(v.size for name, v in state.items() if "running" not in name and "fc" not in name) == 3_206_976


def test_mobilenet_v2_small_has_inverted_residuals(build):
    model = build("mobilenet_v2_small", in_channels=1)
    state = plugin.save("torch", model)

    assert "blocks.0.expand.0.weight" not in state
    assert state["blocks.1.expand.0.weight"].shape == (48, 8, 1, 1)
    assert state["blocks.11.project.0.weight"].shape == (80, 288, 1, 1)
    assert state["classifier.weight"].shape == (10, 160)
    assert [block.has_shortcut for block in model.blocks] == [n in (2, 4, 5, 7, 8, 10) for n in range(12)]
    assert model.head(model.blocks(model.stem(torch.zeros(1, 1, 28, 28)))).shape == (1, 160, 7, 7)


def test_a_vision_transformer_is_built_for_the_size_of_the_images():
    model = plugin.load_model("torch", ModelSource("vit_b_16", 10, 3, (32, 32)), RunContext(device="cpu"))
    assert plugin.evaluate("torch", model, np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 10)
    with pytest.raises(ModelError, match="images of this size") as raised:
        plugin.load_model("torch", ModelSource("vit_b_16", 10, 3, (28, 28)), RunContext(device="cpu"))
    assert "a multiple of 16" in str(raised.value)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet121", "shufflenet_v2_x1_0", *SAMPLE])
def test_torchvision_networks_take_other_channels_and_classes(name):
    source = ModelSource(name, 7, 1, (32, 32))
    model = plugin.load_model("torch", source, RunContext(device="cpu"))

    assert plugin.evaluate("torch", model, np.zeros((2, 1, 32, 32), np.float32)).shape == (2, 7)
    assert not model.training


def test_one_seed_gives_one_network_and_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    source = ModelSource("cnn", 10, 1, (8, 8))
    first, second, other = (
        plugin.save("torch", plugin.load_model("torch", source, RunContext(seed, "cpu"))) for seed in (1, 1, 2)
    )

    assert torch.equal(torch.rand(3), expected)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])


def test_what_was_saved_is_restored_byte_for_byte(build):
    saved = plugin.save("torch", build("resnet20"))
    fresh = plugin.load_model("torch", ModelSource("resnet20", 10, 3, (32, 32)), RunContext(3, "cpu"))
    again = plugin.save("torch", plugin.restore("torch", fresh, saved))

    assert list(again) == list(saved)
    assert all(again[name].tobytes() == saved[name].tobytes() for name in saved)
    assert all(values.dtype == np.float32 for values in saved.values())
    assert not any(name.endswith("num_batches_tracked") for name in saved)


def test_a_network_of_ones_own_is_saved_and_restored():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3, dtype=torch.float64), torch.nn.BatchNorm1d(3))
    state = plugin.save("torch", model)

    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    plugin.restore("torch", model, {name: np.full_like(values, 2) for name, values in state.items()})
    assert model[0].weight[0, 0].item() == 2.0


def test_saved_arrays_are_copies(build):
    model = build("cnn")
    plugin.save("torch", model)["fc.bias"][:] = 100

    assert plugin.save("torch", model)["fc.bias"].max() < 100


def test_weights_that_do_not_fit_are_all_named_and_change_nothing(build):
    model = build("cnn")
    before = plugin.save("torch", model)
    wrong = {name: values + 1 for name, values in before.items() if name != "bn1.weight"}
    wrong["bn1.weigth"] = before["bn1.weight"]
    wrong["fc.weight"] = np.zeros((5, 128), np.float32)

    with pytest.raises(WeightsError) as raised:
        plugin.restore("torch", model, wrong)

    text = str(raised.value)
    assert [problem.where for problem in raised.value.problems] == ["bn1.weight", "fc.weight", "bn1.weigth"]
    assert "shape 5x128" in text
    assert "shape 10x128" in text
    assert "the weights hold bn1.weigth" in text
    after = plugin.save("torch", model)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_pretrained_weights_without_a_network_name_the_file_and_the_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def unreachable(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(WeightsError) as raised:
        plugin.load_model("torch", ModelSource("resnet18", 10, 3, (32, 32), pretrained=True), RunContext(0, "cpu"))

    assert f"the file resnet18-f37072fd.pth in {tmp_path}" in str(raised.value)


def test_pretrained_weights_in_the_cache_are_used_and_another_head_is_drawn_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    from torchvision import models

    published = models.mobilenet_v3_small()
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(published.state_dict(), checkpoints / "mobilenet_v3_small-047dcff4.pth")
    source = ModelSource("mobilenet_v3_small", 10, 3, (32, 32), pretrained=True)
    state = plugin.save("torch", plugin.load_model("torch", source, RunContext(0, "cpu")))

    assert state["classifier.3.weight"].shape == (10, 1024)
    assert np.array_equal(state["features.0.0.weight"], published.state_dict()["features.0.0.weight"].numpy())


def test_nobody_publishes_weights_of_the_twins():
    with pytest.raises(WeightsError, match="resnet20"):
        plugin.load_model("torch", ModelSource("resnet20", 10, 3, (32, 32), pretrained=True), RunContext(0, "cpu"))


def test_an_unknown_network_is_an_error_with_the_nearest_name():
    with pytest.raises(ModelError) as raised:
        plugin.load_model("torch", ModelSource("resnet21", 10, 3, (32, 32)), RunContext(0, "cpu"))

    assert "did you mean resnet20?" in str(raised.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said_so():
    with pytest.raises(UnsupportedError, match="no GPU"):
        plugin.load_model("torch", ModelSource("cnn", 10, 3, (32, 32)), RunContext(0, "gpu"))


def test_the_hooks_leave_other_backends_alone():
    assert plugin.load_model("paddle", ModelSource("cnn", 10, 3, (32, 32)), RunContext()) is None
    assert plugin.save("paddle", None) is None
    assert plugin.register_backend().models == NAMES
