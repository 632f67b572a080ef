"""Draws one scene: a noisy canvas, scraps of ink that are no digit, and digits on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.contracts import Array, FloatArray, IntArray
from paredown_vision.interpolation import resized

INK = 0.4
"""A pixel belongs to a digit where so much of it is ink."""
_TRACE = 0.05
"""Less ink than this is margin."""
OVERLAP = 0.05
"""The share of a digit's rectangle that another's may cover."""
_SIDES = (0.3, 0.45)
"""The side of a digit's square, as a share of the canvas'."""
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        image: [size, size], float32, in [0, 1].
        masks: [digits, size, size], uint8: 1 where the digit's ink is seen; no two share a pixel.
        classes: [digits], int64, the digits' own values.
    """

    image: FloatArray
    masks: Array
    classes: IntArray


@dataclass(frozen=True, slots=True)
class _Piece:
    """Ink [height, width] with its top left corner on the canvas."""

    ink: FloatArray
    top: int
    left: int

    @property
    def area(self) -> tuple[slice, slice]:
        height, width = self.ink.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def overlap(self, other: _Piece) -> float:
        """The greater of the shares that two rectangles cover of each other."""
        lengths = []
        for axis, (start, begin) in enumerate(((self.top, other.top), (self.left, other.left))):
            end = min(start + self.ink.shape[axis], begin + other.ink.shape[axis])
            lengths.append(max(0, end - max(start, begin)))
        return lengths[0] * lengths[1] / min(self.ink.size, other.ink.size)


def draw_scene(inks: FloatArray, labels: IntArray, size: int, count: tuple[int, int], seed: Sequence[int]) -> Scene:
    """A scene of `count` (fewest, most) digits, as far as they find a place.

    Args:
        inks: The digits to choose from, [digits, 1, 8, 8], in [0, 1].
        labels: Their values, [digits].
        size: The canvas' side in pixels.
        count: The fewest and the most digits.
        seed: All that the scene depends on besides.
    """
    random = np.random.default_rng(seed)
    image = random.uniform(0.0, 0.25) + 0.06 * random.standard_normal((size, size))
    for _ in range(random.integers(0, 4)):
        _blend(image, _scrap(inks, size, random), random.uniform(0.2, 0.6))
    pieces: list[_Piece] = []
    chosen: list[int] = []
    for _ in range(random.integers(count[0], count[1] + 1)):
        digit = int(random.integers(len(labels)))
        piece = _placed(inks[digit, 0], size, pieces, random)
        if piece is not None:
            pieces.append(piece)
            chosen.append(digit)
            _blend(image, piece, random.uniform(0.65, 1.0))
    return Scene(np.clip(image, 0, 1).astype(np.float32), _seen(pieces, size), labels[chosen].astype(np.int64))


def _placed(ink: FloatArray, size: int, others: Sequence[_Piece], random: np.random.Generator) -> _Piece | None:
    """The digit at some size where it covers hardly anything of the others; None where no such place was found."""
    for _ in range(_TRIES):
        side = round(size * random.uniform(*_SIDES))
        grown = _trimmed(resized(ink, side, side))
        height, width = grown.shape
        piece = _Piece(grown, int(random.integers(size - height + 1)), int(random.integers(size - width + 1)))
        if all(piece.overlap(other) <= OVERLAP for other in others):
            return piece
    return None


def _trimmed(ink: FloatArray) -> FloatArray:
    """The ink without empty margins."""
    rows, columns = (np.flatnonzero((ink >= _TRACE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scrap(inks: FloatArray, size: int, random: np.random.Generator) -> _Piece:
    """A corner of some digit, 3 x 3 of its 8 x 8 pixels, as large as it would be on the digit."""
    row, column = random.integers(0, 6, 2)
    ink = inks[random.integers(len(inks)), 0, row : row + 3, column : column + 3]
    side = round(size * random.uniform(*_SIDES) * 3 / 8)
    top, left = random.integers(0, size - side + 1, 2)
    return _Piece(resized(ink, side, side), int(top), int(left))


def _blend(image: FloatArray, piece: _Piece, brightness: float) -> None:
    image[piece.area] += piece.ink * (brightness - image[piece.area])


def _seen(pieces: Sequence[_Piece], size: int) -> Array:
    """The masks of digits, the later on top of the earlier; none is empty, as little as they may overlap."""
    masks = np.zeros((len(pieces), size, size), np.uint8)
    for index, piece in enumerate(pieces):
        ink = piece.ink >= INK
        for earlier in masks[:index]:
            earlier[piece.area][ink] = 0
        masks[index][piece.area] = ink
    return masks
