"""Training from equal weights on equal batches: the loss of each step, and what BatchNorm keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from networks import BATCH, PRUNED, STEPS, AgreementBench, workbench

from paredown import files
from paredown.algorithms import batches
from paredown.contracts import FloatArray, IntArray, TrainingRun
from paredown.engine.training import LABELS_ONLY, plan_training
from paredown.manager import Manager
from paredown.spec.models import ConstantSchedule, SgdConfig, TrainConfig

RATE = 0.05
OPTIMIZER = SgdConfig(lr=RATE, momentum=0.9, weight_decay=5e-4)


def training_facts(manager: Manager, backend: str, out: Path) -> dict[str, Any]:
    """The losses of `cnn` step by step. Weights after one step of each network go to `trained-NETWORK.safetensors`."""
    losses = {}
    for name in ("cnn", *PRUNED):
        bench = workbench(manager, backend, name)
        losses[name] = _train(bench, 1, out / f"trained-{name}.safetensors")
    losses["cnn"] = _train(workbench(manager, backend, "cnn"), STEPS, out / "trained-cnn-further.safetensors")
    return losses


def _train(bench: AgreementBench, steps: int, path: Path) -> list[float]:
    """Every epoch is one step, so that the backend tells the loss of each."""
    data = bench.split("train")

    def epoch(index: int) -> Iterator[tuple[FloatArray, IntArray]]:
        yield next(batches.epoch_batches(data, BATCH, 0, index))

    config = TrainConfig(epochs=steps, batch_size=BATCH, optimizer=OPTIMIZER, schedule=ConstantSchedule())
    run = TrainingRun(
        batches=epoch,
        steps_per_epoch=1,
        learning_rate=lambda step: RATE,
        losses=[bench.manager.registry.implementation("distill_loss", "hard_label", bench.backend)],
    )
    outcome = bench.manager.distill(bench.backend, bench.build_lively(), plan_training(config, LABELS_ONLY), run)
    files.write_state(path, bench.state(outcome.model))
    return list(outcome.evidence["loss"])
