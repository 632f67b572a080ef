"""Names of the calls of layers: a layer that is shared gives something of its own each time it is called."""

from __future__ import annotations

from collections.abc import Container
from itertools import count, takewhile


def call_name(layer: str, call: int) -> str:
    """`head` is the first call of the layer `head`, `head:1` the second."""
    return f"{layer}:{call}" if call else layer


def layer_of(call: str) -> str:
    """The layer's name in that of a call."""
    return call.partition(":")[0]


def calls_of(layer: str, known: Container[str]) -> tuple[str, ...]:
    """The names of all calls of a layer, of those that are known; none where the layer is not."""
    return tuple(takewhile(lambda name: name in known, (call_name(layer, call) for call in count())))
