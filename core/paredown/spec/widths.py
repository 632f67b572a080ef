"""What is wrong with a width multiplier: a factor of a network's channels, which not every network takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from paredown.spec.nearest import listed


@dataclass(frozen=True, slots=True)
class Widths:
    """The factors of its channels that a network takes besides 1: from `least` to `most`, both included.

    Where `parts` is not 0, only those that are a whole number of such parts of 1: with 8 they are 1/8, 2/8 and so on.
    """

    least: float = 0.0
    most: float | None = None
    parts: int = 0

    def common(self, other: Widths) -> Widths:
        """Those that both take."""
        most = [width for width in (self.most, other.most) if width is not None]
        return Widths(max(self.least, other.least), min(most, default=None), math.gcd(self.parts, other.parts))

    def near(self, width: float) -> tuple[float, ...]:
        """Of the whole numbers of parts that are taken, the next below a width and the next above."""
        parts = width * self.parts
        found = {math.floor(parts) / self.parts, math.ceil(parts) / self.parts}
        return tuple(sorted(near for near in found if near and self.takes(near)))

    def takes(self, width: float) -> bool:
        """Whether a width is one of them."""
        most = math.inf if self.most is None else self.most
        return self.least <= width <= most and (width * self.parts).is_integer()

    def __str__(self) -> str:
        bounds = [f"from {self.least:g}"] if self.least else []
        bounds += [f"up to {self.most:g}"] if self.most is not None else []
        steps = [f"in steps of 1/{self.parts}"] if self.parts else []
        return " ".join([*bounds, *steps]) or "any"


class Misfit(NamedTuple):
    """Why a network does not take a width: the parts of a problem, but for its place."""

    what: str
    value: str
    expected: str
    remedy: str


def misfit(network: str, width: float, weights: str | None, known: Mapping[str, Widths]) -> Misfit | None:
    """What keeps a network from a width; None where nothing does.

    Args:
        network: The network's name.
        width: The factor of its channels; every network takes 1.
        weights: Where it begins, as a spec says it.
        known: The networks that take another width than 1, with those that each takes.
    """
    if width == 1:
        return None
    if network not in known:
        return Misfit(
            f"`{network}` has one width only",
            value=str(width),
            expected=f"no `width`, or one of the networks that take one: {listed(known)}",
            remedy="remove `width`, or choose one of those networks",
        )
    if not known[network].takes(width):
        return _not_taken(network, width, known[network])
    if weights == "pretrained":
        return Misfit(
            "no backend has pretrained weights for a width other than 1",
            value=f"{width}, with `weights: pretrained`",
            expected="`width: 1` with `weights: pretrained`",
            remedy="remove `width` or `weights`, or give a .safetensors file of this width",
        )
    return None


def at_width(width: float) -> str:
    """How a network's name goes on where its width is another than 1."""
    return "" if width == 1 else f" at width {width:g}"


def _not_taken(network: str, width: float, known: Widths) -> Misfit:
    if known.most is not None and width > known.most:
        what, bound = f"`{network}` is not built as wide as this", known.most
    elif width < known.least:
        what, bound = f"`{network}` loses layers at this width", known.least
    else:
        what, bound = f"`{network}` does not take this width", None
    near = known.near(width) if bound is None else (bound,)
    return Misfit(
        what,
        value=str(width),
        expected=f"a width {known}",
        remedy="write " + " or ".join(f"`width: {one}`" for one in near) if near else "remove `width`",
    )
