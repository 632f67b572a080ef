"""What the suites of a backend share: the manager, the network, its groups, a plan, and a short training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.algorithms import batches
from paredown.algorithms.fold import find_folds
from paredown.algorithms.groups import GroupSet
from paredown.algorithms.initialization import draw
from paredown.contracts import (
    Array,
    Batch,
    ExportRequest,
    FloatArray,
    IntArray,
    Masking,
    MeasureRequest,
    Model,
    ModelSource,
    RunContext,
    State,
    TrainingRun,
)
from paredown.manager import Manager
from paredown.plan import Cut, DistillPlan, PlannedLoss, PrunePlan
from paredown.spec.models import ConstantSchedule, OptimizerConfig, SgdConfig

HARD_LABEL = PlannedLoss(kind="hard_label", options={}, weight=1.0)


class BackendHarness:
    """Set `backend`; `source` may name another small network of the backend's zoo, with BatchNorm and a last Linear."""

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

    @pytest.fixture(scope="class")
    @classmethod
    def groups(cls, manager: Manager, tmp_path_factory: pytest.TempPathFactory) -> GroupSet:
        import onnx

        from paredown.deploy.canonical import canonicalize
        from paredown.deploy.coupling import find_groups

        suite = cls()
        model = suite._build(manager)
        folds = find_folds(manager.measure(cls.backend, model, suite._request("layers")).layers)
        path: Path = tmp_path_factory.mktemp("groups") / "raw.onnx"
        folded = manager.fold(cls.backend, model, folds)
        written = manager.export(cls.backend, folded, ExportRequest("onnx", path, suite._shape))
        state = manager.save(cls.backend, model)
        found = find_groups(canonicalize(onnx.load(path), written.names, list(state)), state, folds)
        assert found.groups
        return found

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (self.source.in_channels, *self.source.input_size)

    def _request(self, what: Any, **more: Any) -> MeasureRequest:
        return MeasureRequest(what, self._shape, **more)

    def _loss(self, manager: Manager, kind: str = "hard_label") -> Any:
        return manager.registry.implementation("distill_loss", kind, self.backend)

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

    def _plan(self, groups: GroupSet) -> PrunePlan:
        """Removes every other channel of each group: as many from each block."""
        cuts = tuple(Cut(group=group, remove=tuple(range(0, group.size, 2))) for group in groups.groups)
        return PrunePlan(input_shape=self._shape, criterion={}, scope="local", amount={"ratio": 0.5}, cuts=cuts)

    def _masks(self, state: State) -> dict[str, Array]:
        """Masks that keep half of each weight, at random."""
        generator = np.random.default_rng(3)
        return {name: generator.random(values.shape) < 0.5 for name, values in state.items() if values.ndim > 1}

    def _train(
        self,
        manager: Manager,
        model: Model,
        losses: tuple[PlannedLoss, ...] = (HARD_LABEL,),
        teacher: Model | None = None,
        images: FloatArray | None = None,
        masking: Masking | None = None,
        optimizer: OptimizerConfig | None = None,
        epochs: int = 4,
        batch_size: int = 16,
        bn_l1: float = 0.0,
    ) -> Any:
        data = self._patterns()
        if images is not None:
            data = (images, data[1][: len(images)])

        def epoch(index: int) -> Iterator[Batch]:
            return batches.epoch_batches(data, batch_size, 0, index)

        optimizer = optimizer or SgdConfig(lr=0.05)
        plan = DistillPlan(
            losses=losses,
            teacher="baseline" if teacher is not None else None,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            schedule=ConstantSchedule(),
            bn_l1=bn_l1,
        )
        run = TrainingRun(
            batches=epoch,
            steps_per_epoch=batches.batch_count(len(data[1]), batch_size),
            learning_rate=lambda step: optimizer.lr,  # noqa: ARG005
            losses=[self._loss(manager, loss.kind) for loss in losses],
            teacher=teacher,
            masking=masking,
        )
        return manager.distill(self.backend, model, plan, run)

    def _patterns(self) -> tuple[FloatArray, IntArray]:
        """64 images that can be learnt: a pattern for each class, and a little noise."""
        generator = np.random.default_rng(5)
        labels = np.arange(64) % self.source.num_classes
        patterns = generator.standard_normal((self.source.num_classes, *self._shape))
        noise = 0.1 * generator.standard_normal((64, *self._shape))
        return (patterns[labels] + noise).astype(np.float32), labels


def assert_equal(found: State, expected: State) -> None:
    """Asserts that two networks hold the same names and values."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
