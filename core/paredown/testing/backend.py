"""What every backend must do, whatever its framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paredown.algorithms.fold import find_folds
from paredown.algorithms.qparams import weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.contracts import ExportRequest, FloatArray, Model
from paredown.errors import PlanError, WeightsError
from paredown.manager import Manager
from paredown.plan import QuantizationPoint, QuantPlan
from paredown.spec.models import QuantizeWeights
from paredown.testing.harness import assert_equal
from paredown.testing.measuring import MeasuringConformance
from paredown.testing.pruning import PruningConformance
from paredown.testing.training import TrainingConformance


class BackendConformance(MeasuringConformance, PruningConformance, TrainingConformance):
    """Set `backend`; `source` may name another small network of the backend's zoo, with BatchNorm and a last Linear."""

    def test_weights_come_back_as_they_were_saved(self, manager: Manager, model: Model) -> None:
        before = manager.save(self.backend, model)
        restored = manager.restore(self.backend, self._build(manager, seed=1), before)
        assert_equal(manager.save(self.backend, restored), before)

    def test_saved_arrays_are_copies(self, manager: Manager, model: Model) -> None:
        state = manager.save(self.backend, model)
        for values in state.values():
            values.fill(7)
        assert not np.array_equal(next(iter(manager.save(self.backend, model).values())), next(iter(state.values())))

    def test_weights_of_another_shape_are_refused_by_name(self, manager: Manager, model: Model) -> None:
        state = dict(manager.save(self.backend, model))
        name = next(iter(state))
        state[name] = np.zeros((1, 2, 3), dtype=np.float32)
        with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
            manager.restore(self.backend, model, state)

    def test_folding_keeps_the_outputs_and_the_original(
        self, manager: Manager, model: Model, images: FloatArray
    ) -> None:
        before, outputs = manager.save(self.backend, model), manager.evaluate(self.backend, model, images)
        folds = find_folds(manager.measure(self.backend, model, self._request("layers")).layers)
        folded = manager.fold(self.backend, model, folds)
        state = manager.save(self.backend, folded)
        assert folds
        assert not any(name.startswith(f"{fold.batch_norm}.") for name in state for fold in folds)
        np.testing.assert_allclose(manager.evaluate(self.backend, folded, images), outputs, rtol=0, atol=1e-4)
        assert_equal(manager.save(self.backend, model), before)

    def test_the_exported_file_is_the_network(
        self, manager: Manager, model: Model, images: FloatArray, tmp_path: Path
    ) -> None:
        import onnx
        import onnxruntime

        from paredown.deploy.canonical import canonicalize

        folded = self._folded(manager, model)
        path = tmp_path / "raw.onnx"
        written = manager.export(self.backend, folded, ExportRequest("onnx", path, self._shape))
        graph = canonicalize(onnx.load(path), written.names)
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        expected = manager.evaluate(self.backend, folded, images)
        (found,) = session.run(None, {session.get_inputs()[0].name: images})
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * float(np.abs(expected).max()))
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
        weights = {name: values for name, values in manager.save(self.backend, folded).items() if name in stored}
        assert any(values.ndim == 4 for values in weights.values())
        assert_equal({name: stored[name] for name in weights}, weights)

    def test_simulated_weights_are_the_references(self, manager: Manager, model: Model, images: FloatArray) -> None:
        folded = self._folded(manager, model)
        state = manager.save(self.backend, folded)
        name = next(name for name, values in state.items() if values.ndim == 4)
        tensor = weight_qparams(state[name], QuantizeWeights(), "portable")
        point = QuantizationPoint(layer=name.removesuffix(".weight"), port="weight", tensor=tensor)
        outcome = manager.quantize(self.backend, folded, QuantPlan(target="portable", points=(point,)))
        assert outcome.evidence["points"] == 1
        assert np.isfinite(manager.evaluate(self.backend, outcome.model, images)).all()
        np.testing.assert_array_equal(
            manager.save(self.backend, outcome.model)[name], fake_quantize(state[name], tensor)
        )

    def test_a_point_of_no_layer_is_refused(self, manager: Manager, model: Model) -> None:
        tensor = weight_qparams(np.ones((1, 1)), QuantizeWeights(granularity="tensor"), "portable")
        point = QuantizationPoint(layer="no.such.layer", port="weight", tensor=tensor)
        with pytest.raises(PlanError, match=r"no\.such\.layer"):
            manager.quantize(self.backend, model, QuantPlan(target="portable", points=(point,)))
