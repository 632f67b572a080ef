"""Imitation of a teacher's features where the teacher detects objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from paredown.algorithms.detection import Detections
from paredown.algorithms.losses.imitation import guides_of, weights_of
from paredown.algorithms.losses.shapes import require_equal_channels, require_positions
from paredown_torch.losses.pooling import mean_over_taps, to_smaller
from paredown_torch.outputs import Returned, as_arrays

Maps = Sequence[Tensor]


def box_imitation(
    student: Maps,
    teacher: tuple[Maps, Returned],
    labels: object,  # noqa: ARG001 - one signature
    options: Mapping[str, Any],
) -> Tensor:
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


def _weighed(student: Tensor, teacher: Tensor, found: Sequence[Detections], options: Mapping[str, Any]) -> Tensor:
    require_equal_channels("box_imitation", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    require_positions("box_imitation", one.shape[2:])
    weights = torch.from_numpy(weights_of(found, one.shape[2:], options)).to(one)
    return (weights * (one - other).square().mean(1)).sum()
