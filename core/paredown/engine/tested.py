"""A deployed file on the test split, beside the network that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paredown.algorithms.batches import batch_labels, evaluation_batch
from paredown.contracts import Model, Outputs
from paredown.engine.pictures import shown_part
from paredown.engine.tallies import agreement_tally, batch_size, metric_tally
from paredown.engine.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of it.

    `metrics` are the file's, `reference` the network's own, `agreement` is how far they agree, None where neither
    predicts anything, `shown` what the file answers to the images that are shown.
    """

    metrics: dict[str, float]
    reference: dict[str, float]
    agreement: float | None
    shown: Outputs


def answer_beside(bench: Workbench, path: Path, model: Model, *, is_exact: bool) -> Tested:
    """Runs a file and a network on the test split, batch by batch, so that neither's outputs are held as a whole.

    Args:
        bench: The run.
        path: The file.
        model: The network whose predictions the file's are compared with.
        is_exact: Whether the file has to compute what the network does.

    Raises:
        DeployError: The file answers with numbers that are none, or computes something else than it has to.
        ModelError: The network answers with numbers that are none.
    """
    from paredown.deploy.verify import OutputDifference, run_batches

    images, labels = bench.split("test")
    start = 0
    own, other, agreement = metric_tally(bench.task), metric_tally(bench.task), agreement_tally(bench.task)
    difference = OutputDifference(path)
    shown: list[Outputs] = []
    # Batches as in the framework: a range that is taken at run time is that of a batch.
    answers = run_batches(bench.runtime, path, images, batch_size=evaluation_batch(images))
    for found, expected in zip(answers, bench.answers(model, "test"), strict=True):
        if is_exact:
            difference.update(found, expected)
        part = batch_labels(labels[start : start + batch_size(found)])
        own.update(found, part)
        other.update(expected, part)
        agreement.update(found, expected)
        shown = shown or [shown_part(found)]
        start += len(part)
    if is_exact:
        difference.require()
    return Tested(own.compute(), other.compute(), agreement.compute(), shown[0])
