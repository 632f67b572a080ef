"""Calibration: the float network runs over images while observers watch the tensors that will be quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.algorithms.batches import in_order
from paredown.algorithms.starting import is_zero
from paredown.contracts import Observer
from paredown.deploy.places import places, quantized_tensors
from paredown.deploy.watching import OpenedNetwork
from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

PART, PART_FOR_EXTREMES = 32, 16
"""Images that run at once where whole batches are not needed: few, so that their tensors stay in the caches."""


def calibrate(
    model: onnx.ModelProto, batches: Iterable[FloatArray], observer: Callable[[], Observer]
) -> dict[str, tuple[float, float]]:
    """The range of each tensor that may be quantized, over all batches.

    One thread and one batch at a time: the result is the same on every run, and memory does not grow with the images.
    The ranges also serve a plan that leaves layers in float: it quantizes some of these tensors.

    Args:
        model: The canonical float network.
        batches: Images, float32, NCHW.
        observer: Makes an observer for one tensor.

    Returns:
        (minimum, maximum) by tensor, as its observer tells them. (0, 0) is a tensor that was zero all the time; see
        `silent_places`.

    Raises:
        DataError: There are no images, they are constant, or a tensor is not finite.
    """
    observers = {name: observer() for name in quantized_tensors(model.graph)}
    needed = {str(getattr(one, "statistics", "batches")) for one in observers.values()}
    network = OpenedNetwork(model, list(observers), only_extremes=needed == {"extremes"})
    images = _Images(model.graph.input[0].name)
    for batch in batches:
        if len(batch):
            images.look_at(batch)
            _observe(observers, network, batch, needed)
    images.require_something()
    return {name: watcher.range() for name, watcher in observers.items()}


def silent_places(graph: onnx.GraphProto, ranges: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Where activations never fired: the places of tensors that were zero in every calibration image, or as good as.

    Their scale is 1, so that zeros stay zeros; what else comes there later is rounded to whole numbers.

    Args:
        graph: The canonical float network's.
        ranges: As `calibrate` gave them.

    Returns:
        For each place its layer and port, such as `conv2 input`, in the graph's order.
    """
    return tuple(
        f"{place.layer} {place.port}" + (f" of call {place.index}" if place.index else "")
        for name, own in places(graph).items()
        if is_zero(*ranges[name])
        for place in own
    )


class _Images:
    """Looks whether there are calibration images, finite ones, and not all of one colour."""

    def __init__(self, name: str) -> None:
        self._where = f"calibration, tensor {name}"
        self._seen: tuple[FloatArray, FloatArray] | None = None

    def look_at(self, batch: FloatArray) -> None:
        """Takes one more batch; raises `DataError` where a value is NaN or infinite."""
        planes = batch.reshape(len(batch), batch.shape[1], -1)
        with np.errstate(invalid="ignore"):  # NaN is reported below, as an error
            # Along one contiguous axis first: NumPy is slow over several at once.
            low, high = planes.min(axis=2).min(axis=0), planes.max(axis=2).max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise DataError(
                "an image is not finite",
                where=self._where,
                value=f"values from {low.min()} to {high.max()}",
                expected="finite numbers",
                remedy="look at how the training images are read and normalised",
            )
        self._seen = (
            (low, high) if self._seen is None else (np.minimum(self._seen[0], low), np.maximum(self._seen[1], high))
        )

    def require_something(self) -> None:
        """Raises `DataError` where there were no images, or all pixels of a channel were alike, in every channel."""
        if self._seen is None:
            raise DataError(
                "there are no calibration images",
                where="calibration",
                expected="at least one batch",
                remedy="look at the training split, and at the step's `calibration.samples`",
            )
        low, high = self._seen
        if np.array_equal(low, high):
            raise DataError(
                "the calibration images are constant: every one has the same value everywhere",
                where=self._where,
                value=", ".join(f"{value:g}" for value in low.tolist()),
                expected="images that show something",
                remedy="look at how the training images are read and normalised",
            )


def _observe(observers: Mapping[str, Observer], network: OpenedNetwork, batch: FloatArray, needed: set[str]) -> None:
    """Shows observers a batch, in as many parts as they permit; no part is kept while the next one runs."""
    if needed == {"values"}:
        for part in in_order(batch, PART):
            _watch(observers, network.run(part))
    elif needed == {"extremes"}:
        parts = [network.run(part) for part in in_order(batch, PART_FOR_EXTREMES)]
        _watch(observers, {name: np.concatenate([_ends(part[name]) for part in parts]) for name in parts[0]})
    else:
        _watch(observers, network.run(batch))


def _ends(values: FloatArray) -> FloatArray:
    """The smallest and the greatest value; NaN stays NaN, for the observer to report."""
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore"):
        return np.array([np.minimum.reduce(flat), np.maximum.reduce(flat)])


def _watch(observers: Mapping[str, Observer], values: Mapping[str, FloatArray]) -> None:
    for name, observer in observers.items():
        try:
            observer.update(values[name])
        except DataError as error:
            problem = error.problems[0]
            raise DataError(
                problem.what,
                where=f"calibration, tensor {name}",
                value=problem.value,
                expected=problem.expected,
                remedy=problem.remedy,
            ) from error
