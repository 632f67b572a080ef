"""What every component of a kind must do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from paredown.algorithms.objects import IGNORED, PADDING
from paredown.contracts import Activity, ChannelSlices, DataSplits, Observer
from paredown.errors import DataError
from paredown.manager import Manager


class ComponentConformance:
    """What every kind shares. Set `name`, and `options` where the component has some that are required."""

    slot: ClassVar[str]
    name: str
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def manager(cls) -> Manager:
        return Manager.discover()

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, manager: Manager) -> Any:
        return manager.registry.components[cls.slot, cls.name].config.model_validate({"kind": cls.name, **cls.options})

    @pytest.fixture(scope="class")
    @classmethod
    def implementation(cls, manager: Manager) -> Any:
        return manager.registry.implementation(cls.slot, cls.name)

    def test_its_kind_stands_in_the_schema(self, manager: Manager) -> None:
        definitions = manager.registry.json_schema()["$defs"].values()
        assert any(one.get("properties", {}).get("kind", {}).get("const") == self.name for one in definitions)

    def test_its_options_are_frozen_and_refuse_what_they_do_not_know(self, config: Any) -> None:
        with pytest.raises(ValidationError):
            config.kind = "other"
        with pytest.raises(ValidationError):
            type(config)(kind=self.name, no_such_option=1, **self.options)


class CriterionConformance(ComponentConformance):
    """A pruning criterion: one finite score a channel, or a weight, the same for the same numbers."""

    slot = "criterion"

    @pytest.fixture(scope="class")
    @classmethod
    def scorers(cls, manager: Manager, config: Any) -> list[tuple[Callable[[], Any], tuple[int, ...], list[Any]]]:
        """For channels and for weights, where it scores them: how to ask, the shape to expect, and what it reads."""
        granularities = manager.registry.components[cls.slot, cls.name].granularities
        found: list[tuple[Callable[[], Any], tuple[int, ...], list[Any]]] = []
        if "channel" in granularities:
            channels = manager.registry.implementation(cls.slot, cls.name)
            slices = _slices()
            found.append(
                (
                    lambda: channels(replace(slices, random=np.random.default_rng(0)), config),
                    (12,),
                    [*slices.weights, *slices.gradients],
                )
            )
        if {"weight", "n_m"} & set(granularities):
            weights = manager.registry.weight_criterion(cls.name)
            weight = np.random.default_rng(1).standard_normal((6, 8, 3, 3))
            found.append((lambda: weights(weight, config, np.random.default_rng(0)), weight.shape, [weight]))
        return found

    def test_it_scores_channels_or_weights(self, scorers: list[Any]) -> None:
        assert scorers

    def test_it_gives_one_finite_score_each(self, scorers: list[Any]) -> None:
        for score, shape, _ in scorers:
            scores = np.asarray(score())
            assert scores.shape == shape
            assert np.isfinite(scores).all()

    def test_it_repeats_itself_and_leaves_its_input_alone(self, scorers: list[Any]) -> None:
        for score, _, given in scorers:
            copies = [values.copy() for values in given]
            np.testing.assert_array_equal(score(), score())
            for values, copy in zip(given, copies, strict=True):
                np.testing.assert_array_equal(values, copy)


def _slices() -> ChannelSlices:
    """Twelve channels of a convolution, its BatchNorm and the layer that reads them, with all that can be measured."""
    generator = np.random.default_rng(0)
    shapes = (27, 1, 1, 40)
    return ChannelSlices(
        group="conv.weight",
        parameters=("conv.weight", "bn.weight", "bn.bias", "next.weight"),
        roles=("output", "scale", "shift", "input"),
        weights=tuple(generator.standard_normal((12, elements)) for elements in shapes),
        gradients=tuple(generator.standard_normal((12, 5)) for _ in shapes),
        activity=(Activity(generator.uniform(size=12), generator.uniform(size=12)),),
    )


class ObserverConformance(ComponentConformance):
    """An observer: a range that is ordered, finite, within what was seen, and zero for zeros alone; and it streams."""

    slot = "observer"

    @pytest.fixture(params=[(8, False), (8, True), (4, False), (16, False)], ids=["u8", "s8", "u4", "u16"])
    def observer(self, implementation: Any, config: Any, request: pytest.FixtureRequest) -> Observer:
        """A fresh one, for each width and symmetry that activations have."""
        bits, symmetric = request.param
        made: Observer = implementation(config, bits=bits, symmetric=symmetric)
        return made

    def test_its_range_is_ordered_finite_and_within_what_was_seen(self, observer: Observer) -> None:
        observer.update(np.linspace(-1, 3, 100, dtype=np.float32))
        low, high = observer.range()
        assert -1 <= low < high <= 3

    def test_more_batches_do_not_make_it_forget(self, observer: Observer) -> None:
        for _ in range(3):
            observer.update(np.linspace(-1, 3, 100, dtype=np.float32))
        low, high = observer.range()
        assert low < 0 < high

    def test_asking_twice_gives_the_same(self, observer: Observer) -> None:
        observer.update(np.random.default_rng(0).standard_normal(1000).astype(np.float32))
        assert observer.range() == observer.range()

    def test_it_leaves_the_values_alone(self, observer: Observer) -> None:
        values = np.random.default_rng(0).standard_normal((4, 5, 6)).astype(np.float32)
        before = values.copy()
        observer.update(values)
        np.testing.assert_array_equal(values, before)

    def test_its_memory_does_not_grow(self, observer: Observer) -> None:
        values = np.random.default_rng(0).standard_normal((64, 100)).astype(np.float32)
        sizes = []
        for _ in range(20):
            observer.update(values)
            sizes.append(len(pickle.dumps(observer)))
        assert sizes[-1] <= sizes[0] + values.nbytes / 4

    def test_zeros_alone_have_the_range_zero(self, observer: Observer) -> None:
        for _ in range(2):
            observer.update(np.zeros((2, 3), np.float32))
        assert observer.range() == (0.0, 0.0)

    @pytest.mark.parametrize("value", [1e-3, -1e-3, 1e30])
    def test_a_tensor_that_fired_once_has_a_range(self, observer: Observer, value: float) -> None:
        values = np.zeros((1000, 10), np.float32)
        values[500, 5] = value
        observer.update(values)
        observer.update(np.zeros((1000, 10), np.float32))
        low, high = observer.range()
        assert (low, high) != (0.0, 0.0)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_it_refuses_what_is_not_finite(self, observer: Observer, value: float) -> None:
        with pytest.raises(DataError):
            observer.update(np.array([0.0, value, 1.0], np.float32))

    def test_it_has_no_range_before_it_saw_something(self, observer: Observer) -> None:
        with pytest.raises(DataError):
            observer.range()

    def test_what_it_says_of_its_statistics_is_true(self, implementation: Any, config: Any) -> None:
        statistics = getattr(implementation, "statistics", "batches")
        assert statistics in ("batches", "values", "extremes")
        whole, other = implementation(config), implementation(config)
        generator = np.random.default_rng(0)
        for _ in range(3):
            batch = generator.standard_normal((24, 50)).astype(np.float32)
            whole.update(batch)
            if statistics == "extremes":
                other.update(np.array([batch.max(), batch.min()]))
            else:
                parts = (batch[16:], batch[:16]) if statistics == "values" else (batch,)
                for part in parts:
                    other.update(part)
        assert whole.range() == other.range()


class DataConformance(ComponentConformance):
    """A dataset: three splits, normalised, the same every time."""

    slot = "data"

    @pytest.fixture(scope="class")
    @classmethod
    def splits(cls, implementation: Any, config: Any) -> DataSplits:
        loaded: DataSplits = implementation(config, Path.cwd())
        return loaded

    def test_images_are_float32_nchw_and_classes_int64(self, splits: DataSplits) -> None:
        for images, labels in (splits.train, splits.validation, splits.test):
            assert images[:1].dtype == np.float32
            assert np.isfinite(images[:256]).all()
            assert images.shape[1:] == splits.input_shape
            assert len(images) == len(labels) > 0
            classes = labels["classes"] if labels.dtype.names else labels
            lowest, ignored = (PADDING, PADDING) if labels.dtype.names else (0, IGNORED)
            assert classes.dtype == np.int64 or (labels.ndim == 3 and classes.dtype == np.uint8)
            assert classes.min() >= lowest
            assert np.all((classes < splits.num_classes) | (classes == ignored))

    def test_it_is_split_the_same_way_every_time(self, splits: DataSplits, implementation: Any, config: Any) -> None:
        again = implementation(config, Path.cwd())
        np.testing.assert_array_equal(again.test[0][:], splits.test[0][:])
        np.testing.assert_array_equal(again.train[1], splits.train[1])

    def test_no_test_image_is_trained_on(self, splits: DataSplits) -> None:
        seen = {image.tobytes() for image in splits.train[0][:]}
        shared = sum(image.tobytes() in seen for image in splits.test[0][:])
        assert shared <= 0.01 * len(splits.test[0])  # real data holds a few true duplicates
