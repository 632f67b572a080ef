"""The layers of a network at another width, where its library fixes its channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Channels(NamedTuple):
    """What a convolution or Linear layer takes and gives, and into how many groups it is divided."""

    inputs: int
    outputs: int
    groups: int = 1


def at_uniform_width(layers: Sequence[Channels], width: float) -> list[Channels]:
    """The convolutions and Linear layers of a network at another width than 1, in the order of definition.

    Every count of channels is multiplied by the width, and the number of groups where there are several, so that each
    keeps its channels. What holds of sums is true of their multiples: additions, concatenations and flattened maps fit
    as before. The inputs of the first layer and the outputs of the last are the image's channels and the classes, and
    stay.

    Args:
        layers: As they are at width 1.
        width: One that leaves no fraction of any count.
    """
    found = [
        Channels(multiplied(inputs, width), multiplied(outputs, width), multiplied(groups, width) if groups > 1 else 1)
        for inputs, outputs, groups in layers
    ]
    found[0] = found[0]._replace(inputs=layers[0].inputs)
    found[-1] = found[-1]._replace(outputs=layers[-1].outputs)
    return found


def multiplied(count: int, width: float) -> int:
    """A count of channels at another width than 1: exact, for the widths that networks take leave no fraction."""
    return round(count * width)
