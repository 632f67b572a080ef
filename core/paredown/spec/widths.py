"""What is wrong with a width multiplier: a factor of a network's channels, which only some networks take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from paredown.spec.nearest import listed

_NAMED_BY_WIDTH = ("shufflenet_v2_", "mnasnet")
"""How the names of networks begin whose widths are networks of their own."""


class Misfit(NamedTuple):
    """Why a network does not take a width: the parts of a problem, but for its place."""

    what: str
    value: str
    expected: str
    remedy: str


def misfit(network: str, width: float, weights: str | None, known: Mapping[str, float]) -> Misfit | None:
    """What keeps a network from a width; None where nothing does.

    Args:
        network: The network's name.
        width: The factor of its channels; every network takes 1.
        weights: Where it begins, as a spec says it.
        known: The networks that take another width than 1, with the smallest that each takes.
    """
    if width == 1:
        return None
    if network not in known:
        return Misfit(
            f"`{network}` has one width only",
            value=str(width),
            expected=f"no `width`, or one of the networks that take one: {listed(known)}",
            remedy=_remedy(network),
        )
    if width < known[network]:
        return Misfit(
            f"`{network}` loses layers at this width",
            value=str(width),
            expected=f"at least {known[network]}",
            remedy=f"write `width: {known[network]}` or more",
        )
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


def _remedy(network: str) -> str:
    if network.startswith(_NAMED_BY_WIDTH):
        return f"remove `width`: the widths of this family are variants with names of their own, as `{network}` is"
    return "remove `width`, or choose one of those networks"
