"""Steps, one by one and in their order: settings and combinations that make no sense."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.distill_checks import check_distillation
from paredown.spec.document import Document
from paredown.spec.during_checks import check_during, check_no_schedule
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, Spec
from paredown.spec.order_checks import check_order
from paredown.spec.prune_checks import check_prune
from paredown.spec.quantize_checks import check_quantize
from paredown.spec.vocabulary import Vocabulary


def check_steps(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the steps of a spec."""
    for index, step in enumerate(spec.steps):
        path = ("steps", index)
        if isinstance(step, PruneStep):
            yield from check_no_schedule(step, path, document)
            yield from check_prune(step, path, document, vocabulary)
        elif isinstance(step, QuantizeStep):
            yield from check_quantize(step, path, document)
        elif isinstance(step, FinetuneStep | DistillStep):
            yield from check_during(step, path, document, vocabulary)
    yield from check_order(spec, document)
    yield from check_distillation(spec, document, vocabulary)
