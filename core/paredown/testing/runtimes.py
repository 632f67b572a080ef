"""What every runtime must do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.algorithms.outputs import as_tuple, one_or_all
from paredown.contracts import FloatArray, Outputs, Runtime
from paredown.deploy.measure import RuntimeReference, measure_latency, peak_memory_mb
from paredown.deploy.measure_process import build_runtime
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.errors import DeployError
from paredown.manager import Manager
from paredown.plan import QuantPlan
from paredown.spec.models import QuantizeStep, QuantizeWeights
from paredown.testing.components import ComponentConformance

INPUT_SHAPE = (2, 6, 6)
"""(channels, height, width) of the suite's images."""


class RuntimeConformance(ComponentConformance):
    """A runtime: computes what the file says, for any batch, and refuses what is no file of its own.

    A runtime that reads another format than ONNX overrides the fixture `deployed`.
    """

    slot = "runtime"

    @pytest.fixture(scope="class")
    @classmethod
    def runtime(cls, implementation: Any, config: Any) -> Runtime:
        built: Runtime = implementation(config)
        return built

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls) -> FloatArray:
        return np.random.default_rng(0).standard_normal((8, *INPUT_SHAPE)).astype(np.float32)

    @pytest.fixture(scope="class")
    @classmethod
    def deployed(cls, images: FloatArray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outputs]:
        """A small float network for images of `INPUT_SHAPE` in the runtime's format, and its outputs for `images`."""
        from onnx.reference import ReferenceEvaluator

        from paredown.deploy.files import to_bytes

        model = _network()
        path = tmp_path_factory.mktemp("runtime") / "network.onnx"
        path.write_bytes(to_bytes(model))
        outputs: FloatArray = ReferenceEvaluator(model).run(None, {"image": images})[0]
        return path, outputs

    def test_it_reads_what_some_backend_writes(self, runtime: Runtime, manager: Manager) -> None:
        written = {name for info in manager.registry.backends.values() for name in info.formats}
        assert runtime.format in {"onnx", *written}

    def test_it_computes_what_the_file_says(
        self, runtime: Runtime, deployed: tuple[Path, Outputs], images: FloatArray
    ) -> None:
        path, expected = deployed
        require_equal_outputs(run_file(runtime, path, images), expected, path)

    @pytest.mark.parametrize("group_size", [None, 4, 9], ids=lambda size: f"groups of {size}" if size else "channels")
    @pytest.mark.parametrize("bits", [8, 4, 2, 1])
    def test_it_computes_with_weights_of_every_width_as_they_are_stored_for_it(
        self, runtime: Runtime, images: FloatArray, tmp_path: Path, bits: int, group_size: int | None
    ) -> None:
        from onnx.reference import ReferenceEvaluator

        from paredown.deploy.files import to_bytes
        from paredown.deploy.runtimes import ternary_storage
        from paredown.deploy.writing import write_quantized

        if runtime.format != "onnx":
            pytest.skip("the runtime quantizes by itself")
        model, plan = _network(), _weights_plan(bits, group_size)
        (tmp_path / "weights.onnx").write_bytes(
            to_bytes(write_quantized(model, plan, ternary=ternary_storage(runtime)))
        )
        expected = ReferenceEvaluator(_with_quantized_weights(model, plan)).run(None, {"image": images})[0]
        require_equal_outputs(run_file(runtime, tmp_path / "weights.onnx", images), expected, tmp_path / "weights.onnx")

    def test_it_gives_every_output_in_the_order_of_the_file(
        self, runtime: Runtime, images: FloatArray, tmp_path: Path
    ) -> None:
        from onnx.reference import ReferenceEvaluator

        from paredown.deploy.files import to_bytes

        if runtime.format != "onnx":
            pytest.skip("the suite writes ONNX files alone")
        model, path = _network_of_three(), tmp_path / "three.onnx"
        path.write_bytes(to_bytes(model))
        expected = one_or_all(ReferenceEvaluator(model).run(None, {"image": images}))
        found = run_file(runtime, path, images, batch_size=3)
        assert isinstance(found, tuple)
        require_equal_outputs(found, expected, path)

    def test_a_batch_may_have_any_number_of_images(
        self, runtime: Runtime, deployed: tuple[Path, Outputs], images: FloatArray
    ) -> None:
        path, expected = deployed
        for size in (1, 3, len(images)):
            require_equal_outputs(run_file(runtime, path, images, batch_size=size), expected, path)

    def test_outputs_stay_what_they_are_when_it_runs_again(
        self, runtime: Runtime, deployed: tuple[Path, Outputs], images: FloatArray
    ) -> None:
        session = runtime.load(deployed[0], threads=1)
        given = as_tuple(session.run(images))
        kept = [output.copy() for output in given]
        session.run(np.zeros_like(images))
        for output, expected, again in zip(given, kept, as_tuple(session.run(images)), strict=True):
            np.testing.assert_array_equal(output, expected)
            np.testing.assert_array_equal(again, expected)

    def test_images_that_do_not_fit_are_a_deploy_error(
        self, runtime: Runtime, deployed: tuple[Path, Outputs], images: FloatArray
    ) -> None:
        session = runtime.load(deployed[0], threads=1)
        wider = np.concatenate([images, images], axis=1)
        with pytest.raises(DeployError) as raised:
            session.run(wider)
        assert raised.value.problems[0].remedy

    def test_what_is_no_network_is_a_deploy_error_that_names_it(self, runtime: Runtime, tmp_path: Path) -> None:
        path = tmp_path / "broken.onnx"
        path.write_bytes(b"this is no network")
        with pytest.raises(DeployError, match=r"broken\.onnx") as raised:
            runtime.load(path, threads=1)
        assert raised.value.problems[0].remedy

    def test_it_names_the_files_that_are_shipped(self, runtime: Runtime, deployed: tuple[Path, Outputs]) -> None:
        shipped = runtime.files(deployed[0])
        assert shipped
        assert all(one.is_file() and one.is_relative_to(deployed[0]) for one in shipped)

    def test_another_process_can_build_it_again(self, runtime: Runtime) -> None:
        again = build_runtime(RuntimeReference.of(runtime))
        assert (again.name, again.config) == (runtime.name, runtime.config)

    def test_it_is_measured(self, runtime: Runtime, deployed: tuple[Path, Outputs]) -> None:
        reference, same = measure_latency(runtime, [deployed[0], deployed[0]], INPUT_SHAPE)
        assert reference.ratio == 1
        assert 0 < same.ratio < 10
        assert peak_memory_mb(runtime, deployed[0], INPUT_SHAPE) > 1

    def test_it_says_its_versions(self, runtime: Runtime) -> None:
        assert runtime.versions()
        assert all(runtime.versions().values())


