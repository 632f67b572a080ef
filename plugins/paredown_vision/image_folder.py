"""Pictures in one folder a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from paredown.contracts import Array, DataSplits
from paredown.errors import DataError
from paredown_vision.dataset_configs import ImageFolderConfig, SplitShares
from paredown_vision.faults import require_directory, require_disjoint, settle
from paredown_vision.pictures import SUFFIXES, read_all, read_picture
from paredown_vision.splits import byte_splits, caps_of, fixed_orders, stratified

_SPLITS = (("train",), ("validation", "val"), ("test",))

Listed = list[tuple[Path, int]]
"""Files with their classes, in the order of their split."""


def load_image_folder(config: ImageFolderConfig, base_dir: Path) -> DataSplits:
    """The pictures of a tree of folders; classes are the folders' names in order.

    Every file is read and resized once, here, on all cores, so that one that is damaged shows before anything is
    trained. They are kept as bytes, large sets in a temporary file.

    Raises:
        DataError: A folder is missing, a picture is in two splits, the folder is split and the options split it again,
            or with `on_error: refuse` a class is missing from a split or a file cannot be read.
    """
    root = require_directory(base_dir / config.directory, "data.directory")
    parts, classes, faults = _listed(root, config.split)
    require_disjoint([[path for path, _ in part] for part in parts], root)
    notes = settle(faults, "the classes' folders", root, skip=config.on_error == "skip")
    parts = [part[:cap] for part, cap in zip(parts, caps_of(config.limit), strict=True)]
    files = [one for part in parts for one in part]
    store = read_all(
        len(files), lambda place: read_picture(files[place][0], config)[0], (config.channels, *config.size)
    )
    damaged = [f"{files[place][0].relative_to(root).as_posix()} {why}" for place, why in store.faults.items()]
    notes += settle(damaged, f"{len(files)} pictures", root, skip=config.on_error == "skip")
    good = np.zeros(len(files), np.bool_)
    good[store.good] = True
    placed: list[tuple[Array, Array]] = []
    start = 0
    for part in parts:
        index = np.arange(start, start + len(part))
        labels = np.array([label for _, label in part], np.int64)
        placed.append((index[good[index]], labels[good[index]]))
        start += len(part)
    return byte_splits("image_folder", store.pixels, placed, len(classes), notes)


def _listed(root: Path, shares: SplitShares) -> tuple[list[Listed], Sequence[str], list[str]]:
    """The files of each split, the names of the classes, and what is wrong with some of these."""
    if not (root / "train").is_dir():
        return _one_tree(root, shares)
    if shares != SplitShares():
        raise DataError(
            "the folder is split already",
            where=str(root),
            value="`data.split`, and the folder `train`",
            expected="either the folders train, validation and test, or one tree and `split`",
            remedy="remove `data.split`, or put the classes' folders into `data.directory` itself",
        )
    folders = [_split_folder(root, names) for names in _SPLITS]
    found = [_by_class(folder) for folder in folders]
    classes = [name for name, files in found[0].items() if files]
    faults = [f"train/{name} has no pictures" for name, files in found[0].items() if not files]
    for folder, by_class in zip(folders[1:], found[1:], strict=True):
        faults += [f"{folder.name}/{name} is no class of train" for name in by_class if name not in classes]
        faults += [f"{folder.name}/{name} has no pictures" for name in classes if not by_class.get(name)]
    _require_classes(classes, root / "train")
    parts = [[(path, label) for label, name in enumerate(classes) for path in one.get(name, ())] for one in found]
    orders = fixed_orders([len(part) for part in parts])
    return [[part[place] for place in order] for part, order in zip(parts, orders, strict=True)], classes, faults


def _one_tree(root: Path, shares: SplitShares) -> tuple[list[Listed], Sequence[str], list[str]]:
    by_class = _by_class(root)
    classes = [name for name, files in by_class.items() if files]
    faults = [f"{name} has no pictures" for name, files in by_class.items() if not files]
    _require_classes(classes, root)
    files = [(path, label) for label, name in enumerate(classes) for path in by_class[name]]
    labels = np.array([label for _, label in files], np.int64)
    split = stratified(labels, (shares.validation, shares.test), shares.seed)
    for place, name in enumerate(classes):
        lacking = [one for (one, *_), index in zip(_SPLITS, split, strict=True) if place not in labels[index]]
        if lacking:
            faults.append(f"{name} has no pictures in {' and '.join(lacking)}: there are {len(by_class[name])}")
    return [[files[place] for place in index] for index in split], classes, faults


def _split_folder(root: Path, names: tuple[str, ...]) -> Path:
    """The folder of a split, under any of its names."""
    found = [root / name for name in names if (root / name).is_dir()]
    return found[0] if found else require_directory(root / names[0], "data.directory")


def _by_class(folder: Path) -> Mapping[str, list[Path]]:
    """The picture files below each folder, both in order; what is no picture by its name does not count."""
    return {
        one.name: sorted(path for path in one.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        for one in sorted(folder.iterdir())
        if one.is_dir() and not one.name.startswith(".")
    }


def _require_classes(classes: Sequence[str], root: Path) -> None:
    if len(classes) < 2:
        raise DataError(
            "there are fewer than two classes",
            where=str(root),
            value=f"{len(classes)} folders with pictures",
            expected=f"a folder a class, with files that end in {', '.join(SUFFIXES)}",
            remedy="correct `data.directory`",
        )
