"""PaddleSlim's search for coupled channels, one layer at a time."""

from __future__ import annotations

import functools
from typing import Any

from paredown_paddle.framework import paddle
from paredown_paddle.reductions import teach_reductions


class Untraceable(Exception):
    """Why the channels of one layer cannot be cut."""


def coupled_tensors(graph: Any, layer: Any) -> list[Any]:
    """PaddleSlim's details (tensor, axis, transforms) of all that is cut together with a layer's output channels.

    Args:
        graph: What `program.trace` gave.
        layer: A Conv2D or a Linear layer of that network.

    Raises:
        Untraceable: When PaddleSlim meets an operator that it cannot follow.
    """
    found = _collections_class()(graph, layer)
    details = [detail for collection in found for detail in collection.all_pruning_details()]
    if not details:
        raise Untraceable("PaddleSlim meets an operator behind it that it cannot follow")
    return details


@functools.cache
def _collections_class() -> Any:
    """The subclass is made on first use, because importing PaddleSlim takes seconds."""
    teach_reductions()
    from paddleslim.dygraph.prune.var_group import DygraphPruningCollections

    class LayerCollections(DygraphPruningCollections):
        """The collections of one layer, from a graph that is already traced.

        PaddleSlim's own constructor traces with functions that Paddle no longer has.
        """

        def __init__(self, graph: Any, layer: Any) -> None:
            kind = "fc" if isinstance(layer, paddle.nn.Linear) else "conv"
            weight = layer.weight
            try:
                self.create_pruning_collections([weight.name], graph, skip_leaves=False, prune_type=kind)
            except (AssertionError, AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
                reason = f"PaddleSlim cannot follow an operator behind it ({type(error).__name__})"
                raise Untraceable(reason) from error
            values = {parameter.name: parameter.numpy() for parameter in layer.parameters()}
            for collection in self._collections:
                collection.values = values

    return LayerCollections
