"""A colour for each class, the same wherever the class is drawn."""

from __future__ import annotations

import colorsys

_FIRST, _TURN = 210.0, 137.50776
"""Of the circle of hues, in degrees: where class 0 stands, and the golden angle, which keeps neighbours far apart."""


def class_colour(label: int) -> tuple[int, int, int]:
    """Red, green and blue of a class, each from 0 to 255."""
    hue = (_FIRST + _TURN * label) % 360 / 360
    red, green, blue = colorsys.hls_to_rgb(hue, 0.5, 0.75)
    return round(255 * red), round(255 * green), round(255 * blue)
