"""Small PNG files (ISO/IEC 15948) from arrays: colours, greys, and whole numbers with a colour each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from paredown.contracts import Array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE = 0, 2, 3

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, each from 0 to 255."""


def image_png(pixels: Array) -> bytes:
    """A picture as PNG: equal pixels give equal bytes.

    Args:
        pixels: uint8, [height, width] for greys or [height, width, 3] for red, green and blue.
    """
    return _png(pixels, _GREY if pixels.ndim == 2 else _COLOUR)


def palette_png(values: Array, colours: Sequence[Colour]) -> bytes:
    """A map of whole numbers as PNG, each number in its colour.

    Args:
        values: uint8, [height, width], each less than the number of colours.
        colours: At most 256; that of number i stands at place i.
    """
    table = np.array(colours, np.uint8)
    chunks = _chunk(b"PLTE", table[:, :3].tobytes()) + _chunk(b"tRNS", table[:, 3].tobytes())
    return _png(values, _PALETTE, chunks)


def _png(pixels: Array, form: int, chunks: bytes = b"") -> bytes:
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, form, 0, 0, 0)
    rows = np.ascontiguousarray(pixels, np.uint8).reshape(height, -1)
    # Before each row stands the number of its filter; 0 is none.
    data = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    body = _chunk(b"IHDR", header) + chunks + _chunk(b"IDAT", zlib.compress(data, 9)) + _chunk(b"IEND", b"")
    return _SIGNATURE + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
