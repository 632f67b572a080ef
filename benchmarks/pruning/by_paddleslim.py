"""PaddleSlim's L1 filter pruner by hand.

Its own constructor traces with functions that Paddle no longer has, so the collections of coupled tensors are built
from a program traced under the old IR; scores, masks and surgery are PaddleSlim's.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddleslim
from bench import Bench
from paddleslim.dygraph.prune.l1norm_pruner import L1NormFilterPruner
from paddleslim.dygraph.prune.var_group import DygraphPruningCollections
from search import nearest_ratio
from settings import Cell

from paredown.contracts import Model


class Collections(DygraphPruningCollections):  # type: ignore[misc]  # PaddleSlim has no types
    """The coupled tensors of all convolutions of a traced network."""

    def __init__(self, model: Model, graph: Any) -> None:
        self.create_pruning_collections(filters(model), graph, skip_leaves=False, prune_type="conv")
        values = {parameter.name: parameter.numpy() for parameter in model.parameters()}
        for collection in self._collections:
            collection.values = values


class L1Pruner(L1NormFilterPruner):  # type: ignore[misc]  # PaddleSlim has no types
    """PaddleSlim's pruner on collections that are given."""

    def __init__(self, model: Model, graph: Any) -> None:
        self.model, self.opt, self.plan = model, None, None
        self.prune_type, self.num_head = "conv", -1
        self.skip_vars: list[str] = []
        self.collections = Collections(model, graph)


class PaddleSlim:
    """One ratio for every layer, as PaddleSlim's demos do it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._whole = bench.size(bench.baseline())["macs"]

    def prune(self, cell: Cell) -> tuple[Model, dict[str, Any]]:
        """The baseline, cut at the ratio that comes nearest to the target."""
        model = self._bench.baseline()
        pruner = L1Pruner(model, self._trace(model))

        def kept(ratio: float) -> float:
            plan = pruner.prune_vars(dict.fromkeys(filters(model), ratio), [0])
            macs = self._bench.size(model)["macs"]
            plan.restore(model)
            return macs / self._whole

        ratio = nearest_ratio(kept, cell.target)
        pruner.prune_vars(dict.fromkeys(filters(model), ratio), [0])
        _drop_backups(model)
        return model, {"ratio": ratio, "collections": len(pruner.collections._collections)}

    def _trace(self, model: Model) -> Any:
        image = paddle.static.InputSpec([None, *self._bench.workbench.input_shape], "float32", "image")
        forward = model.forward
        with paddle.pir_utils.OldIrGuard():
            traced = paddle.jit.to_static(forward, input_spec=[image], full_graph=True)
            return paddleslim.core.GraphWrapper(traced.concrete_program.main_program)


def filters(model: Model) -> list[str]:
    """Paddle's names of all weights of convolutions."""
    return [parameter.name for parameter in model.parameters() if len(parameter.shape) == 4]


def _drop_backups(model: Model) -> None:
    """PaddleSlim keeps the uncut values as buffers, to restore them."""
    for layer in model.sublayers(include_self=True):
        for name in [name for name in layer._buffers if name.endswith("_backup")]:
            del layer._buffers[name]
