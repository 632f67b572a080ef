"""Pictures with a map of classes each, in Pascal VOC's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paredown.algorithms.objects import IGNORED
from paredown.contracts import Array, DataSplits
from paredown.errors import DataError
from paredown_vision.dataset_configs import VocSegmentationConfig
from paredown_vision.faults import require_directory, require_disjoint, settle
from paredown_vision.label_room import require_label_room
from paredown_vision.pictures import SUFFIXES, Unreadable, read_all, read_class_map, read_picture
from paredown_vision.splits import byte_splits, drawn, halves


def load_voc_segmentation(config: VocSegmentationConfig, base_dir: Path) -> DataSplits:
    """Pictures and class maps named by the split lists. A pixel outside the picture does not count.

    Raises:
        DataError: A folder or a list is missing, or with `on_error: refuse` a picture or a map cannot be used, or the
            maps are too large for memory, or a picture is in two splits.
    """
    root = require_directory(base_dir / config.directory, "data.directory")
    pictures = _files(require_directory(root / "JPEGImages", "data.directory"))
    maps = _files(require_directory(root / "SegmentationClass", "data.directory"))
    lists = _lists(root, config)
    require_disjoint([[pictures.get(name, root / name) for name in part] for part in lists], root)
    names = drawn(lists, config.limit)
    every = [name for part in names for name in part]
    height, width = config.size
    require_label_room(len(every), height * width, f"a class map of {height} x {width}")
    labels = np.zeros((len(every), height, width), np.uint8)

    def read(place: int) -> Array:
        name = every[place]
        if name not in pictures or name not in maps:
            raise Unreadable("has no picture" if name not in pictures else "has no map of classes")
        picture, size = read_picture(pictures[name], config)
        found, other = read_class_map(maps[name], config, IGNORED)
        if size != other:
            raise Unreadable(f"has a map of {other[0]} x {other[1]} pixels for a picture of {size[0]} x {size[1]}")
        wrong = found[(found >= config.num_classes) & (found != IGNORED)]
        if wrong.size:
            raise Unreadable(f"has the class {wrong[0]} in its map; there are {config.num_classes}, and {IGNORED}")
        labels[place] = found
        return picture

    store = read_all(len(every), read, (config.channels, *config.size))
    faults = [f"{every[place]} {why}" for place, why in store.faults.items()]
    notes = settle(faults, f"{len(every)} pictures", root, skip=config.on_error == "skip")
    parts, start = [], 0
    for part in names:
        index = store.good[(store.good >= start) & (store.good < start + len(part))]
        parts.append((index, labels[index]))
        start += len(part)
    return byte_splits("voc_segmentation", store.pixels, parts, config.num_classes, notes)


def _lists(root: Path, config: VocSegmentationConfig) -> list[list[str]]:
    """The names of train, validation and test."""
    train, validation = _names(root, config.lists.train), _names(root, config.lists.validation)
    if config.lists.test is not None:
        return [train, validation, _names(root, config.lists.test)]
    first, second = halves(len(validation))
    return [train, [validation[place] for place in first], [validation[place] for place in second]]


def _names(root: Path, name: str) -> list[str]:
    path = root / "ImageSets" / "Segmentation" / f"{name}.txt"
    try:
        return path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "a list of names cannot be read",
            where=str(path),
            value=str(getattr(error, "strerror", None) or error),
            expected="a text file with a name in each line",
            remedy="correct `data.lists`",
        ) from None


def _files(folder: Path) -> dict[str, Path]:
    """The picture files of a folder by their names without the ending."""
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
