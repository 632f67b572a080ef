"""Scenes of handwritten digits, with boxes, class maps or masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paredown.algorithms.objects import Objects, box_of, pack
from paredown.contracts import Array, DataSplits
from paredown.errors import DataError
from paredown_vision.dataset_configs import DigitScenesConfig, SplitCounts
from paredown_vision.digits import digit_parts
from paredown_vision.drawn_scenes import Scene, draw_scene
from paredown_vision.splits import Part, make_splits

DIGITS = 10


def load_digit_scenes(config: DigitScenesConfig, base_dir: Path) -> DataSplits:  # noqa: ARG001 - it reads no file
    """Scenes of 1 x `size` x `size`; those of train, validation and test show different drawings of digits.

    Each scene depends on the seed, the split and its number alone, so that more of them leave the first as they are.

    Raises:
        DataError: The canvas has no room for the fewest digits that a scene shall have.
    """
    scenes = [
        [draw_scene(inks, labels, config.size, config.objects, [config.seed, place, index]) for index in range(count)]
        for place, ((inks, labels), count) in enumerate(zip(digit_parts(), _counts(config.count), strict=True))
    ]
    fewest = min(len(one.classes) for split in scenes for one in split)
    if fewest < config.objects[0]:
        raise DataError(
            "a scene has no room for so many digits",
            where="data.objects",
            value=f"{fewest} of {config.objects[0]} found a place",
            expected="digits that overlap hardly",
            remedy="lower the first number of `data.objects`",
        )
    places = max(1, *(len(one.classes) for split in scenes for one in split))
    train, validation, test = (_labelled(split, config, places) for split in scenes)
    classes = DIGITS + 1 if config.target == "semantic_segmentation" else DIGITS
    return make_splits("digit_scenes", (train, validation, test), num_classes=classes)


def _counts(count: SplitCounts) -> tuple[int, int, int]:
    return count.train, count.validation, count.test


def _labelled(scenes: list[Scene], config: DigitScenesConfig, places: int) -> Part:
    images = np.stack([scene.image for scene in scenes])[:, None]
    if config.target == "semantic_segmentation":
        return images, np.stack([_class_map(scene) for scene in scenes])
    size = (config.size, config.size) if config.target == "instance_segmentation" else None
    return images, pack([_objects(scene) for scene in scenes], places, size)


def _class_map(scene: Scene) -> Array:
    """[height, width], int64: 0 is the background, digit d is d + 1."""
    return np.asarray(np.sum(scene.masks * (scene.classes + 1)[:, None, None], axis=0, dtype=np.int64))


def _objects(scene: Scene) -> Objects:
    boxes = np.array([box_of(mask) for mask in scene.masks], np.float32).reshape(-1, 4)
    return Objects(boxes, scene.classes, np.zeros(len(scene.classes), np.bool_), scene.masks)
