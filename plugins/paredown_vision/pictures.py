"""Reading picture files: one at a time without ever crashing, and many at once on all cores."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paredown.contracts import Array, IntArray
from paredown.errors import DataError
from paredown_vision.dataset_configs import PictureOptions
from paredown_vision.placing import Placement

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
"""By content, whatever the file's name says: Pillow knows others, of which one runs a program to read them."""
MOST_PIXELS = 100_000_000
"""A picture of more pixels is refused before it is decoded."""
IN_MEMORY = 256 * 2**20
"""Stores of more bytes lie in a temporary file that is mapped into memory, and vanish with the process."""


class Unreadable(Exception):
    """A picture that is not what it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class Store:
    """Pictures that were read.

    Attributes:
        pixels: [count, *shape], uint8.
        good: The places of those that could be read, ascending.
        faults: Why the others could not, by place.
    """

    pixels: Array
    good: IntArray
    faults: dict[int, str]


def read_all(count: int, read: Callable[[int], Array], shape: tuple[int, ...]) -> Store:
    """Reads many pictures on all cores: decoders release Python's lock while they work.

    Args:
        count: How many there are.
        read: Gives the picture at a place, uint8, of `shape`; `Unreadable` is noted and the picture's place left empty.
        shape: Of one picture.

    Raises:
        DataError: There is no room for them, in memory or on disk.
    """
    pixels = _room((count, *shape))
    faults: dict[int, str] = {}

    def one(place: int) -> None:
        try:
            pixels[place] = read(place)
        except Unreadable as error:
            faults[place] = str(error)

    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(one, range(count)):
            pass
    good = np.array([place for place in range(count) if place not in faults], np.int64)
    return Store(pixels, good, dict(sorted(faults.items())))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_picture(path: Path, options: PictureOptions) -> tuple[Array, tuple[int, int]]:
    """One picture as the network sees it, uint8, [channels, height, width], and its own (width, height).

    Raises:
        Unreadable: It is missing, damaged, too large, or has more than 8 bits a value.
    """
    from PIL import Image

    def placed(image: Any) -> tuple[Array, tuple[int, int]]:
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        converted = image.convert("L" if options.channels == 1 else "RGB")
        lying = Placement.of(image.width, image.height, options.size, options.fit)
        values = np.asarray(lying.picture(converted, Image.Resampling.BILINEAR, empty=0))
        return (values[None] if values.ndim == 2 else values.transpose(2, 0, 1)), image.size

    return _opened(path, placed)


def read_class_map(path: Path, options: PictureOptions, empty: int) -> tuple[Array, tuple[int, int]]:
    """A map of classes from a palette's indices, uint8, [height, width], and its own (width, height).

    Raises:
        Unreadable: It is missing or damaged, has more than 8 bits a value, or its pixels are colours and no indices.
    """
    from PIL import Image

    def placed(image: Any) -> tuple[Array, tuple[int, int]]:
        if image.mode not in ("P", "L"):
            raise Unreadable(f"is no map of classes: its pixels are colours (mode {image.mode}), not palette indices")
        lying = Placement.of(image.width, image.height, options.size, options.fit)
        return np.asarray(lying.picture(image, Image.Resampling.NEAREST, empty)), image.size

    return _opened(path, placed)


def _opened(path: Path, use: Callable[[Any], tuple[Array, tuple[int, int]]]) -> tuple[Array, tuple[int, int]]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unreadable(f"is too large: {image.width} x {image.height} pixels")
            if image.format == "PNG" and (bits := _png_bits(path)) > 8:
                raise Unreadable(f"has more than 8 bits a value: {bits}")
            return use(image)
    except FileNotFoundError:
        raise Unreadable("is missing") from None
    except UnidentifiedImageError:
        raise Unreadable("is no picture that can be read") from None
    except Unreadable:
        raise
    except Exception as error:  # decoders raise whatever broken bytes lead them to
        raise Unreadable(f"is damaged: {error}") from error


def _png_bits(path: Path) -> int:
    """Bits a value in a PNG file: Pillow's mode does not tell, colours of 16 bits come as 8."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _room(shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY:
        return np.zeros(shape, np.uint8)
    try:
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows now, and not as a signal while writing
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        raise DataError(
            "there is no room for the pictures",
            where=tempfile.gettempdir(),
            value=f"{size / 2**30:.1f} GiB; {error.strerror}",
            expected="that much free space in the directory for temporary files",
            remedy="set TMPDIR to another disk, or lower `data.size` or `data.limit`",
        ) from error
