"""Reading COCO's instances: the JSON file, checked entry by entry."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from paredown.errors import DataError
from paredown_vision.pictures import MOST_PIXELS

_TOLERANCE = 1.0
"""Boxes may reach out of their picture by so many pixels, as rounded ones do."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object: x1, y1, x2, y2 in the picture's pixels and inside of it, and COCO's own spelling of its mask."""

    box: tuple[float, float, float, float]
    category: int
    crowd: bool
    segmentation: Any


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file's name, its size, and its objects."""

    name: str
    width: int
    height: int
    objects: list[Annotation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Instances:
    """What a file holds.

    Attributes:
        categories: The names of classes by COCO's own numbers, ascending.
        pictures: In the file's order.
        faults: Pictures and objects that cannot be used, and were left out.
        outside: Objects whose boxes reach out of their picture, and were cut at its edges, or left out.
    """

    categories: Mapping[int, str]
    pictures: list[Picture]
    faults: list[str]
    outside: list[str]


def read_instances(path: Path) -> Instances:
    """Reads a file of instances.

    Raises:
        DataError: It is missing, no JSON, lacks one of the lists `images`, `annotations` and `categories`, or gives two
            categories one number.
    """
    content = _json(path)
    faults: list[str] = []
    categories = _categories(content["categories"], path, faults)
    pictures: dict[int, Picture] = {}
    for entry in content["images"]:
        found = _picture(entry)
        if isinstance(found, Picture) and entry["id"] in pictures:
            faults.append(f"image {found.name} has the `id` of another: {entry['id']}")
        elif isinstance(found, Picture):
            pictures[entry["id"]] = found
        else:
            faults.append(str(found))
    outside: list[str] = []
    for entry in content["annotations"]:
        _add(entry, pictures, categories, faults, outside)
    return Instances(dict(sorted(categories.items())), list(pictures.values()), faults, outside)


def _json(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            "the annotations cannot be read",
            where=str(path),
            value=str(getattr(error, "strerror", None) or error),
            expected="a JSON file in COCO's format",
            remedy="correct the split's `annotations`; a relative path starts from `data.directory`",
        ) from None
    lists = ("images", "annotations", "categories")
    lacking = [name for name in lists if not isinstance(content, dict) or not isinstance(content.get(name), list)]
    if lacking:
        raise DataError(
            "this is no file of COCO's instances",
            where=str(path),
            value=f"no list `{'`, `'.join(lacking)}`",
            expected="the lists `images`, `annotations` and `categories`",
            remedy="choose the file of instances, such as `instances_train2017.json`",
        )
    return dict(content)


def _categories(entries: list[Any], path: Path, faults: list[str]) -> dict[int, str]:
    """The names by their numbers; which of two with one number an object has cannot be told."""
    categories: dict[int, str] = {}
    for entry in entries:
        if not _is_id(entry) or not isinstance(entry.get("name"), str):
            faults.append(f"category {_short(entry)} has no whole number `id` or no `name`")
        elif entry["id"] in categories:
            raise DataError(
                "two categories have one `id`",
                where=str(path),
                value=f"{entry['id']}: `{categories[entry['id']]}` and `{entry['name']}`",
                expected="each `id` once",
                remedy="remove one, or number it anew with its objects",
            )
        else:
            categories[entry["id"]] = entry["name"]
    return categories


def _picture(entry: Any) -> Picture | str:
    """A picture, or what is wrong with its entry."""
    if not _is_id(entry) or not isinstance(entry.get("file_name"), str):
        return f"image {_short(entry)} has no whole number `id` or no `file_name`"
    name, size = entry["file_name"], (entry.get("width"), entry.get("height"))
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return f"image {name} lies outside of the split's folder"
    if not all(type(one) is int and one > 0 for one in size):
        return f"image {name} has no whole numbers `width` and `height` above 0"
    if entry["width"] * entry["height"] > MOST_PIXELS:
        return f"image {name} is too large: {entry['width']} x {entry['height']} pixels"
    return Picture(name, entry["width"], entry["height"])


def _add(
    entry: Any,
    pictures: Mapping[int, Picture],
    categories: Mapping[int, str],
    faults: list[str],
    outside: list[str],
) -> None:
    """Adds an object to its picture, or says why not."""
    if not isinstance(entry, dict):
        faults.append(f"annotation {_short(entry)} is no mapping")
        return
    title = f"annotation {entry.get('id')}"
    picture = pictures.get(entry["image_id"]) if type(entry.get("image_id")) is int else None
    category = entry.get("category_id")
    if picture is None:
        faults.append(f"{title} belongs to no image: {entry.get('image_id')}")
    elif type(category) is not int or category not in categories:
        faults.append(f"{title} of {picture.name} has the unknown category {category}")
    elif (corners := _corners(entry.get("bbox"))) is None:
        faults.append(f"{title} of {picture.name} has no box with width and height: {entry.get('bbox')}")
    else:
        box = _inside(corners, picture)
        if box is None or max(abs(a - b) for a, b in zip(box, corners, strict=True)) > _TOLERANCE:
            outside.append(f"{title} of {picture.name} ({picture.width} x {picture.height}): {entry['bbox']}")
        if box is not None:
            picture.objects.append(Annotation(box, category, entry.get("iscrowd") == 1, entry.get("segmentation")))


def _corners(box: Any) -> tuple[float, float, float, float] | None:
    """x1, y1, x2, y2 of COCO's x, y, width, height; None for what is no box."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in box):
        return None
    left, top, width, height = map(float, box)
    return (left, top, left + width, top + height) if width > 0 and height > 0 else None


def _inside(corners: tuple[float, float, float, float], picture: Picture) -> tuple[float, float, float, float] | None:
    """The part of a box that lies in its picture; None where none does."""
    left, top = max(corners[0], 0.0), max(corners[1], 0.0)
    right, bottom = min(corners[2], float(picture.width)), min(corners[3], float(picture.height))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _is_id(entry: Any) -> bool:
    return isinstance(entry, dict) and type(entry.get("id")) is int


def _short(entry: Any) -> str:
    text = str(entry)
    return text if len(text) <= 60 else f"{text[:57]}..."
