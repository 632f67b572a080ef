"""Images of the test split in rows: what is true, then for each backend what baseline and delivered file predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paredown.algorithms.class_colours import class_colour
from paredown.engine.run_files import read_pictures
from paredown.engine.runner import run_directory
from paredown.results import Comparison, Pictures, RunResult, Shown, ShownObject

RunPictures = Mapping[tuple[str, int], Pictures]
"""The pictures of runs by backend and seed."""

Sized = tuple[str, int, int]
"""An image as PNG in base64, and the height and width of the network's input, which it fills."""

EXPLAINED = (
    "The first images of the test split, each channel stretched from its least to its greatest value. Predictions are"
    " those of the files in the runtime. A number is a class, and behind it how sure the file is; a dashed box is a"
    " crowd."
)

_SHARP_BELOW = 160
"""Images of fewer pixels a side are enlarged pixel by pixel."""
_LINES = 14
"""How many lines of text the width of an image would hold."""


@dataclass(frozen=True, slots=True)
class Box:
    """An object as it is drawn; lengths in pixels of the network's input.

    `text` stands in the box at `text_left` and `text_bottom`, `title` is told where the pointer rests; `colour` is one
    of CSS, `mask` a PNG in base64.
    """

    left: float
    top: float
    width: float
    height: float
    text_left: float
    text_bottom: float
    text: str
    title: str
    colour: str
    crowd: bool
    mask: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One image with what one column draws on it; `description` is for those who do not see it."""

    description: str
    boxes: tuple[Box, ...]
    class_map: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One image: the place of its PNG among those of the page, and the cells of all columns behind the first."""

    image: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """The rows of one seed, and the colours of the classes that occur in them, as CSS spells them.

    `sharp` says that the images are so small that each pixel is to be seen; `text_size` is the height of letters, in
    pixels of the network's input.
    """

    title: str
    height: int
    width: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: tuple[tuple[int, str], ...]
    sharp: bool
    text_size: float


@dataclass(frozen=True, slots=True)
class Galleries:
    """A gallery for each seed, and the images of all of them: backends and seeds look at the same ones."""

    images: tuple[Sized, ...] = ()
    of_seeds: tuple[Gallery, ...] = ()


def read_all_pictures(comparison: Comparison, out: Path) -> RunPictures:
    """The pictures of all runs that have some.

    Raises:
        ArtifactError: A run's are missing or damaged.
    """
    found = {
        (run.backend, run.seed): read_pictures(run_directory(out, run.backend, run.seed), run)
        for run in comparison.runs
    }
    return {key: pictures for key, pictures in found.items() if pictures is not None}


def galleries(comparison: Comparison, pictures: RunPictures) -> Galleries:
    """What the page shows of the runs' pictures; runs without any are left out.

    Runs of one seed stand side by side where they looked at the same images, as runs of one dataset do.
    """
    together: dict[tuple[int, tuple[Sized, ...]], list[RunResult]] = {}
    for run in comparison.runs:
        if (run.backend, run.seed) in pictures:
            own = pictures[run.backend, run.seed]
            seen = tuple((one.image, own.height, own.width) for one in own.pictures)
            together.setdefault((run.seed, seen), []).append(run)
    images = {image: place for place, image in enumerate(dict.fromkeys(one for _, seen in together for one in seen))}
    of_seeds = (
        _gallery(f"seed {seed}", runs, [pictures[run.backend, seed] for run in runs], [images[one] for one in seen])
        for (seed, seen), runs in together.items()
    )
    return Galleries(tuple(images), tuple(of_seeds))


def _gallery(title: str, runs: Sequence[RunResult], pictures: Sequence[Pictures], places: Sequence[int]) -> Gallery:
    names = [f"{run.backend} {part}" for run in runs for part in ("baseline", f"delivered, {_precision(run)}")]
    columns = ("truth", *names)
    first = pictures[0]
    size = first.width / _LINES
    rows = []
    for place, *alike in zip(places, *(one.pictures for one in pictures), strict=True):
        shown = [alike[0].truth, *(part for one in alike for part in (one.baseline, one.delivered))]
        named = zip(columns, shown, strict=True)
        cells = (_cell(f"image {alike[0].index}, {name}", part, size) for name, part in named)
        rows.append(Row(place, tuple(cells)))
    labels = sorted({label for one in pictures for label in one.classes})
    return Gallery(
        title=title,
        height=first.height,
        width=first.width,
        columns=("image", *columns),
        rows=tuple(rows),
        legend=tuple((label, _colour(label)) for label in labels),
        sharp=max(first.height, first.width) < _SHARP_BELOW,
        text_size=round(size, 2),
    )


def _precision(run: RunResult) -> str:
    return next(one.precision for one in run.candidates if one.delivered)


def _cell(name: str, shown: Shown, size: float) -> Cell:
    count = len(shown.objects)
    parts = [f"{count} object{'' if count == 1 else 's'}"] if count or shown.class_map is None else []
    parts += [] if shown.class_map is None else ["the class of each pixel"]
    return Cell(f"{name}: {' and '.join(parts)}", tuple(_box(one, size) for one in shown.objects), shown.class_map)


def _box(one: ShownObject, size: float) -> Box:
    left, top, right, bottom = one.box
    sure = "" if one.score is None else f" {one.score:.2f}"
    title = f"class {one.label}" + ("" if one.score is None else f", score{sure}") + (", a crowd" if one.crowd else "")
    return Box(
        left=left,
        top=top,
        width=round(max(right - left, 0), 2),
        height=round(max(bottom - top, 0), 2),
        text_left=round(left + size / 6, 2),
        text_bottom=round(top + size, 2),
        text=f"{one.label}{sure}",
        title=title,
        colour=_colour(one.label),
        crowd=one.crowd,
        mask=one.mask,
    )


def _colour(label: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*class_colour(label))