def _network() -> Any:
    """A convolution, ReLU, global pooling and a Linear layer, as the canonical graph spells them."""
    from onnx import TensorProto, helper, numpy_helper

    from paredown.deploy.canonical.wrap import finish

    generator = np.random.default_rng(1)
    shapes = {"conv.weight": (4, INPUT_SHAPE[0], 3, 3), "conv.bias": (4,), "fc.weight": (3, 4), "fc.bias": (3,)}
    nodes = [
        helper.make_node("Conv", ["image", "conv.weight", "conv.bias"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["outputs"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *INPUT_SHAPE])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", 3])],
        [
            numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
            for name, shape in shapes.items()
        ],
    )
    return finish(graph)


def _network_of_three() -> Any:
    """The network of `_network`, which also returns what it pooled, and before that a map."""
    from onnx import TensorProto, helper

    model = _network()
    for name, shape in (("relu", [4, *INPUT_SHAPE[1:]]), ("flat", [4])):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]))
    return model


def _weights_plan(bits: int, group_size: int | None) -> QuantPlan:
    """Weights of so many bits, in groups or by output channel; groups of 4 do not divide the 18 numbers of a filter."""
    from paredown.deploy.points import make_plan

    weights = QuantizeWeights(bits=bits, granularity="group" if group_size else "channel", group_size=group_size)
    return make_plan(_network(), {}, QuantizeStep(mode="weight_only", weights=weights), "portable")


def _with_quantized_weights(model: Any, plan: QuantPlan) -> Any:
    """The float network with the numbers that the integers stand for."""
    from paredown.algorithms.quantizing import fake_quantize
    from paredown.deploy.canonical.graph import array_of, constants, with_arrays

    known = constants(model.graph)
    names = {f"{point.layer}.weight": point.tensor for point in plan.points}
    return with_arrays(model, {name: fake_quantize(array_of(known[name]), tensor) for name, tensor in names.items()})
