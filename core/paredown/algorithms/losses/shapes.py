"""Which shapes of maps a loss on features can compare; the same rules for NumPy and every backend.

A map is [batch, channels, height, width] or [batch, features].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from paredown.errors import ModelError

_RANKS = (2, 4)


def smaller_size(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The smaller height and the smaller width of two maps; () for [batch, features].

    Raises:
        ModelError: The maps do not have the same number of axes, or neither two nor four.
    """
    if len(first) != len(second) or len(first) not in _RANKS:
        raise ModelError(
            "two maps cannot be compared",
            value=f"{list(first)} and {list(second)}",
            expected="both [batch, channels, height, width], or both [batch, features]",
            remedy="tap other layers",
        )
    return tuple(min(sizes) for sizes in zip(first[2:], second[2:], strict=True))


def require_equal_channels(loss: str, student: Sequence[int], teacher: Sequence[int]) -> None:
    """Raises `ModelError` when the maps of student and teacher differ in their channels."""
    if student[1] != teacher[1]:
        raise ModelError(
            f"the loss `{loss}` compares channel by channel, and student and teacher do not have the same channels",
            where=f"losses.{loss}",
            value=f"{student[1]} and {teacher[1]}",
            expected="equal numbers",
            remedy="project the student's map, tap other layers, or take `attention`, `similarity` or `rkd`",
        )


def require_positions(loss: str, size: Sequence[int]) -> None:
    """Raises `ModelError` when maps have one position only, so that there is nothing to compare.

    Args:
        loss: The loss that compares positions.
        size: Height and width that the maps are compared at, or () for [batch, features].
    """
    if math.prod(size) < 2:
        raise ModelError(
            f"the loss `{loss}` compares the positions of maps, and these maps have one",
            where=f"losses.{loss}",
            value=f"{size[0]} x {size[1]}" if size else "[batch, features]",
            expected="two positions or more",
            remedy="tap a layer before the pooling, or take `feature_l2`, `similarity` or `rkd`",
        )


def require_taps(loss: str, student: int, teacher: int, *, least: int = 1) -> None:
    """Raises `ModelError` when a loss is not given as many maps of the teacher as of the student, and `least` of them.

    Args:
        loss: The loss.
        student: How many maps of the student there are.
        teacher: How many of the teacher.
        least: The fewest that the loss can do with.
    """
    if student != teacher or student < least:
        raise ModelError(
            f"the loss `{loss}` is not given the maps that it compares",
            where=f"losses.{loss}",
            value=f"{student} of the student, {teacher} of the teacher",
            expected=f"equal numbers, {least} or more",
            remedy="name them under `taps`",
        )
