"""Training from equal weights on equal batches: the loss of each step, what BatchNorm keeps; under a teacher too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from networks import BATCH, PRUNED, STEPS, AgreementBench, workbench

from paredown import files
from paredown.algorithms import batches
from paredown.contracts import Batch, TrainingRun
from paredown.engine.teaching.preparing import planned_losses
from paredown.engine.teaching.taps import Networks, draw_projections
from paredown.engine.training import on_labels, plan_training
from paredown.manager import Manager
from paredown.spec.losses import FeatureL2Loss, KlLoss, TapPair
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


DISTILLED, DISTILLED_RATE = 20, 0.01


def distillation_facts(manager: Manager, backend: str, out: Path) -> dict[str, Any]:
    """The first losses of `cnn` under `resnet20`, by outputs and by features through projections, in float64.

    The weights that it ends with go to `distilled-cnn.safetensors`.
    """
    bench, teacher = workbench(manager, backend, "cnn"), workbench(manager, backend, "resnet20").build_lively()
    losses = (KlLoss(), FeatureL2Loss(taps=(TapPair(student="relu1", teacher="layer1"), TapPair(student="fc"))))
    student = bench.build_lively()
    networks = Networks(bench.taps(student), bench.taps(teacher))
    terms = planned_losses(bench, losses, networks)
    optimizer = SgdConfig(lr=DISTILLED_RATE, momentum=0.9, weight_decay=5e-4)
    config = TrainConfig(epochs=DISTILLED, batch_size=BATCH, optimizer=optimizer, schedule=ConstantSchedule())
    run = TrainingRun(
        batches=_one_batch(bench),
        steps_per_epoch=1,
        learning_rate=lambda step: DISTILLED_RATE,
        losses=[bench.manager.registry.implementation("distill_loss", loss.kind, backend) for loss in losses],
        teacher=teacher,
        projections=draw_projections(terms, 0),
        dtype="float64",
    )
    outcome = bench.manager.distill(backend, student, plan_training(config, terms, "zoo resnet20"), run)
    files.write_state(out / "distilled-cnn.safetensors", bench.state(outcome.model))
    return {"losses": list(outcome.evidence["loss"]), "projections": [list(place) for place in run.projections]}


def _one_batch(bench: AgreementBench) -> Callable[[int], Iterator[Batch]]:
    """Every epoch is one step, so that the backend tells the loss of each."""
    data = bench.split("train")

    def epoch(index: int) -> Iterator[Batch]:
        yield next(batches.epoch_batches(data, BATCH, 0, index))

    return epoch


def _train(bench: AgreementBench, steps: int, path: Path) -> list[float]:
    config = TrainConfig(epochs=steps, batch_size=BATCH, optimizer=OPTIMIZER, schedule=ConstantSchedule())
    run = TrainingRun(
        batches=_one_batch(bench),
        steps_per_epoch=1,
        learning_rate=lambda step: RATE,
        losses=[bench.manager.registry.implementation("distill_loss", "hard_label", bench.backend)],
    )
    outcome = bench.manager.distill(bench.backend, bench.build_lively(), plan_training(config, on_labels(bench)), run)
    files.write_state(path, bench.state(outcome.model))
    return list(outcome.evidence["loss"])
