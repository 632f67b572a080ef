"""The one backend that trains a network for all: is it there, is there anything to train, and can it build that?"""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import BuilderModel, DistillStep, NetworkConfig, Spec, TimmModel
from paredown.spec.nearest import one_of, suggestion
from paredown.spec.teachers import ZooTeacher
from paredown.spec.training import BaselineConfig
from paredown.spec.vocabulary import Vocabulary
from paredown.spec.widths import misfit

_Trained = tuple[DataPath, BaselineConfig, NetworkConfig | ZooTeacher]


def check_trainers(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with every `train_on`."""
    for path, training, network in _trained(spec):
        if training.train_on is not None:
            place = (*path, "train_on")
            yield from _check(place, training.train_on, training.epochs, network, document, vocabulary)
            if isinstance(network, ZooTeacher) and training.epochs:
                yield from _check_own(place, training.train_on, spec.model, document, vocabulary)


def _trained(spec: Spec) -> Iterator[_Trained]:
    if spec.baseline is not None and spec.model is not None:
        yield ("baseline",), spec.baseline, spec.model
    for index, step in enumerate(spec.steps):
        if isinstance(step, DistillStep):
            for place, teacher in step.named_teachers():
                if isinstance(teacher, ZooTeacher) and teacher.train is not None:
                    yield ("steps", index, *place, "train"), teacher.train, teacher


def _check(
    path: DataPath,
    trainer: str,
    epochs: int,
    network: NetworkConfig | ZooTeacher,
    document: Document,
    vocabulary: Vocabulary,
) -> Iterator[Problem]:
    known = vocabulary.backend_models()
    if trainer not in known:
        if trainer not in vocabulary.failed:
            yield document.problem(
                path,
                f"there is no backend `{trainer}`",
                value=trainer,
                expected=one_of(known, "backend"),
                remedy=suggestion(trainer, known),
            )
    elif epochs == 0:
        yield document.problem(
            path,
            "nothing is trained here that backends could share",
            value=trainer,
            expected="`epochs` of at least 1, or no `train_on`",
            remedy="leave `train_on` out: a file of weights is the same for all backends anyway",
        )
    elif not _builds(trainer, network, vocabulary):
        yield document.problem(
            path,
            f"`{trainer}` does not build this network: it cannot train it for the others",
            value=trainer,
            expected="a backend that builds the network as the spec's backends do",
            remedy="let another backend train it, or choose a network that both hold",
        )


def _check_own(
    path: DataPath, trainer: str, model: NetworkConfig | None, document: Document, vocabulary: Vocabulary
) -> Iterator[Problem]:
    """A teacher is trained beside the spec's network, whose input its trainer reads: it must know that one too."""
    known = trainer in vocabulary.backend_models()
    if known and isinstance(model, BuilderModel | TimmModel) and not _builds(trainer, model, vocabulary):
        yield document.problem(
            path,
            f"`{trainer}` does not build the network of `model`",
            value=trainer,
            expected="a backend that builds the spec's own network too: a teacher's training takes its images from it",
            remedy="let another backend train the teacher, or leave `train_on` out",
        )


def _builds(trainer: str, network: NetworkConfig | ZooTeacher, vocabulary: Vocabulary) -> bool:
    if isinstance(network, BuilderModel):
        return trainer in network.references()
    if isinstance(network, TimmModel):
        return network.kind in vocabulary.backend_libraries()[trainer]
    fits = misfit(network.name, network.width, network.weights, vocabulary.backend_widths()[trainer]) is None
    return network.name in vocabulary.backend_models()[trainer] and fits
