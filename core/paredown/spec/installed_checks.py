"""Backends and networks that a spec names: are they there, and can each chosen backend build the network?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document, format_path
from paredown.spec.models import Spec
from paredown.spec.nearest import listed, nearest, one_of, suggestion
from paredown.spec.vocabulary import Vocabulary


def check_installed(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the names of backends and of the network."""
    yield from _backends(spec, document, vocabulary)
    yield from _model_name(spec, document, vocabulary)


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


def _model_name(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    if spec.model is None:
        return
    known = vocabulary.backend_models()
    asked = [name for name in dict.fromkeys(spec.backends) if name in known]
    lacking = [name for name in asked if spec.model.name not in known[name]]
    if not lacking:
        return
    shared = [name for name in known[asked[0]] if all(name in known[backend] for backend in asked)]
    near = nearest(spec.model.name, shared)
    remedy = f"write `{near}`" if near else f"choose one of {listed(shared)}"
    if len(lacking) < len(asked):
        can = [name for name in asked if name not in lacking]
        remedy += f"; or leave only {listed(can)} in `backends`"
    yield document.problem(
        ("model", "name"),
        f"{listed(lacking)} cannot build the network `{spec.model.name}`",
        value=spec.model.name,
        expected=f"a network that {listed(asked)} can build",
        remedy=remedy,
    )
