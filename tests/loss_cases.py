"""Losses with what they are given: shapes that are usual, odd, or leave nothing to compare.

Every loss, on NumPy and on each backend, is tested on the same cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from paredown.algorithms import losses
from paredown.algorithms.objects import Objects, pack

OPTIONS = {
    "hard_label": {},
    "pixel_cross_entropy": {},
    "binary_cross_entropy": {},
    "detection": {},
    "fcos_mask": {},
    "kl": {"temperature": 3.0},
    "mse": {},
    "soft_cross_entropy": {"temperature": 3.0},
    "dkd": {"alpha": 0.7, "beta": 1.3, "temperature": 2.0},
    "dist": {"beta": 0.6, "gamma": 1.4, "temperature": 2.0},
    "feature_l2": {},
    "attention": {},
    "cwd": {"temperature": 2.0},
    "box_imitation": {"least_score": 0.3, "background": 0.1},
    "fsp": {},
    "similarity": {},
    "rkd": {"distance": 1.0, "angle": 2.0},
}
ON_OUTPUTS = ("hard_label", "kl", "mse", "soft_cross_entropy", "dkd", "dist")
ON_FEATURES = ("feature_l2", "attention", "cwd", "fsp", "similarity", "rkd", "box_imitation")
GUIDED = ("box_imitation",)
OF_ANY_CHANNELS = ("attention", "similarity", "rkd")
OF_POSITIONS = ("attention", "cwd", "box_imitation")
ON_LABELS = ("pixel_cross_entropy", "binary_cross_entropy", "detection", "fcos_mask")
OF_SEVERAL_ARRAYS = (*ON_FEATURES, "detection", "fcos_mask")
ON_PIXELS = ("kl", "mse", "soft_cross_entropy")
NOT_ZERO_BETWEEN_EQUALS = ("hard_label", "soft_cross_entropy", *ON_LABELS)


@dataclass(frozen=True)
class Case:
    """A loss and its input: float64 arrays, a sequence of them for a loss on features.

    `outputs` are what the teacher returned, where a loss on features is guided by it.
    """

    name: str
    loss: str
    student: Any
    teacher: Any
    labels: np.ndarray
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: Any = None

    def __str__(self) -> str:
        return f"{self.loss}-{self.name}"


def reference(case: Case) -> float:
    """The loss in NumPy."""
    return getattr(losses, case.loss)(case.student, taught(case), case.labels, case.options)


def taught(case: Case, convert: Callable[[Any], Any] = lambda values: values) -> Any:
    """What the loss is given of its teacher, each array converted."""
    if case.teacher is None or case.loss in ON_LABELS:
        return None
    if case.loss not in ON_FEATURES:
        return convert(case.teacher)
    maps = [convert(values) for values in case.teacher]
    return (maps, tuple(convert(values) for values in case.outputs or ())) if case.loss in GUIDED else maps


def reference_gradient(case: Case, step: float = 1e-5) -> list[np.ndarray]:
    """The gradient of the NumPy reference by each of the student's arrays, by central differences."""
    arrays = student_arrays(case)
    return [_differences(lambda: reference(case), values, step) for values in arrays]


def student_arrays(case: Case) -> list[np.ndarray]:
    """The arrays of the student: the logits, all that it returns, or the maps."""
    return list(case.student) if case.loss in OF_SEVERAL_ARRAYS else [case.student]


def _differences(value: Callable[[], float], values: np.ndarray, step: float) -> np.ndarray:
    found = np.empty_like(values)
    for place in np.ndindex(values.shape):
        kept = values[place]
        values[place] = kept + step
        above = value()
        values[place] = kept - step
        below = value()
        values[place] = kept
        found[place] = (above - below) / (2 * step)
    return found


def _logits(name: str, loss: str, batch: int, classes: int, size: float = 2.0) -> Case:
    random = np.random.default_rng(batch + classes)
    student, teacher = random.normal(0, size, (2, batch, classes))
    return Case(name, loss, student, teacher, random.integers(0, classes, batch), OPTIONS[loss])


def _maps(name: str, loss: str, student: list[tuple[int, ...]], teacher: list[tuple[int, ...]]) -> Case:
    random = np.random.default_rng(len(name))
    arrays = [[random.normal(0.3, 1, shape) for shape in shapes] for shapes in (student, teacher)]
    return _guided(Case(name, loss, *arrays, random.integers(0, 3, student[0][0]), OPTIONS[loss]))


