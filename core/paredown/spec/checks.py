"""What types cannot say: settings and combinations that make no sense."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.augment_checks import check_augment
from paredown.spec.data_checks import check_data
from paredown.spec.document import Document
from paredown.spec.installed_checks import check_installed, repeated
from paredown.spec.models import Spec, ZooModel
from paredown.spec.networks import BUILT
from paredown.spec.schedule_checks import check_schedule
from paredown.spec.step_checks import check_steps
from paredown.spec.task_checks import check_task
from paredown.spec.trainer_checks import check_trainers
from paredown.spec.trainings import trainings
from paredown.spec.vocabulary import Vocabulary
from paredown.spec.weights_checks import check_strict, check_weights


def check(spec: Spec, document: Document, vocabulary: Vocabulary) -> list[Problem]:
    """Every problem with a spec that its models accepted."""
    return [
        *check_installed(spec, document, vocabulary),
        *repeated(spec.seeds, ("seeds",), document),
        *check_data(spec, document),
        *_weights(spec, document),
        *_baseline(spec, document),
        *check_trainers(spec, document, vocabulary),
        *check_task(spec, document, vocabulary),
        *check_steps(spec, document, vocabulary),
        *_schedules(spec, document),
        *check_augment(spec, document, vocabulary),
    ]


def _weights(spec: Spec, document: Document) -> Iterator[Problem]:
    if spec.model is not None:
        words = ("pretrained",) if isinstance(spec.model, ZooModel) else (BUILT,)
        yield from check_weights(spec.model.weights, ("model", "weights"), document, words)
        yield from check_strict(spec.model, ("model",), document, words)


def _baseline(spec: Spec, document: Document) -> Iterator[Problem]:
    if spec.baseline and spec.baseline.epochs == 0 and spec.model and spec.model.weights is None:
        yield document.problem(
            ("baseline", "epochs"),
            "the baseline is neither trained nor loaded: it would be random",
            value=0,
            expected="a whole number of at least 1, or `model.weights`",
            remedy="train for some epochs, or set `model.weights` to `pretrained` or to a file",
        )


def _schedules(spec: Spec, document: Document) -> Iterator[Problem]:
    for path, config in trainings(spec):
        yield from check_schedule(config, path, document)
