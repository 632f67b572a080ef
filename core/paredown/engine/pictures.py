"""A few images of the test split with what is true and what the baseline's and the delivered file predict."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import numpy as np

from paredown.algorithms.class_colours import class_colour
from paredown.algorithms.objects import IGNORED
from paredown.algorithms.outputs import of_each
from paredown.algorithms.png import Colour, image_png, palette_png
from paredown.contracts import Array, Drawing, FloatArray, Outputs, Task
from paredown.errors import PluginError
from paredown.results import Picture, Pictures, Shown, ShownObject

MOST = 6
"""How many images are shown: the first of the test split."""
SIDE = 320
"""Images of more pixels a side are shown by every second pixel, every third, and so on."""
_OPAQUE, _CLEAR = 255, (0, 0, 0, 0)


def shown_part(outputs: Outputs) -> Outputs:
    """The outputs for the images that are shown, without holding on to the others."""
    return of_each(lambda one: one[:MOST].copy(), outputs)


def take_pictures(
    task: Task, images: FloatArray, labels: Array, baseline: Outputs, delivered: Outputs
) -> Pictures | None:
    """What is to be seen in images; None where the task draws nothing.

    Args:
        task: Draws, if it is a `DrawingTask`.
        images: float32, [count, channels, height, width].
        labels: Those of these images.
        baseline: What the baseline's file answers to them.
        delivered: What the delivered file answers.

    Raises:
        PluginError: The task's drawings are not those of these images.
    """
    draw: Callable[[Outputs], Sequence[Drawing]] | None = getattr(task, "drawings", None)
    draw_labels: Callable[[Array], Sequence[Drawing]] | None = getattr(task, "true_drawings", None)
    if draw is None or draw_labels is None:
        return None
    columns = (draw_labels(labels), draw(baseline), draw(delivered))
    count, _, height, width = images.shape
    for drawn in columns:
        _require_fit(task, drawn, count, (height, width))
    step = -(-max(height, width) // SIDE)
    pictures = (
        Picture(
            index=index,
            image=_text(image_png(pixels[::step, ::step])),
            truth=_shown(truth, step),
            baseline=_shown(before, step),
            delivered=_shown(after, step),
        )
        for index, (pixels, truth, before, after) in enumerate(zip(visible(images), *columns, strict=True))
    )
    return Pictures(height=height, width=width, classes=_classes(columns), pictures=tuple(pictures))


def visible(images: FloatArray) -> Array:
    """Images for eyes: each channel stretched from its least to its greatest value over all of them.

    Normalised images do not say what their pixels were.

    Args:
        images: [count, channels, height, width].

    Returns:
        uint8, [count, height, width, 3]; of images with another number of channels the first, [count, height, width].
    """
    chosen = (images if images.shape[1] == 3 else images[:, :1]).astype(np.float64)
    low = chosen.min(axis=(0, 2, 3), keepdims=True)
    spread = chosen.max(axis=(0, 2, 3), keepdims=True) - low
    pixels = np.round(255 * (chosen - low) / np.where(spread > 0, spread, 1)).astype(np.uint8)
    return np.asarray(pixels.transpose(0, 2, 3, 1) if pixels.shape[1] == 3 else pixels[:, 0])


def _require_fit(task: Task, drawn: Sequence[Drawing], count: int, size: tuple[int, int]) -> None:
    maps = [one.class_map for one in drawn] + [part.mask for one in drawn for part in one.objects]
    wrong = [one.shape for one in maps if one is not None and one.shape != size]
    if len(drawn) != count or wrong:
        raise PluginError(
            "the task's drawings are not those of the images",
            where=f"task {type(task).__name__}",
            value=f"{len(drawn)} drawings" + (f", a map of shape {wrong[0]}" if wrong else ""),
            expected=f"{count} drawings, maps and masks of shape {size}",
            remedy="report this to the authors of the task's plugin",
        )


def _shown(drawing: Drawing, step: int) -> Shown:
    objects = (
        ShownObject(
            box=tuple(round(float(edge), 2) for edge in one.box),
            label=int(one.label),
            score=None if one.score is None else round(float(one.score), 4),
            crowd=bool(one.crowd),
            mask=None if one.mask is None else _mask(one.mask[::step, ::step], int(one.label)),
        )
        for one in drawing.objects
    )
    classes = drawing.class_map
    return Shown(objects=tuple(objects), class_map=None if classes is None else _class_map(classes[::step, ::step]))


def _mask(mask: Array, label: int) -> str:
    return _text(palette_png((mask != 0).astype(np.uint8), [_CLEAR, (*class_colour(label), _OPAQUE)]))


def _class_map(classes: Array) -> str:
    numbers = np.where(_is_drawn(classes), classes + 1, 0).astype(np.uint8)
    colours: list[Colour] = [(*class_colour(label), _OPAQUE) for label in range(int(numbers.max()))]
    return _text(palette_png(numbers, [_CLEAR, *colours]))


def _classes(columns: Sequence[Sequence[Drawing]]) -> tuple[int, ...]:
    found: set[int] = set()
    for one in (drawing for column in columns for drawing in column):
        found |= {int(part.label) for part in one.objects}
        if one.class_map is not None:
            found |= {int(label) for label in np.unique(one.class_map[_is_drawn(one.class_map)])}
    return tuple(sorted(found))


def _is_drawn(classes: Array) -> Array:
    return np.asarray((classes >= 0) & (classes < IGNORED))


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")
