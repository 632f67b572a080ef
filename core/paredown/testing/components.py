"""What every component of a kind must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from paredown.contracts import Activity, ChannelSlices, DataSplits, Runtime
from paredown.errors import DeployError
from paredown.manager import Manager


class _ComponentConformance:
    """Set `name`, and `options` where the component has some that are required."""

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


class CriterionConformance(_ComponentConformance):
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


class ObserverConformance(_ComponentConformance):
    """An observer: a range that is ordered, finite, and streams."""

    slot = "observer"

    def test_its_range_is_ordered_and_finite(self, implementation: Any, config: Any) -> None:
        observer = implementation(config)
        observer.update(np.linspace(-1, 3, 100, dtype=np.float32))
        low, high = observer.range()
        assert -1 <= low < high <= 3

    def test_more_batches_do_not_make_it_forget(self, implementation: Any, config: Any) -> None:
        observer = implementation(config)
        for _ in range(3):
            observer.update(np.linspace(-1, 3, 100, dtype=np.float32))
        low, high = observer.range()
        assert low < 0 < high


class DataConformance(_ComponentConformance):
    """A dataset: three splits, normalised, the same every time."""

    slot = "data"

    @pytest.fixture(scope="class")
    @classmethod
    def splits(cls, implementation: Any, config: Any) -> DataSplits:
        loaded: DataSplits = implementation(config, Path.cwd())
        return loaded

    def test_images_are_float32_nchw_and_labels_int64(self, splits: DataSplits) -> None:
        for images, labels in (splits.train, splits.validation, splits.test):
            assert images.dtype == np.float32
            assert labels.dtype == np.int64
            assert images.shape[1:] == splits.input_shape
            assert len(images) == len(labels) > 0
            assert labels.min() >= 0
            assert labels.max() < splits.num_classes

    def test_it_is_split_the_same_way_every_time(self, splits: DataSplits, implementation: Any, config: Any) -> None:
        again = implementation(config, Path.cwd())
        np.testing.assert_array_equal(again.test[0], splits.test[0])
        np.testing.assert_array_equal(again.train[1], splits.train[1])

    def test_no_test_image_is_trained_on(self, splits: DataSplits) -> None:
        seen = {image.tobytes() for image in splits.train[0]}
        shared = sum(image.tobytes() in seen for image in splits.test[0])
        assert shared <= 0.01 * len(splits.test[0])  # real data holds a few true duplicates


class RuntimeConformance(_ComponentConformance):
    """A runtime: refuses what is no file of its own, and knows its versions."""

    slot = "runtime"

    def test_what_is_no_network_is_a_deploy_error_that_names_it(
        self, implementation: Any, config: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "broken.onnx"
        path.write_bytes(b"this is no network")
        runtime: Runtime = implementation(config)
        with pytest.raises(DeployError, match=r"broken\.onnx"):
            runtime.load(path, threads=1)

    def test_it_says_its_versions(self, implementation: Any, config: Any) -> None:
        assert all(implementation(config).versions().values())
