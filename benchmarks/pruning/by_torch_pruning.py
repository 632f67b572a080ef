"""torch-pruning by hand, as its README shows it: importance, pruner, one step."""

from __future__ import annotations

from typing import Any

import torch
import torch_pruning as tp
from bench import Bench
from search import nearest_ratio
from settings import Cell
from torch import nn

from paredown.contracts import Model


class TorchPruning:
    """Group magnitude with p = 2, the mean over the group, divided by the layer's mean: its own l2."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._whole = bench.size(bench.baseline())["macs"]

    def prune(self, cell: Cell) -> tuple[Model, dict[str, Any]]:
        """The baseline, cut at the ratio that comes nearest to the target."""
        ratio = nearest_ratio(lambda ratio: self._kept(ratio, cell), cell.target)
        return self._cut(ratio, cell), {"ratio": ratio}

    def _kept(self, ratio: float, cell: Cell) -> float:
        return self._bench.size(self._cut(ratio, cell))["macs"] / self._whole

    def _cut(self, ratio: float, cell: Cell) -> nn.Module:
        model: nn.Module = self._bench.baseline()
        classifier = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
        pruner = tp.pruner.BasePruner(
            model,
            torch.zeros((1, *self._bench.workbench.input_shape)),
            importance=tp.importance.GroupMagnitudeImportance(p=2),
            global_pruning=cell.scope == "global",
            pruning_ratio=ratio,
            ignored_layers=[classifier],
        )
        pruner.step()
        return model.eval()
