"""Backends and networks that a spec names: are they there, and can each chosen backend build the network so wide?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document, format_path
from paredown.spec.models import BuilderModel, DistillStep, Spec, TimmModel, ZooModel
from paredown.spec.nearest import listed, nearest, one_of, suggestion
from paredown.spec.schema import get_part
from paredown.spec.teachers import ZooTeacher
from paredown.spec.vocabulary import Vocabulary
from paredown.spec.widths import Widths, misfit


def check_installed(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the names of backends and of networks."""
    yield from _backends(spec, document, vocabulary)
    yield from _networks(spec, document, vocabulary)
    if isinstance(spec.model, BuilderModel):
        yield from _builders(spec, spec.model, document, vocabulary)
    elif isinstance(spec.model, TimmModel):
        yield from _library(spec, spec.model, document, vocabulary)


def repeated(
    values: Sequence[object], path: DataPath, document: Document, why: str = "equal runs give equal results"
) -> Iterator[Problem]:
    """A problem for each value that a list holds again; `why` says why once is enough."""
    for index, value in enumerate(values):
        if value in values[:index]:
            yield document.problem(
                (*path, index),
                f"`{value}` is listed twice in `{format_path(path)}`",
                value=value,
                expected=f"each value once: {why}",
                remedy="remove one of the two",
            )


def _backends(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    known = vocabulary.backend_models()
    yield from repeated(spec.backends, ("backends",), document)
    for index, name in enumerate(spec.backends):
        if name not in known and name not in vocabulary.failed:
            failed = f" (plugins that did not load: {', '.join(vocabulary.failed)})" if vocabulary.failed else ""
            yield document.problem(
                ("backends", index),
                f"there is no backend `{name}`",
                value=name,
                expected=one_of(known, "backend"),
                remedy=suggestion(name, known) + failed,
            )


def _networks(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    known = vocabulary.backend_models()
    asked = [name for name in dict.fromkeys(spec.backends) if name in known]
    for path, network in named_networks(spec):
        lacking = [name for name in asked if network.name not in known[name]]
        if lacking:
            refused = _refused(network.name, (*path, "name"), lacking, document, vocabulary)
            yield refused or _cannot_build(network.name, (*path, "name"), asked, lacking, known, document)
        elif asked:
            yield from _width(network, path, asked, document, vocabulary)


def _builders(spec: Spec, model: BuilderModel, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Backends without a function, and functions for backends that nobody knows."""
    known, named = vocabulary.backend_models(), model.references()
    for name in dict.fromkeys(spec.backends):
        if name in known and name not in named:
            yield document.problem(
                ("model", name),
                f"`model` names no function that builds the network on `{name}`",
                value=get_part(document.data, ("model",)),
                expected=f"`{name}: package.module:function`",
                remedy=f"add `{name}`, or remove it from `backends`",
            )
    for name in model.builders:
        if name not in known and name not in vocabulary.failed:
            yield document.problem(
                ("model", "builders", name),
                f"there is no backend `{name}`",
                value=name,
                expected=one_of(known, "backend"),
                remedy=suggestion(name, known),
            )


def _library(spec: Spec, model: TimmModel, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Backends that build no networks of the library."""
    libraries = vocabulary.backend_libraries()
    asked = [name for name in dict.fromkeys(spec.backends) if name in libraries]
    lacking = [name for name in asked if model.kind not in libraries[name]]
    able = [name for name, kinds in libraries.items() if model.kind in kinds]
    if lacking:
        yield document.problem(
            ("model", "kind"),
            f"{listed(lacking)} cannot build networks of `{model.kind}`: they are written for another framework",
            value=model.kind,
            expected=f"backends among {listed(able)}" if able else "another kind of `model`",
            remedy=f"leave only {listed(able)} in `backends`, or take a network of the zoo"
            if able
            else "take a network of the zoo",
        )


def _width(
    network: ZooModel | ZooTeacher, path: DataPath, asked: Sequence[str], document: Document, vocabulary: Vocabulary
) -> Iterator[Problem]:
    """A problem where not every backend that is asked builds the network at its width."""
    widths = vocabulary.backend_widths()
    known = {
        name: reduce(Widths.common, (widths[backend][name] for backend in asked))
        for name in widths[asked[0]]
        if all(name in widths[backend] for backend in asked)
    }
    found = misfit(network.name, network.width, network.weights, known)
    if found is not None:
        yield document.problem(
            (*path, "width"), found.what, value=network.width, expected=found.expected, remedy=found.remedy
        )


def named_networks(spec: Spec) -> Iterator[tuple[DataPath, ZooModel | ZooTeacher]]:
    """The networks of the zoo that a spec names, each with its place."""
    if isinstance(spec.model, ZooModel):
        yield ("model",), spec.model
    for index, step in enumerate(spec.steps):
        if not isinstance(step, DistillStep):
            continue
        path: DataPath = ("steps", index)
        for place, teacher in step.named_teachers():
            if isinstance(teacher, ZooTeacher):
                yield (*path, *place), teacher
        if step.student is not None:
            yield (*path, "student"), step.student


def _refused(
    network: str, path: DataPath, lacking: Sequence[str], document: Document, vocabulary: Vocabulary
) -> Problem | None:
    """The problem with a network that a backend knows and refuses; None where none of them knows it."""
    known = vocabulary.backend_refused()
    for backend in lacking:
        refusal = known[backend].get(network)
        if refusal is not None:
            return document.problem(
                path,
                f"{listed([backend])} does not build `{network}`: {refusal.why}",
                value=network,
                expected="a network of `paredown zoo`",
                remedy=refusal.remedy,
            )
    return None


def _cannot_build(
    network: str,
    path: DataPath,
    asked: Sequence[str],
    lacking: Sequence[str],
    known: Mapping[str, tuple[str, ...]],
    document: Document,
) -> Problem:
    shared = [name for name in known[asked[0]] if all(name in known[backend] for backend in asked)]
    near = nearest(network, shared)
    remedy = f"write `{near}`" if near else f"choose one of {listed(shared)}"
    if len(lacking) < len(asked):
        can = [name for name in asked if name not in lacking]
        remedy += f"; or leave only {listed(can)} in `backends`"
    return document.problem(
        path,
        f"{listed(lacking)} cannot build the network `{network}`",
        value=network,
        expected=f"a network that {listed(asked)} can build",
        remedy=remedy,
    )
