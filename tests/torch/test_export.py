"""Folding and exporting: the files hold the network's bytes and compute what the network does."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from paredown.algorithms.fold import find_folds
from paredown.contracts import ExportRequest, Fold
from paredown.errors import DeployError, ModelError, UnsupportedError
from paredown_torch import plugin

# torch.export marks its own use of pytree and of the exporter's registries as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folded resnet20 and its ONNX file; the exporter takes seconds, so once."""
    from paredown.contracts import MeasureRequest, ModelSource, RunContext

    model = plugin.load_model("torch", ModelSource("resnet20", 10, 1, (8, 8)), RunContext(0, "cpu"))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
    layers = plugin.measure("torch", model, MeasureRequest("layers", (1, 8, 8))).layers
    folded = plugin.fold("torch", model, find_folds(layers)).train()
    path = tmp_path_factory.mktemp("onnx") / "new" / "network.onnx"
    result = plugin.export("torch", folded, ExportRequest("onnx", path, (1, 8, 8)))
    return folded, result, path


def test_folding_changes_no_output_and_leaves_the_network_alone(build, images, layers_of):
    model = build("mobilenet_v2")
    before = copy.deepcopy(model.state_dict())
    expected = plugin.evaluate("torch", model, images(2))
    folded = plugin.fold("torch", model, find_folds(layers_of(model)))

    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert np.abs(plugin.evaluate("torch", folded, images(2)) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_what_cannot_be_folded_is_named(build):
    with pytest.raises(ModelError, match="relu1"):
        plugin.fold("torch", build("cnn"), [Fold("relu1", "bn1")])
    with pytest.raises(ModelError, match="fc"):
        plugin.fold("torch", build("cnn"), [Fold("conv1", "fc")])


def test_the_onnx_file_computes_what_the_network_does_at_any_batch(exported, images):
    folded, result, path = exported
    assert result.files == (path,)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 7):
        batch = images(count, 1, 8)
        expected = plugin.evaluate("torch", folded, batch)
        found = session.run(None, {session.get_inputs()[0].name: batch})[0]
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_onnx_file_holds_the_folded_weights_byte_for_byte(exported):
    folded, result, path = exported
    model = onnx.load(path)
    held = {result.names.get(i.name, i.name): numpy_helper.to_array(i) for i in model.graph.initializer}

    assert model.opset_import[0].version == 21
    for name, values in plugin.save("torch", folded).items():
        assert held[name].tobytes() == values.tobytes(), name


def test_exporting_leaves_the_network_and_the_terminal_as_they_were(exported, tmp_path, capfd):
    folded, _, path = exported
    assert folded.training
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    plugin.export("torch", nn.Sequential(nn.Linear(3, 2)), ExportRequest("onnx", tmp_path / "a.onnx", (3, 4, 3)))
    assert capfd.readouterr().out == ""


def test_torchs_own_format_is_a_state_and_a_program(build, images, tmp_path):
    model = build("cnn")
    result = plugin.export("torch", model, ExportRequest("torch", tmp_path / "files", (3, 32, 32)))

    assert sorted(path.name for path in result.files) == ["model.pt2", "state.pth"]
    state = torch.load(tmp_path / "files" / "state.pth", weights_only=True)
    assert all(torch.equal(values, state[name]) for name, values in model.state_dict().items())
    program = torch.export.load(tmp_path / "files" / "model.pt2").module()
    found = program(torch.from_numpy(images(5))).detach().numpy()
    assert np.allclose(found, plugin.evaluate("torch", model, images(5)), atol=1e-6)


def test_a_network_that_does_not_export_is_an_error_and_leaves_no_file(tmp_path):
    class Eigenvalues(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvals(x).real

    with pytest.raises(DeployError) as raised:
        plugin.export("torch", Eigenvalues(), ExportRequest("onnx", tmp_path / "net.onnx", (1, 4, 4)))

    assert raised.value.problems[0].value == "aten.linalg_eig"
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused(build, tmp_path):
    with pytest.raises(UnsupportedError, match="tflite"):
        plugin.export("torch", build("cnn"), ExportRequest("tflite", tmp_path / "a", (3, 32, 32)))


def test_a_weight_that_is_stored_transposed_keeps_its_neutral_name(tmp_path, images):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.Flatten(2), nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3))
    written = plugin.export("torch", model, ExportRequest("onnx", tmp_path / "tokens.onnx", (3, 8, 8)))
    held = {t.name: numpy_helper.to_array(t) for t in onnx.load(written.files[0]).graph.initializer}
    found = {written.names.get(name, name): values for name, values in held.items()}

    for name, values in plugin.save("torch", model).items():
        assert np.array_equal(found[name], values) or np.array_equal(found[name], values.T)
