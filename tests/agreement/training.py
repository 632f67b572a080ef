"""Training from equal weights on equal batches: the loss of each step, what BatchNorm keeps; under a teacher too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from agreement.networks import BATCH, PRUNED, STEPS, AgreementBench, workbench

from paredown import files
from paredown.algorithms import batches
from paredown.contracts import Batch, TrainingRun
from paredown.engine.teaching.preparing import planned_losses
from paredown.engine.teaching.taps import Networks, draw_projections
from paredown.engine.training import on_labels, plan_training
from paredown.manager import Manager
from paredown.spec.losses import FeatureL2Loss, HardLabelLoss, KlLoss, TapPair
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
DTYPES = ("float32", "float64")


def distillation_facts(manager: Manager, backend: str, out: Path) -> dict[str, Any]:
    """The first losses of `cnn` under `resnet20`, by labels, outputs and features through projections, by dtype.

    The weights that it ends with go to `distilled-DTYPE.safetensors`.
    """
    return {dtype: _distil(manager, backend, dtype, out) for dtype in DTYPES}


def _distil(manager: Manager, backend: str, dtype: Literal["float32", "float64"], out: Path) -> dict[str, Any]:
    bench, teacher = workbench(manager, backend, "cnn"), workbench(manager, backend, "resnet20").build_lively()
    taps = (TapPair(student="relu1", teacher="layer1"), TapPair(student="fc"))
    losses = (HardLabelLoss(weight=0.3), KlLoss(weight=0.7), FeatureL2Loss(taps=taps))
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
        dtype=dtype,
    )
    outcome = bench.manager.distill(backend, student, plan_training(config, terms, "zoo resnet20"), run)
    files.write_state(out / f"distilled-{dtype}.safetensors", bench.state(outcome.model))
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
