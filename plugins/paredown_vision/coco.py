"""Pictures with objects, in COCO's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from paredown.algorithms.objects import Objects, object_dtype, pack
from paredown.contracts import Array, DataSplits, IntArray
from paredown.errors import DataError
from paredown_vision.coco_file import Instances, Picture, read_instances
from paredown_vision.coco_masks import decoded
from paredown_vision.dataset_configs import CocoConfig, CocoPart
from paredown_vision.faults import require_directory, require_disjoint, settle
from paredown_vision.label_room import require_label_room
from paredown_vision.pictures import Unreadable, read_all, read_picture
from paredown_vision.placing import Placement
from paredown_vision.splits import byte_splits, drawn, halves

_SMALLEST = 1.0
"""Objects of which less than so many pixels' width or height is left on the input are left out, and counted."""


def load_coco(config: CocoConfig, base_dir: Path) -> DataSplits:
    """Pictures with boxes and perhaps masks; classes are the categories in the order of their numbers.

    Pictures without objects stay. An object whose box or mask has no pixel on the input is left out, and counted.

    Raises:
        DataError: A file or folder is missing or no file of COCO's, or with `on_error: refuse` an entry, a picture or a
            mask cannot be used, or with `outside: refuse` a box reaches out of its picture, or two splits share one.
    """
    root = require_directory(base_dir / config.directory, "data.directory")
    named = [config.train, config.validation] + ([] if config.test is None else [config.test])
    files = [read_instances(root / part.annotations) for part in named]
    folders = [require_directory(root / part.images, "images") for part in named]
    _require_same_names(files, [str(root / part.annotations) for part in named])
    classes = {number: place for place, number in enumerate(files[0].categories)}
    notes = _settled(config, files, named, classes, root)
    pairs = [[(folder, one) for one in file.pictures] for folder, file in zip(folders, files, strict=True)]
    if config.test is None:
        first, second = halves(len(pairs[1]))
        pairs = [pairs[0], [pairs[1][place] for place in first], [pairs[1][place] for place in second]]
    require_disjoint([[folder / one.name for folder, one in part] for part in pairs], root)
    pairs = drawn(pairs, config.limit)
    every = [pair for part in pairs for pair in part]
    labels, faults, vanished = _labels([picture for _, picture in every], classes, config)
    total = f"{sum(len(one.objects) for _, one in every)} objects"
    notes += settle(faults, total, root, skip=_skips(config))
    if vanished:
        notes += (f"data: {vanished} of {total} have less than a pixel left on the input, and were left out",)

    def read(place: int) -> Array:
        folder, picture = every[place]
        pixels, size = read_picture(folder / picture.name, config)
        if size != (picture.width, picture.height):
            raise Unreadable(f"has {size[0]} x {size[1]} pixels, not {picture.width} x {picture.height}")
        return pixels

    store = read_all(len(every), read, (config.channels, *config.size))
    damaged = [f"{every[place][1].name} {why}" for place, why in store.faults.items()]
    notes += settle(damaged, f"{len(every)} pictures", root, skip=_skips(config))
    parts: list[tuple[IntArray, Array]] = []
    start = 0
    for part in pairs:
        index = store.good[(store.good >= start) & (store.good < start + len(part))]
        parts.append((index, labels[index]))
        start += len(part)
    return byte_splits("coco", store.pixels, parts, len(classes), notes)


def _require_same_names(files: Sequence[Instances], paths: Sequence[str]) -> None:
    """Refuses splits in which one number means different categories: their objects would be of wrong classes."""
    names = files[0].categories
    for file, path in zip(files[1:], paths[1:], strict=True):
        differ = [
            f"{number} is `{names[number]}` and here `{name}`"
            for number, name in file.categories.items()
            if name != names.get(number, name)
        ]
        if differ:
            raise DataError(
                "the categories are not those of train",
                where=path,
                value="; ".join(differ),
                expected=f"the numbers and names of {paths[0]}",
                remedy="number the categories of all splits alike, or choose files that belong together",
            )


def _skips(config: CocoConfig) -> bool:
    return config.on_error == "skip"


def _settled(
    config: CocoConfig, files: Sequence[Instances], named: Sequence[CocoPart], classes: Mapping[int, int], root: Path
) -> tuple[str, ...]:
    """The notes on what the files themselves had wrong; objects of categories that train does not know go too."""
    notes: tuple[str, ...] = ()
    for file, part in zip(files, named, strict=True):
        total = f"{len(file.pictures)} pictures and their objects"
        unknown = [
            f"an object of {one.name} has the category {found.category}, which train does not know"
            for one in file.pictures
            for found in one.objects
            if found.category not in classes
        ]
        for one in file.pictures:
            one.objects[:] = [found for found in one.objects if found.category in classes]
        path = root / part.annotations
        notes += settle([*file.faults, *unknown], total, path, skip=_skips(config))
        clip = config.outside == "clip"
        notes += settle(file.outside, total, path, skip=clip, option="outside: clip")
    if len(classes) < 2:
        raise DataError(
            "there are fewer than two categories",
            where=str(root / named[0].annotations),
            value=f"{len(classes)} categories",
            expected="a list `categories` with the classes",
            remedy="mend the file",
        )
    return notes


def _labels(
    pictures: Sequence[Picture], classes: Mapping[int, int], config: CocoConfig
) -> tuple[Array, list[str], int]:
    """The labels of all pictures, the objects whose masks cannot be used, and how many have no pixel on the input."""
    size = config.size if config.target == "instance_segmentation" else None
    places = max(1, *(len(one.objects) for one in pictures), 1)
    require_label_room(len(pictures), object_dtype(places, size).itemsize, f"up to {places} objects")
    faults: list[str] = []
    found = [_objects(one, classes, config, faults) for one in pictures]
    vanished = sum(len(one.objects) for one in pictures) - sum(len(one.classes) for one in found) - len(faults)
    return pack(found, places, size), faults, vanished


def _objects(picture: Picture, classes: Mapping[int, int], config: CocoConfig, faults: list[str]) -> Objects:
    lying = Placement.of(picture.width, picture.height, config.size, config.fit)
    boxes = lying.boxes(np.array([one.box for one in picture.objects], np.float64).reshape(-1, 4))
    kept = np.all(boxes[:, 2:] - boxes[:, :2] >= _SMALLEST, axis=1)
    masks: list[Array] = []
    if config.target == "instance_segmentation":
        for place in np.flatnonzero(kept):
            try:
                mask = decoded(picture.objects[place].segmentation, picture.width, picture.height)
            except Unreadable as error:
                faults.append(f"an object of {picture.name} {error}")
                kept[place] = False
                continue
            placed = _on_input(mask, lying)
            kept[place] = placed.any()
            masks += [placed] if kept[place] else []
    numbers = [one for one, stays in zip(picture.objects, kept, strict=True) if stays]
    return Objects(
        boxes[kept],
        np.array([classes[one.category] for one in numbers], np.int64),
        np.array([one.crowd for one in numbers], np.bool_),
        np.array(masks, np.uint8).reshape(-1, *config.size) if config.target == "instance_segmentation" else None,
    )


def _on_input(mask: Array, lying: Placement) -> Array:
    from PIL import Image

    return np.asarray(lying.picture(Image.fromarray(mask), Image.Resampling.NEAREST, empty=0))
