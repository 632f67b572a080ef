"""From a file or from plain data to a checked spec, or to every problem with it at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paredown.errors import Problem, SpecError
from paredown.spec.checks import check
from paredown.spec.document import Document
from paredown.spec.migrations import migrate
from paredown.spec.models import Spec
from paredown.spec.networks import with_network_kind
from paredown.spec.presets import with_presets
from paredown.spec.problems import problems_from
from paredown.spec.source import read_file, read_mapping, read_text
from paredown.spec.vocabulary import Vocabulary


def load_spec(source: Path | str | Mapping[str, Any] | Spec, vocabulary: Vocabulary) -> Spec:
    """Reads, validates and checks a spec.

    Args:
        source: The path of a YAML or JSON file, or the spec as a mapping or as a model.
        vocabulary: What is installed: the registry.

    Returns:
        The spec, as an instance of `vocabulary.spec_model()`, defaults filled in.

    Raises:
        SpecError: With one problem for each mistake: place, value, what was expected, and the remedy.
    """
    document = read_file(Path(source)) if isinstance(source, str | Path) else read_mapping(source)
    return _checked(document, vocabulary)


def load_text(text: str, vocabulary: Vocabulary, *, name: str = "spec.yaml", is_json: bool = False) -> Spec:
    """`load_spec` for the text of a spec; `name` stands for the file's name in messages."""
    return _checked(read_text(text, name, is_json=is_json), vocabulary)


def require_complete(spec: Spec) -> None:
    """Refuses a spec that cannot be run by itself, because it leaves out what `paredown.compress` is given.

    Raises:
        SpecError: `model`, `data` or `baseline` is missing; one problem for each.
    """
    examples = {
        "model": "{kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}",
        "data": "{kind: digits}",
        "baseline": "{epochs: 8}",
    }
    missing = [
        Problem(
            f"`{name}` is missing",
            name,
            "nothing",
            "a spec that `run` and `compare` can carry out alone",
            f"add `{name}: {example}`; only `paredown.compress`, which is given a network, can do without",
        )
        for name, example in examples.items()
        if getattr(spec, name) is None
    ]
    if missing:
        raise SpecError.of(missing)


def _checked(document: Document, vocabulary: Vocabulary) -> Spec:
    document = with_network_kind(migrate(document))
    try:
        spec = vocabulary.spec_model().model_validate_json(json.dumps(with_presets(document.data)), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise SpecError.of(problems_from(found, document, vocabulary.json_schema(), vocabulary.failed)) from None
    problems = check(spec, document, vocabulary)
    if problems:
        raise SpecError.of(problems)
    return spec
