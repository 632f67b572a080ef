"""A made-up network with every kind of coupling, as groups, arrays and layers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from paredown.contracts import LayerInfo
from paredown.plan import Group, Member

SHAPES = {
    "a.weight": (8, 3, 3, 3),
    "bn.weight": (8,),
    "bn.bias": (8,),
    "bn.running_mean": (8,),
    "bn.running_var": (8,),
    "b.weight": (6, 8, 1, 1),
    "grouped.weight": (12, 7, 3, 3),  # two blocks, reads a and b side by side
    "fc.weight": (10, 48),  # reads 12 channels of 2 x 2
    "fc.bias": (10,),
}
LAYERS = (
    LayerInfo("a", "conv", "Conv2d", SHAPES["a.weight"], (3, 8, 8), (8, 8, 8)),
    LayerInfo("bn", "batch_norm", "BatchNorm2d", (8,), (8, 8, 8), (8, 8, 8)),
    LayerInfo("b", "conv", "Conv2d", SHAPES["b.weight"], (8, 8, 8), (6, 4, 4)),
    LayerInfo("grouped", "conv", "Conv2d", SHAPES["grouped.weight"], (14, 4, 4), (12, 2, 2), groups=2),
    LayerInfo("grouped", "conv", "Conv2d", SHAPES["grouped.weight"], (14, 2, 2), (12, 1, 1), groups=2),
    LayerInfo("fc", "linear", "Linear", SHAPES["fc.weight"], (48,), (10,), is_output=True),
)
# Channels of a and b that lie in one place of either block go together; channel 7 of a goes with none of b's.
GROUPS = (
    Group(
        name="a.weight",
        size=7,
        members=(
            Member(parameter="a.weight", axis=0, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="output"),
            Member(parameter="bn.weight", axis=0, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="scale"),
            Member(parameter="bn.bias", axis=0, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="shift"),
            Member(parameter="bn.running_mean", axis=0, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="buffer"),
            Member(parameter="bn.running_var", axis=0, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="buffer"),
            Member(parameter="b.weight", axis=0, channels=(1, 2, 3, 4, 5, 6), role="output"),
            Member(parameter="b.weight", axis=1, channels=(0, 1, 2, 3, 4, 5, 6, 0), role="input"),
            Member(parameter="grouped.weight", axis=1, role="input"),
        ),
    ),
    Group(
        name="grouped.weight",
        size=12,
        blocks=2,
        members=(
            Member(parameter="grouped.weight", axis=0, role="output"),
            Member(parameter="fc.weight", axis=1, channels=tuple(np.repeat(np.arange(12), 4).tolist()), role="input"),
        ),
    ),
)


def random_state(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape) for name, shape in SHAPES.items()}


def layers_of(state) -> list[LayerInfo]:
    """The layers with the weights of a state that was cut."""
    return [replace(layer, weight_shape=state[f"{layer.name}.weight"].shape) for layer in LAYERS]


def chain(*widths: int, blocks: int = 1, side: int = 4) -> tuple[list[Group], dict[str, tuple[int, ...]], list]:
    """Convolutions (1 x 1) one after the other; the last one's outputs are the network's."""
    shapes = {f"l{i}.weight": (width, before, 1, 1) for i, (before, width) in enumerate(pairwise(widths))}
    layers = [
        LayerInfo(name[:-7], "conv", "Conv2d", shape, (shape[1], side, side), (shape[0], side, side))
        for name, shape in shapes.items()
    ]
    groups = [
        Group(
            name=f"l{i}.weight",
            size=width,
            blocks=blocks,
            members=(
                Member(parameter=f"l{i}.weight", axis=0, role="output"),
                Member(parameter=f"l{i + 1}.weight", axis=1, role="input"),
            ),
        )
        for i, width in enumerate(widths[1:-1])
    ]
    return groups, shapes, layers
