"""What every cell shares: the data, the trained network, the recovery and the measuring, on either backend."""

from __future__ import annotations

import time
from typing import Any

from settings import BASELINE, RECOVERY, Backend, baseline_path, spec

from paredown import files
from paredown.algorithms import counting
from paredown.algorithms.initialization import draw
from paredown.contracts import Model, RunContext
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import BaselineConfig, TrainConfig

RECOVERY_SALT = 1
"""The same for every cell: all see the same batches in the same order."""


class Bench:
    """One backend, one network, one seed."""

    def __init__(self, backend: Backend, network: str, seed: int) -> None:
        self.backend, self.network, self.seed = backend, network, seed
        self.manager = Manager.discover()
        checked = load_spec(spec(network), self.manager.registry)
        self.workbench = Workbench(self.manager, backend, checked, RunContext(seed=seed, device="cpu"))

    def train_baseline(self) -> None:
        """Trains the network from weights drawn from the seed, and keeps it in neutral names."""
        model = self.workbench.build()
        model = self.manager.restore(self.backend, model, draw(self.workbench.state(model), self.seed))
        plan = plan_training(BaselineConfig.model_validate(BASELINE), on_labels(self.workbench))
        model = train(self.workbench, self._fast(model), plan, salt=0).model
        files.write_state(baseline_path(self.network, self.seed), self.workbench.state(model))

    def baseline(self) -> Model:
        """A fresh copy of the trained network."""
        return self.workbench.build(state=files.read_state(baseline_path(self.network, self.seed)))

    def size(self, model: Model) -> dict[str, int]:
        """Multiply-accumulates and parameters, counted by the same code for everybody's networks."""
        layers, state = self.workbench.layers(model), self.workbench.state(model)
        return {"macs": counting.count_macs(layers), "params": counting.count_parameters(state)}

    def accuracy(self, model: Model) -> dict[str, float]:
        """Top-1 on validation and on test."""
        return {
            "validation": self.workbench.metrics(model, "validation")["top1"],
            "test": self.workbench.metrics(model, "test")["top1"],
        }

    def recover(self, model: Model) -> dict[str, Any]:
        """Trains a pruned network by the one recipe, and measures it before and after.

        Args:
            model: Anybody's pruned network; it is changed in place.
        """
        model = self._fast(model)
        before = self.workbench.metrics(model, "validation")["top1"]
        start = time.process_time()
        plan = plan_training(TrainConfig.model_validate(RECOVERY), on_labels(self.workbench))
        outcome = train(self.workbench, model, plan, salt=RECOVERY_SALT)
        seconds = round(time.process_time() - start, 1)
        found = {"validation_before": before, **self.accuracy(outcome.model)}
        return {**found, "loss": outcome.evidence["loss"], "recovery_seconds": seconds}

    def _fast(self, model: Model) -> Model:
        """On torch, channels last: the same network, trained in two thirds of the time on a CPU."""
        if self.backend == "torch":
            import torch

            return model.to(memory_format=torch.channels_last)
        return model