def _guided(case: Case) -> Case:
    """With a detector's outputs for three classes and images of 8 x 8 pixels, where the loss is guided by them."""
    if case.loss not in GUIDED:
        return case
    batch, random = len(case.teacher[0]), np.random.default_rng(8)
    sides = random.uniform(0.5, 3, (batch, 4, 5))
    outputs = (random.normal(0, 1, (batch, 3, 5)), sides, random.normal(1, 1, (batch, 5)))
    return replace(case, options=dict(case.options) | {"image_size": [8, 8]}, outputs=outputs)


def _pixels(name: str, loss: str, shape: tuple[int, ...], size: float = 2.0, ignored: float = 0.3) -> Case:
    random = np.random.default_rng(len(name) + shape[1])
    student, teacher = random.normal(0, size, (2, *shape))
    places = (shape[0], *shape[2:])
    labels = np.where(random.random(places) < ignored, 255, random.integers(0, shape[1], places))
    return Case(name, loss, student, teacher, labels, OPTIONS[loss])


def _several(name: str, batch: int, classes: int, size: float = 2.0) -> Case:
    random = np.random.default_rng(batch + classes)
    labels = random.integers(0, 2, (batch, classes))
    return Case(name, "binary_cross_entropy", random.normal(0, size, (batch, classes)), None, labels)


def _boxes(name: str, *images: list[tuple[float, ...]], crowd: bool = False, size: float = 2.0) -> Case:
    """Images of 8 x 8 pixels with (class, x1, y1, x2, y2) objects, and a detector's outputs for three classes."""
    random = np.random.default_rng(len(name))
    labels = pack([_objects(boxes, crowd) for boxes in images])
    logits, centerness = random.normal(0, size, (len(images), 3, 5)), random.normal(0, size, (len(images), 5))
    student = (logits, random.uniform(0.5, 6, (len(images), 4, 5)), centerness)
    return Case(name, "detection", student, None, labels, {"image_size": [8, 8]})


def _default_boxes(name: str, boxes: list[tuple[float, ...]]) -> Case:
    """As `_boxes`, of one image, for a detector of two classes with default boxes."""
    random = np.random.default_rng(len(name))
    student = (random.normal(0, 2, (1, 3, 36)), random.normal(0, 2, (1, 4, 36)))
    labels = pack([_objects(boxes, crowd=False)])
    return Case(f"{name}, default boxes", "detection", student, None, labels, {"image_size": [8, 8]})


def _masks(name: str, *images: list[tuple[float, ...]], crowd: bool = False, size: float = 2.0) -> Case:
    """As `_boxes`, with masks of random pixels in the boxes, and a detector's coefficients of two prototypes."""
    random = np.random.default_rng(len(name))
    boxed = _boxes(name, *images, crowd=crowd, size=size)
    labels = pack([_objects(boxes, crowd, random.integers(0, 2, (len(boxes), 8, 8))) for boxes in images], None, (8, 8))
    coefficients = random.uniform(-1, 1, (len(images), 2, 5))
    student = (*boxed.student, coefficients, random.normal(0, size, (len(images), 2, 4, 4)))
    return Case(name, "fcos_mask", student, None, labels, boxed.options)


def _objects(boxes: list[tuple[float, ...]], crowd: bool, masks: np.ndarray | None = None) -> Objects:
    rows = np.array(boxes, np.float64).reshape(-1, 5)
    return Objects(rows[:, 1:].astype(np.float32), rows[:, 0].astype(np.int64), np.full(len(rows), crowd), masks)


def _map_cases(loss: str) -> list[Case]:
    alike = [(3, 3, 2, 3), (3, 2, 2, 2)]
    cases = [
        _maps("two maps", loss, alike, alike),
        _maps("batch of one", loss, [(1, 3, 3, 2), (1, 2, 2, 2)], [(1, 3, 3, 2), (1, 2, 2, 2)]),
        _maps("batch of two", loss, [(2, 3, 2, 2)] * 2, [(2, 3, 2, 2)] * 2),
        _maps("one channel", loss, [(3, 1, 3, 2)] * 2, [(3, 1, 3, 2)] * 2),
        _maps("larger teacher", loss, [(3, 2, 2, 3)] * 2, [(3, 2, 5, 7)] * 2),
        _maps("larger student", loss, [(3, 1, 5, 4), (3, 1, 3, 3)], [(3, 1, 3, 3), (3, 1, 2, 2)]),
        _maps("taller and wider", loss, [(2, 2, 5, 2), (2, 2, 3, 1)], [(2, 2, 3, 4), (2, 2, 2, 3)]),
    ]
    if loss not in OF_POSITIONS:
        cases.append(_maps("features", loss, [(4, 5), (4, 3)], [(4, 5), (4, 3)]))
    if loss != "fsp":
        cases.append(_maps("one map", loss, [(3, 2, 3, 3)], [(3, 2, 3, 3)]))
    if loss in OF_ANY_CHANNELS:
        cases.append(_maps("other channels", loss, [(4, 2, 3, 3)], [(4, 5, 3, 3)]))
    return cases


