"""Putting one layer in the place of another."""

from __future__ import annotations

from typing import Any


def replace_layer(model: Any, old: Any, new: Any) -> None:
    """Replaces a layer wherever a network holds it: as a sublayer, and in the lists that some networks keep beside."""
    for parent in model.sublayers(include_self=True):
        for name, layer in parent._sub_layers.items():
            if layer is old:
                parent._sub_layers[name] = new
        for value in vars(parent).values():
            if isinstance(value, list):
                value[:] = [new if layer is old else layer for layer in value]
