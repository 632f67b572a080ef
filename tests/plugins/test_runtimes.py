"""The runtimes that read ONNX, through the public door; Paddle Inference is in tests/paddle."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import onnx
import pytest
from helpers import QUICKSTART
from onnx import TensorProto, helper, numpy_helper

from paredown.contracts import BackendInfo
from paredown.deploy.runtimes import problems
from paredown.errors import ComponentMissing
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.testing import RuntimeConformance

WITHOUT_OPENVINO = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed (an extra)")


class TestOnnxRuntime(RuntimeConformance):
    name = "onnxruntime"


@WITHOUT_OPENVINO
class TestOpenVino(RuntimeConformance):
    name = "openvino"


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


def runtime(manager, name):
    config = manager.registry.components["runtime", name].config()
    return manager.registry.implementation("runtime", name)(config)


def integer_network():
    """A convolution and a Linear layer as our QDQ files spell them: u8 activations, s8 weights of 7 bits."""
    random = np.random.default_rng(0)
    tensors = {
        "conv.weight": random.integers(-64, 65, (8, 2, 3, 3), dtype=np.int8),
        "conv.weight_s": random.uniform(0.002, 0.01, 8).astype(np.float32),
        "fc.weight": random.integers(-64, 65, (3, 8), dtype=np.int8),
        "fc.weight_s": random.uniform(0.002, 0.01, 3).astype(np.float32),
        "fc.weight_z": np.zeros(3, np.int8),
        "s0": np.float32(0.03),
        "z0": np.uint8(128),
        "s1": np.float32(0.02),
        "z1": np.uint8(0),
    }

    def qdq(name, scale, zero):
        return [
            helper.make_node("QuantizeLinear", [name, scale, zero], [f"{name}_q"]),
            helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [f"{name}_d"]),
        ]

    nodes = [
        *qdq("image", "s0", "z0"),
        helper.make_node("DequantizeLinear", ["conv.weight", "conv.weight_s"], ["cw"], axis=0),
        helper.make_node("Conv", ["image_d", "cw"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        *qdq("relu", "s1", "z1"),
        helper.make_node("GlobalAveragePool", ["relu_d"], ["pool"]),
        *qdq("pool", "s1", "z1"),
        helper.make_node("Flatten", ["pool_d"], ["flat"]),
        helper.make_node("DequantizeLinear", ["fc.weight", "fc.weight_s", "fc.weight_z"], ["fw"], axis=0),
        helper.make_node("Gemm", ["flat", "fw"], ["outputs"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 2, 6, 6])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("name", ["onnxruntime", pytest.param("openvino", marks=WITHOUT_OPENVINO)])
def test_an_integer_file_means_in_every_runtime_what_the_standard_says(manager, name, tmp_path):
    from onnx.reference import ReferenceEvaluator

    model = integer_network()
    onnx.save(model, tmp_path / "int8.onnx")
    images = np.random.default_rng(1).standard_normal((16, 2, 6, 6)).astype(np.float32)
    expected = ReferenceEvaluator(model).run(None, {"image": images})[0]
    found = runtime(manager, name).load(tmp_path / "int8.onnx", threads=1).run(images)
    # A runtime may round a tie the other way where it multiplies scales first: one step of the pooled tensor.
    step = 0.02 * 64 * 0.01 * 8
    assert np.abs(found - expected).max() <= step
    assert np.median(np.abs(found - expected)) <= 1e-5


def test_a_runtime_that_is_not_installed_says_how_to_install_it(manager, monkeypatch):
    entry = manager.registry.components["runtime", "openvino"]
    needing = replace(entry, distributions=("no-such-package",))
    monkeypatch.setitem(manager.registry.components, ("runtime", "openvino"), needing)
    with pytest.raises(ComponentMissing, match="not installed") as raised:
        manager.registry.implementation("runtime", "openvino")
    assert raised.value.exit_code == 3
    problem = raised.value.problems[0]
    assert "no-such-package" in problem.value
    assert problem.remedy == 'pip install "paredown[openvino]"'


def test_a_runtime_that_reads_what_a_backend_does_not_write_is_refused_by_both_names(manager):
    inference = runtime(manager, "paddle_inference")
    spec = load_spec(QUICKSTART, manager.registry)
    writes = BackendInfo("paddle", "Paddle", (), "", (), ("paddle.nn", "Layer"), ("paddle", "paddle_old_ir"))
    other = BackendInfo("torch", "PyTorch", (), "", (), ("torch.nn", "Module"), ("torch",))
    assert not [one for one in problems(inference, writes, spec) if "reads" in one]
    (told,) = problems(inference, other, spec)
    assert "`paddle_inference` reads `paddle`" in told
    assert "writes onnx and torch" in told
    assert "kind: onnxruntime" in told


@pytest.mark.parametrize(("target", "refused"), [("portable", False), ("avx2", True), ("vnni", False), ("arm", False)])
def test_a_range_that_a_runtimes_own_quantizer_does_not_keep_is_refused_where_it_is_asked_for(manager, target, refused):
    inference = runtime(manager, "paddle_inference")
    spec = load_spec(QUICKSTART, manager.registry)
    spec = spec.model_copy(update={"deploy": spec.deploy.model_copy(update={"target": target})})
    writes = BackendInfo("paddle", "Paddle", (), "", (), ("paddle.nn", "Layer"), ("paddle", "paddle_old_ir"))
    told = [one for one in problems(inference, writes, spec) if one.startswith("deploy.target")]
    assert bool(told) == refused
    assert all("onnxruntime" in one for one in told)


def test_naming_the_runtimes_imports_none_of_them():
    code = (
        "import sys\n"
        "from paredown.manager import Manager\n"
        "manager = Manager.discover()\n"
        "manager.registry.json_schema()\n"
        "heavy = {'openvino', 'paddle', 'paddleslim', 'onnxruntime', 'numpy', 'onnx'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
