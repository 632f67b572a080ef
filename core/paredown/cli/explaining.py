"""`explain`, for people: backends first, then the stages in order, then what will lie where."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from paredown.engine.code import require_code
from paredown.engine.trust import trusting
from paredown.explain import BackendState, Explanation, Setting, Stage, explain_spec
from paredown.manager import Manager
from paredown.spec.loader import load_spec, require_complete

_WIDTH = 100
_INDENT = "   "


def explain(given: Namespace) -> int:
    """Says what would be done on each backend."""
    manager = Manager.discover()
    spec = load_spec(given.spec, manager.registry)
    require_complete(spec)
    require_code(spec, given.backend or spec.backends, trusting(given.trust, given.spec.resolve().parent))
    explanation = explain_spec(manager, spec, list(dict.fromkeys(given.backend or spec.backends)))
    print(json.dumps(explanation.to_dict(), indent=1) if given.json else "\n".join(_lines(explanation)))
    return 0


def _lines(explanation: Explanation) -> Iterator[str]:
    steps = " > ".join(stage.name for stage in explanation.stages)
    yield f"{explanation.name}: {steps}"
    yield ""
    for backend in explanation.backends:
        yield from _backend(backend)
    for index, stage in enumerate(explanation.stages):
        yield ""
        yield from _stage(index, stage)
    yield ""
    seeds = [f"seed-{seed}" for seed in explanation.seeds]
    places = [f"DIR/{backend.name}/{seed}" for backend in explanation.backends for seed in seeds]
    yield f"each run lies in {', '.join(places)}, with {', '.join(explanation.run_files)}"
    yield f"`paredown compare` adds {', '.join(f'DIR/{name}' for name in explanation.comparison_files)}"


def _backend(backend: BackendState) -> Iterator[str]:
    head = f"on {backend.name} ({backend.title})"
    known = ", ".join(f"{name} {version}" for name, version in backend.versions.items())
    if backend.missing:
        yield f"{head}: not ready, without {', '.join(backend.missing)}; install with: {backend.install}"
    else:
        yield f"{head}: {'would be refused' if backend.problems else 'ready'}{f'; {known}' if known else ''}"
    answers: dict[str, list[str]] = {}
    for hook, who in backend.acts.items():
        answers.setdefault(who, []).append(hook)
    for who, hooks in answers.items():
        yield f"{_INDENT}plugin {who}: {', '.join(hooks)}"
    for problem in backend.problems:
        yield f"{_INDENT}refused: {problem}"


def _stage(index: int, stage: Stage) -> Iterator[str]:
    yield f"{index}. {stage.name}"
    yield from _wrapped(stage.what, _INDENT)
    width = max((len(setting.name) for setting in stage.settings), default=0)
    for setting in stage.settings:
        yield f"{_INDENT}  {setting.name:{width}}  {_text(setting)}"
    yield f"{_INDENT}writes {', '.join(stage.files)}"


def _text(setting: Setting) -> str:
    value: Any = setting.value
    shown = value if isinstance(value, str) else "none" if value is None or value == () else json.dumps(value)
    return f"{shown}  (default)" if setting.is_default else shown


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
