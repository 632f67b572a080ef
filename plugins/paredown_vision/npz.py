"""Arrays in one NumPy file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from paredown.algorithms.objects import IGNORED
from paredown.contracts import Array, DataSplits
from paredown.errors import DataError
from paredown_vision.dataset_configs import NpzConfig
from paredown_vision.npz_objects import object_labels
from paredown_vision.splits import byte_splits, caps_of, fixed_orders, make_splits

_SPLITS = ("train", "validation", "test")
_OBJECTS = ("boxes", "classes", "crowd", "masks")


def load_npz(config: NpzConfig, base_dir: Path) -> DataSplits:
    """The arrays of a file, by split, in a fixed draw's order; bytes stay bytes, and nothing in the file is run.

    Raises:
        DataError: The file is missing or no NumPy file, holds Python objects, lacks an array, or has one of another
            shape or dtype; an object cannot be used, and is not to be left out.
    """
    path = base_dir / config.path
    arrays = _read(path)
    _require_names(arrays, path)
    images = [_images(arrays, name, path) for name in _SPLITS]
    shapes = {one.shape[1:] for one in images}
    if len(shapes) > 1 or len({one.dtype for one in images}) > 1:
        raise _refused(path, "the splits' images differ", str([f"{one.shape} {one.dtype}" for one in images]))
    height, width = images[0].shape[2:]
    labels, notes = _labels(arrays, [len(one) for one in images], (height, width), config, path)
    classes = _num_classes(labels) if config.num_classes is None else config.num_classes
    orders = fixed_orders([len(one) for one in images])
    kept = [order[:cap] for order, cap in zip(orders, caps_of(config.limit), strict=True)]
    labels = [one[places] for one, places in zip(labels, kept, strict=True)]
    if images[0].dtype != np.uint8:
        train, validation, test = ((one[index], label) for one, index, label in zip(images, kept, labels, strict=True))
        return make_splits("npz", (train, validation, test), num_classes=classes, notes=notes)
    starts = np.cumsum([0, *(len(one) for one in images[:-1])])
    parts = [(start + index, label) for start, index, label in zip(starts, kept, labels, strict=True)]
    return byte_splits("npz", np.concatenate(images), parts, classes, notes)


def _read(path: Path) -> Mapping[str, Array]:
    remedy = "write it with numpy.savez or numpy.savez_compressed, from plain arrays of numbers"
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise _refused(path, "this file holds a single array", "no .npz archive", remedy=remedy)
            return {name: _array(file[name], name, path) for name in file.files}
    except DataError:
        raise
    except FileNotFoundError:
        raise _refused(path, "the file is missing", remedy="correct `data.path`") from None
    except ValueError as error:
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        what = "the file holds Python objects, which would have to be run" if pickled else "the file is damaged"
        raise _refused(path, what, str(error), remedy=remedy) from None
    except Exception as error:  # NumPy's reader and zlib raise whatever broken bytes lead them to
        value = str(error) or type(error).__name__
        raise _refused(path, "the file cannot be read", value, remedy=remedy) from error


def _array(member: object, name: str, path: Path) -> Array:
    """A member of the archive: NumPy gives the bytes of one that does not begin as arrays do."""
    if isinstance(member, np.ndarray):
        return member
    raise _refused(path, f"`{name}` is no array", type(member).__name__, expected="an array of numbers")


def _require_names(arrays: Mapping[str, Array], path: Path) -> None:
    objects = any(f"{split}_{part}" in arrays for split in _SPLITS for part in _OBJECTS)
    known = {f"{split}_{part}" for split in _SPLITS for part in ("images", *(_OBJECTS if objects else ("labels",)))}
    unknown = sorted(set(arrays) - known)
    parts = ("images", *(_OBJECTS[:2] if objects else ("labels",)))
    needed = [f"{split}_{part}" for split in _SPLITS for part in parts]
    missing = [name for name in needed if name not in arrays]
    uneven = [part for part in _OBJECTS if 0 < sum(f"{split}_{part}" in arrays for split in _SPLITS) < len(_SPLITS)]
    if unknown or missing or uneven:
        value = "; ".join(
            f"{label}: {', '.join(names)}"
            for label, names in (("missing", missing), ("unknown", unknown), ("not in every split", uneven))
            if names
        )
        raise _refused(path, "the file holds other arrays than expected", value, expected=", ".join(needed))


def _images(arrays: Mapping[str, Array], split: str, path: Path) -> Array:
    images = arrays[f"{split}_images"]
    if images.ndim != 4 or (images.dtype != np.uint8 and images.dtype.kind != "f"):
        raise _refused(
            path,
            f"`{split}_images` is no array of images",
            f"{images.dtype} of shape {images.shape}",
            expected="uint8 or float32 of shape (count, channels, height, width)",
        )
    if images.dtype == np.uint8:
        return images
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise _refused(path, f"`{split}_images` holds NaN or infinity", expected="finite numbers")
    return images


def _labels(
    arrays: Mapping[str, Array], counts: list[int], size: tuple[int, int], config: NpzConfig, path: Path
) -> tuple[list[Array], tuple[str, ...]]:
    """The labels of each split, and the notes on objects that were left out or mended."""
    found: list[Array] = []
    notes: tuple[str, ...] = ()
    for split, count in zip(_SPLITS, counts, strict=True):
        parts = {part: arrays[name] for part in ("labels", *_OBJECTS) if (name := f"{split}_{part}") in arrays}
        for part, values in parts.items():
            if (
                values.ndim == 0
                or len(values) != count
                or values.dtype.kind not in ("fiu" if part == "boxes" else "iub")
            ):
                raise _refused(
                    path,
                    f"`{split}_{part}` does not fit the images",
                    f"{values.dtype} of shape {values.shape}",
                    expected=f"{'numbers' if part == 'boxes' else 'whole numbers'}, {count} along the first axis",
                )
        if "labels" in parts:
            found.append(_whole(parts["labels"]))
        else:
            objects, of_split = object_labels(parts, split, size, config, path)
            found.append(objects)
            notes += of_split
    places = max((len(one["classes"][0]) for one in found if one.dtype.names and len(one)), default=1)
    if any(one.dtype.names and len(one) and len(one["classes"][0]) != places for one in found):
        raise _refused(path, "the splits have room for different numbers of objects")
    return found, notes


def _whole(labels: Array) -> Array:
    """Class maps [count, height, width] as bytes where these hold them; other labels as int64."""
    is_map = labels.ndim == 3 and labels.size and labels.min() >= 0 and labels.max() <= np.iinfo(np.uint8).max
    return labels.astype(np.uint8 if is_map else np.int64, copy=False)


def _num_classes(labels: list[Array]) -> int:
    """One more than the greatest class; the columns where several classes an image are marked."""
    if labels[0].dtype.names:
        return int(max(one["classes"].max(initial=0) for one in labels)) + 1
    if labels[0].ndim == 2:
        return int(labels[0].shape[1])
    ignored = IGNORED if labels[0].ndim == 3 else -1
    return int(max(one[one != ignored].max(initial=0) for one in labels)) + 1


def _refused(
    path: Path, what: str, value: str | None = None, *, expected: str | None = None, remedy: str | None = None
) -> DataError:
    return DataError(what, where=str(path), value=value, expected=expected, remedy=remedy or "mend the file")