CASES = [
    *(_logits("batch", loss, 5, 7) for loss in ON_OUTPUTS),
    *(_logits("batch of one", loss, 1, 4) for loss in ON_OUTPUTS),
    *(_logits("two classes", loss, 3, 2) for loss in ON_OUTPUTS),
    *(_logits("sure", loss, 4, 3, size=30.0) for loss in ON_OUTPUTS),
    *(_pixels("pixels", loss, (2, 3, 2, 4)) for loss in (*ON_PIXELS, "pixel_cross_entropy")),
    *(_pixels("pixels of one image", loss, (1, 4, 3, 2)) for loss in (*ON_PIXELS, "pixel_cross_entropy")),
    _pixels("every pixel counts", "pixel_cross_entropy", (2, 3, 2, 2), ignored=0.0),
    _pixels("no pixel counts", "pixel_cross_entropy", (2, 3, 2, 2), ignored=1.0),
    _pixels("sure", "pixel_cross_entropy", (2, 3, 2, 2), size=15.0),
    _several("classes", 4, 5),
    _several("one class", 3, 1),
    _several("sure", 3, 4, size=30.0),
    _boxes("objects", [(0, 0, 1, 5, 7)], [(2, 0.5, 0.5, 8, 8), (1, 4, 4, 7.5, 8)]),
    _boxes("one image without an object", [(1, 1, 1, 7, 6)], []),
    _boxes("no object", [], []),
    _boxes("a crowd", [(1, 0, 0, 8, 5)], crowd=True),
    _boxes("sure", [(0, 0, 1, 5, 7)], [(2, 0.5, 0.5, 8, 8)], size=12.0),
    _default_boxes("objects", [(0, 0, 1, 5, 7), (1, 5, 0.5, 8, 4)]),
    _default_boxes("no object", []),
    _masks("objects", [(0, 0, 1, 5, 7)], [(2, 0.5, 0.5, 8, 8), (1, 4, 4, 7.5, 8)]),
    _masks("no object", [], []),
    _masks("a crowd", [(1, 0, 0, 8, 5)], crowd=True),
    *(case for loss in ON_FEATURES for case in _map_cases(loss)),
]


def _poor_logits(name: str, loss: str, student: np.ndarray, teacher: np.ndarray) -> Case:
    return Case(name, loss, student, teacher, np.zeros(len(student), np.int64), OPTIONS[loss])


def _poor_maps(name: str, loss: str, student: np.ndarray, teacher: np.ndarray) -> Case:
    taps = 2 if loss == "fsp" else 1
    maps = [student.copy() for _ in range(taps)]
    return _guided(Case(name, loss, maps, [teacher] * taps, np.zeros(1, int), OPTIONS[loss]))


def _poor() -> list[Case]:
    random = np.random.default_rng(3)
    logits, maps = random.normal(0, 1, (4, 3)), random.normal(0, 1, (4, 2, 3, 3))
    repeated = np.concatenate([maps[:2], maps[:2]])
    one_constant = maps.copy()
    one_constant[1] = 0.5
    return [
        *(_poor_logits("constant", loss, np.zeros((4, 3)), logits) for loss in ON_OUTPUTS),
        *(_poor_logits("constant teacher", loss, logits.copy(), np.zeros((4, 3))) for loss in ON_OUTPUTS),
        *(_poor_logits("far from the label", loss, np.tile([-300.0, 0, 300], (4, 1)), logits) for loss in ON_OUTPUTS),
        *(_poor_logits("equal images", loss, np.tile(logits[:1], (4, 1)), logits) for loss in ON_OUTPUTS),
        *(_poor_maps("zeros", loss, np.zeros_like(maps), maps) for loss in ON_FEATURES),
        *(_poor_maps("constant", loss, np.full_like(maps, 0.5), maps) for loss in ON_FEATURES),
        *(_poor_maps("zeros of a teacher", loss, maps, np.zeros_like(maps)) for loss in ON_FEATURES),
        *(_poor_maps("equal images", loss, repeated, maps) for loss in ON_FEATURES),
        *(_poor_maps("one constant image", loss, one_constant, maps) for loss in ON_FEATURES),
        *(
            _poor_maps("batch of one, zeros", loss, np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 2)))
            for loss in ON_FEATURES
        ),
    ]


POOR = _poor()
"""Input that leaves a loss little or nothing to compare: its value and its gradient have to be finite all the same."""
