"""Losses that compare relations inside the student with the same relations inside the teacher.

All take one map of each for every pair of taps, [batch, channels, height, width] or [batch, features].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paredown.algorithms.losses.relations import NEAR
from paredown.algorithms.losses.shapes import require_equal_channels, require_taps
from paredown.algorithms.losses.vectors import EPSILON
from paredown_torch.losses.pooling import mean_over_taps, to_smaller
from paredown_torch.losses.vectors import unit

Maps = Sequence[Tensor]


def fsp(student: Maps, teacher: Maps, labels: Tensor | None, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """The mean squared difference of flows from each tap to the next (Yim et al., 2017); mean over the steps.

    Args:
        student: Two maps or more, from the input to the output.
        teacher: As many maps, with the same channels.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: There are fewer than two taps, or the channels differ.
    """
    require_taps("fsp", len(student), len(teacher), least=2)
    for one, other in zip(student, teacher, strict=True):
        require_equal_channels("fsp", one.shape, other.shape)
    pairs = zip(pairwise(student), pairwise(teacher), strict=True)
    return torch.stack([(_flow(*one) - _flow(*other)).square().mean() for one, other in pairs]).mean()


def similarity(student: Maps, teacher: Maps, labels: Tensor | None, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """The mean squared difference of how alike the images of a batch are (Tung and Mori, 2019); mean over the taps.

    Args:
        student: Maps.
        teacher: As many maps; they may differ in every size but the batch's.
        labels: Unused.
        options: Unused.
    """
    return mean_over_taps("similarity", _likeness_difference, student, teacher)


def rkd(student: Maps, teacher: Maps, labels: Tensor | None, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Distance * Huber(distances) + angle * Huber(angles) of the images of a batch (Park et al., 2019).

    Args:
        student: Maps.
        teacher: As many maps; they may differ in every size but the batch's.
        labels: Unused.
        options: `distance` and `angle`, the factors of the two.
    """
    compare = partial(_relation_difference, distance=float(options["distance"]), angle=float(options["angle"]))
    return mean_over_taps("rkd", compare, student, teacher)


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """[batch, channels, channels of the second map]: products, mean over the positions."""
    rows, columns = (values.reshape(*values.shape[:2], -1) for values in to_smaller(first, second))
    return rows @ columns.transpose(1, 2) / rows.shape[2]


def _likeness_difference(student: Tensor, teacher: Tensor) -> Tensor:
    return (_likeness(student) - _likeness(teacher)).square().mean()


def _likeness(values: Tensor) -> Tensor:
    flat = values.flatten(1)
    return unit(flat @ flat.T)


def _relation_difference(student: Tensor, teacher: Tensor, distance: float, angle: float) -> Tensor:
    if len(student) < 2:
        return 0 * student.sum()
    one, other = _squared_distances(student), _squared_distances(teacher)
    return distance * _distance_difference(one, other) + angle * _angle_difference(one, other)


def _squared_distances(values: Tensor) -> Tensor:
    """[batch, batch], divided by their mean over the pairs; from inner products, which need little memory."""
    flat = values.flatten(1)
    flat = flat - flat.mean(0)
    products = flat @ flat.T
    squares = products.diagonal()
    found = (squares[:, None] + squares - 2 * products).clamp(min=0)
    return found / (_mean(found, _others(found)) + EPSILON)


def _distance_difference(student: Tensor, teacher: Tensor) -> Tensor:
    pairs = _others(student)
    one, other = (student + NEAR).sqrt(), (teacher + NEAR).sqrt()
    return _mean(_huber(one / _mean(one, pairs), other / _mean(other, pairs)), pairs)


def _angle_difference(student: Tensor, teacher: Tensor) -> Tensor:
    pairs = _others(student)
    triples = pairs[:, :, None] * pairs[None, :, :] * pairs[:, None, :]
    return _mean(_huber(_cosines(student), _cosines(teacher)), triples)


def _cosines(squared: Tensor) -> Tensor:
    """[i, j, k]: the cosine at image j between i and k, by the law of cosines."""
    sides = (squared + NEAR).sqrt()
    products = squared[:, :, None] + squared[None, :, :] - squared[:, None, :]
    return products / (2 * sides[:, :, None] * sides[None, :, :])


def _others(square: Tensor) -> Tensor:
    """1 where two images are not the same, [batch, batch]."""
    return 1 - torch.eye(len(square), dtype=square.dtype, device=square.device)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the values that `chosen` is 1 for; 0 where it is 1 for none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def _huber(one: Tensor, other: Tensor) -> Tensor:
    return functional.huber_loss(one, other, reduction="none")
