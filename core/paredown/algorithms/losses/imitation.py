"""Imitation of a teacher's features where the teacher detects objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from paredown.algorithms.detection.decoding import Detections
from paredown.algorithms.detection.imitation import guides, position_weights
from paredown.algorithms.losses.pooling import mean_over_taps, to_smaller
from paredown.algorithms.losses.shapes import require_equal_channels, require_positions
from paredown.contracts import Array, FloatArray, Outputs

LEAST = 1e-7
"""The least sum of weights that is divided by."""
Maps = Sequence[FloatArray]


def box_imitation(
    student: Maps,
    teacher: tuple[Maps, Outputs],
    labels: Array | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> float:
    """The squared difference of two maps, weighed by what the teacher detects (after Wang et al., 2019).

    With w the weight of a position (`paredown.algorithms.detection.position_weights`) and d its mean squared difference
    over the channels: sum(w * d) / sum(w) over the positions of the batch; 0 where no position has a weight.

    Args:
        student: Maps, with the teacher's channels: who calls has projected them.
        teacher: As many maps, and all that the teacher returned: a detector's outputs.
        labels: Unused.
        options: `least_score`, `background`, and `image_size`, height and width in pixels.

    Raises:
        ModelError: The channels differ, maps have one position only, or the outputs are not a detector's.
    """
    maps, outputs = teacher
    found = cache(partial(guides_of, outputs, options))
    compare = partial(_weighed, found=found, options=options)
    return mean_over_taps("box_imitation", compare, student, maps)


def guides_of(outputs: Outputs, options: Mapping[str, Any]) -> list[Detections]:
    """What the teacher detects in each image of a batch, decoded once for all taps."""
    return guides(outputs, options["image_size"], options["least_score"])


def weights_of(found: Sequence[Detections], size: Sequence[int], options: Mapping[str, Any]) -> FloatArray:
    """The weights of positions [batch, height, width] that add up to 1, float64; all 0 where nothing is detected."""
    weights = position_weights(found, options["image_size"], size, options["background"])
    return np.asarray(weights / max(float(weights.sum()), LEAST))


def _weighed(
    student: FloatArray, teacher: FloatArray, found: Callable[[], Sequence[Detections]], options: Mapping[str, Any]
) -> float:
    require_equal_channels("box_imitation", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    require_positions("box_imitation", one.shape[2:])
    return float(np.sum(weights_of(found(), one.shape[2:], options) * np.mean((one - other) ** 2, axis=1)))
