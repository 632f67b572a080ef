"""What every backend must do, whatever its framework."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.algorithms import batches, counting, groups, importance, selection
from paredown.algorithms.fold import find_folds
from paredown.algorithms.initialization import draw
from paredown.algorithms.qparams import fake_quantize, symmetric_qparams
from paredown.algorithms.surgery import cut_state
from paredown.contracts import (
    ExportRequest,
    FloatArray,
    IntArray,
    MeasureRequest,
    Model,
    ModelSource,
    RunContext,
    State,
    TrainingRun,
)
from paredown.errors import ParedownError, PlanError, WeightsError
from paredown.manager import Manager
from paredown.plan import DistillPlan, PlannedLoss, PrunePlan, QuantizationPoint, QuantPlan
from paredown.spec.models import ConstantSchedule, SgdConfig


class BackendConformance:
    """Set `backend`; `source` may name another small network of the backend's zoo."""

    backend: str
    source = ModelSource(name="cnn", num_classes=10, in_channels=1, input_size=(8, 8))

    @pytest.fixture(scope="class")
    @classmethod
    def manager(cls) -> Manager:
        return Manager.discover()

    @pytest.fixture
    def model(self, manager: Manager) -> Model:
        return self._build(manager)

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls) -> FloatArray:
        height, width = cls.source.input_size
        shape = (16, cls.source.in_channels, height, width)
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def test_weights_come_back_as_they_were_saved(self, manager: Manager, model: Model) -> None:
        before = manager.save(self.backend, model)
        restored = manager.restore(self.backend, self._build(manager, seed=1), before)
        _assert_equal(manager.save(self.backend, restored), before)

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

    def test_layers_have_names_of_the_state_and_shapes_to_count(self, manager: Manager, model: Model) -> None:
        layers = manager.measure(self.backend, model, self._request("layers")).layers
        weighted = [layer for layer in layers if layer.weight_shape]
        state = manager.save(self.backend, model)
        assert {layer.name: layer.weight_shape for layer in weighted} == {
            name.removesuffix(".weight"): values.shape for name, values in state.items() if name.endswith(".weight")
        }
        assert counting.count_macs(layers) > 0
        assert [layer.name for layer in layers if layer.is_output] == [weighted[-1].name]

    def test_measuring_changes_nothing(self, manager: Manager, model: Model, images: FloatArray) -> None:
        state, outputs = manager.save(self.backend, model), manager.evaluate(self.backend, model, images)
        manager.measure(self.backend, model, self._request("layers"))
        manager.measure(self.backend, model, self._request("groups"))
        _assert_equal(manager.save(self.backend, model), state)
        np.testing.assert_array_equal(manager.evaluate(self.backend, model, images), outputs)

    def test_surgery_leaves_what_the_plan_says_and_nothing_else(self, manager: Manager, model: Model) -> None:
        plan = self._plan(manager, model)
        expected = cut_state(manager.save(self.backend, model), plan.cuts)
        pruned = manager.prune(self.backend, model, plan)
        _assert_equal(manager.save(self.backend, pruned.model), expected)
        assert pruned.evidence["cut_by"]

    def test_cut_channels_are_those_that_were_silent(self, manager: Manager, model: Model, images: FloatArray) -> None:
        # A network whose cut channels were zero everywhere computes the same without them.
        plan = self._plan(manager, model)
        state = {name: values.copy() for name, values in manager.save(self.backend, model).items()}
        for cut in plan.cuts:
            for member in cut.group.members:
                if not member.parameter.endswith("running_var") and member.channels is None:
                    np.moveaxis(state[member.parameter], member.axis, 0)[list(cut.remove)] = 0
        silent = manager.restore(self.backend, model, state)
        outputs = manager.evaluate(self.backend, silent, images)
        pruned = manager.prune(self.backend, silent, plan).model
        np.testing.assert_allclose(manager.evaluate(self.backend, pruned, images), outputs, rtol=0, atol=1e-4)

    def test_a_plan_replays_from_json_on_a_fresh_network(self, manager: Manager, model: Model) -> None:
        plan = PrunePlan.model_validate_json(self._plan(manager, model).model_dump_json())
        pruned = manager.prune(self.backend, model, plan).model
        again = manager.prune(self.backend, self._build(manager), plan).model
        _assert_equal(manager.save(self.backend, again), manager.save(self.backend, pruned))

    def test_a_pruned_network_can_be_pruned_again(self, manager: Manager, model: Model, images: FloatArray) -> None:
        once = manager.prune(self.backend, model, self._plan(manager, model)).model
        plan = self._plan(manager, once)
        expected = cut_state(manager.save(self.backend, once), plan.cuts)
        twice = manager.prune(self.backend, once, plan).model
        _assert_equal(manager.save(self.backend, twice), expected)
        assert np.isfinite(manager.evaluate(self.backend, twice, images)).all()

    def test_a_plan_of_another_network_is_refused(self, manager: Manager, model: Model) -> None:
        plan = self._plan(manager, model)
        smaller = manager.prune(self.backend, model, plan).model
        with pytest.raises(PlanError):
            manager.prune(self.backend, smaller, plan)

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
        _assert_equal(manager.save(self.backend, model), before)

    def test_the_exported_file_is_the_network(
        self, manager: Manager, model: Model, images: FloatArray, tmp_path: Path
    ) -> None:
        import onnx
        import onnxruntime

        from paredown.deploy.canonical import canonicalize

        folded = self._folded(manager, model)
        path = tmp_path / "raw.onnx"
        shape = (self.source.in_channels, *self.source.input_size)
        written = manager.export(self.backend, folded, ExportRequest("onnx", path, shape))
        graph = canonicalize(onnx.load(path), written.names)
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        expected = manager.evaluate(self.backend, folded, images)
        (found,) = session.run(None, {session.get_inputs()[0].name: images})
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * float(np.abs(expected).max()))
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
        weights = {name: values for name, values in manager.save(self.backend, folded).items() if name in stored}
        assert any(values.ndim == 4 for values in weights.values())
        _assert_equal({name: stored[name] for name in weights}, weights)

    def test_simulated_weights_are_the_references(self, manager: Manager, model: Model, images: FloatArray) -> None:
        folded = self._folded(manager, model)
        state = manager.save(self.backend, folded)
        name = next(name for name, values in state.items() if values.ndim == 4)
        absmax = np.abs(state[name]).reshape(len(state[name]), -1).max(axis=1)
        tensor = symmetric_qparams(absmax, -64, 64, bits=8, axis=0)
        point = QuantizationPoint(layer=name.removesuffix(".weight"), port="weight", tensor=tensor)
        outcome = manager.quantize(self.backend, folded, QuantPlan(target="portable", points=(point,)))
        assert outcome.evidence["points"] == 1
        assert np.isfinite(manager.evaluate(self.backend, outcome.model, images)).all()
        np.testing.assert_array_equal(
            manager.save(self.backend, outcome.model)[name], fake_quantize(state[name], tensor)
        )

    def test_a_point_of_no_layer_is_refused(self, manager: Manager, model: Model) -> None:
        tensor = symmetric_qparams(np.ones(1), -64, 64, bits=8, axis=None)
        point = QuantizationPoint(layer="no.such.layer", port="weight", tensor=tensor)
        with pytest.raises(PlanError, match=r"no\.such\.layer"):
            manager.quantize(self.backend, model, QuantPlan(target="portable", points=(point,)))

    def test_training_lowers_the_loss_and_repeats_bit_for_bit(self, manager: Manager) -> None:
        first, second = (self._train(manager, self._build(manager)) for _ in range(2))
        assert first.evidence["loss"][-1] < first.evidence["loss"][0]
        _assert_equal(manager.save(self.backend, first.model), manager.save(self.backend, second.model))

    def test_a_teacher_is_left_as_it_was(self, manager: Manager, model: Model) -> None:
        teacher = self._build(manager, seed=1)
        before = manager.save(self.backend, teacher)
        losses = (PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=1.0),)
        outcome = self._train(manager, model, losses, teacher)
        assert outcome.evidence["loss"][-1] < outcome.evidence["loss"][0]
        _assert_equal(manager.save(self.backend, teacher), before)

    def test_a_loss_that_is_not_finite_stops_the_training(self, manager: Manager, model: Model) -> None:
        with pytest.raises(ParedownError, match="epoch"):
            self._train(manager, model, images=np.full((8, 1, 8, 8), np.nan, dtype=np.float32))

    def _request(self, what: Any) -> MeasureRequest:
        return MeasureRequest(what, (self.source.in_channels, *self.source.input_size))

    def _build(self, manager: Manager, seed: int = 0) -> Model:
        model = manager.load_model(self.backend, self.source, RunContext(seed=seed, device="cpu"))
        state = draw(manager.save(self.backend, model), seed)
        generator = np.random.default_rng(seed)
        for name, values in state.items():  # BatchNorm statistics that are not the defaults: the defaults hide errors
            if name.endswith(("running_mean", ".bias")):
                state[name] = (values + 0.1 * generator.standard_normal(values.shape)).astype(np.float32)
            elif name.endswith("running_var") or values.ndim == 1:
                state[name] = (values * generator.uniform(0.5, 2, values.shape)).astype(np.float32)
        return manager.restore(self.backend, model, state)

    def _folded(self, manager: Manager, model: Model) -> Model:
        layers = manager.measure(self.backend, model, self._request("layers")).layers
        return manager.fold(self.backend, model, find_folds(layers))

    def _plan(self, manager: Manager, model: Model) -> PrunePlan:
        state = manager.save(self.backend, model)
        layers = manager.measure(self.backend, model, self._request("layers")).layers
        measured = manager.measure(self.backend, model, self._request("groups"))
        found = groups.normalise(measured.groups, state, layers, measured.left_whole).groups
        assert found
        scores = [importance.score(group, state, importance.l2, None) for group in found]
        cuts = selection.select(found, scores, 0.5, "local")
        shape = self._request("groups").input_shape
        return PrunePlan(input_shape=shape, criterion={"kind": "l2"}, scope="local", ratio=0.5, cuts=cuts)

    def _train(
        self,
        manager: Manager,
        model: Model,
        losses: tuple[PlannedLoss, ...] = (PlannedLoss(kind="hard_label", options={}, weight=1.0),),
        teacher: Model | None = None,
        images: FloatArray | None = None,
    ) -> Any:
        generator = np.random.default_rng(5)
        labels = np.arange(64) % self.source.num_classes
        if images is None:
            patterns = generator.standard_normal(
                (self.source.num_classes, self.source.in_channels, *self.source.input_size)
            )
            images = (patterns[labels] + 0.1 * generator.standard_normal((64, *patterns.shape[1:]))).astype(np.float32)
        data = (images, labels[: len(images)])

        def epoch(index: int) -> Iterator[tuple[FloatArray, IntArray]]:
            return batches.epoch_batches(data, 16, 0, index)

        plan = DistillPlan(
            losses=losses,
            teacher="baseline" if teacher is not None else None,
            epochs=4,
            batch_size=16,
            optimizer=SgdConfig(lr=0.05),
            schedule=ConstantSchedule(),
        )
        run = TrainingRun(
            batches=epoch,
            steps_per_epoch=batches.batch_count(len(data[1]), 16),
            learning_rate=lambda step: 0.05,  # noqa: ARG005
            losses=[manager.registry.implementation("distill_loss", loss.kind, self.backend) for loss in losses],
            teacher=teacher,
        )
        return manager.distill(self.backend, model, plan, run)


def _assert_equal(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
