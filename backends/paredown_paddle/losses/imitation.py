"""Imitation of a teacher's features where the teacher detects objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from paredown.algorithms.detection import Detections
from paredown.algorithms.losses.imitation import guides_of, weights_of
from paredown.algorithms.losses.shapes import require_equal_channels, require_positions
from paredown_paddle.framework import paddle
from paredown_paddle.losses.pooling import mean_over_taps, to_smaller
from paredown_paddle.outputs import as_arrays

Maps = Sequence[Any]


def box_imitation(student: Maps, teacher: tuple[Maps, Any], labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """The squared difference of two maps, weighed by what the teacher detects (after Wang et al., 2019).

    Args:
        student: Maps, with the teacher's channels.
        teacher: As many maps, and all that the teacher returned: a detector's outputs.
        labels: Unused.
        options: `least_score`, `background`, and `image_size`, height and width in pixels.

    Raises:
        ModelError: The channels differ, maps have one position only, or the outputs are not a detector's.
    """
    maps, outputs = teacher
    compare = partial(_weighed, found=guides_of(as_arrays(outputs), options), options=options)
    return mean_over_taps("box_imitation", compare, student, maps)


def _weighed(student: Any, teacher: Any, found: Sequence[Detections], options: Mapping[str, Any]) -> Any:
    require_equal_channels("box_imitation", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    require_positions("box_imitation", one.shape[2:])
    weights = paddle.to_tensor(weights_of(found, one.shape[2:], options), dtype=one.dtype)
    return (weights * (one - other).square().mean(1)).sum()
