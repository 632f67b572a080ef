"""What a run has finished, on disk, so that an interrupted run goes on from its last finished step."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from paredown import files
from paredown.errors import ArtifactError
from paredown.plan import Plan, PrunePlan
from paredown.results import StepRecord
from paredown.spec.base import Frozen

_FILE = "journal.json"

_ANY_PLAN: TypeAdapter[Plan] = TypeAdapter(Annotated[Plan, Field(discriminator="kind")])


class _Content(Frozen):
    key: dict[str, Any]
    baseline: str | None = None
    notes: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()


class Journal:
    """The record of one run's directory. Each entry is written only after the files that it names."""

    def __init__(self, directory: Path, content: _Content) -> None:
        self.directory = directory
        self._content = content

    @classmethod
    def open(cls, directory: Path, key: dict[str, Any]) -> Journal:
        """The journal of a directory, new or begun by a run of the same key.

        Raises:
            ArtifactError: When the directory holds another run, or its journal cannot be read.
        """
        path = directory / _FILE
        if not path.exists():
            return cls(directory, _Content(key=key))
        try:
            content = _Content.model_validate(files.read_json(path))
        except ValidationError as error:
            raise ArtifactError(
                "the journal of this run is damaged", where=str(path), remedy="choose another --out"
            ) from error
        differing = sorted(name for name in key if content.key.get(name) != key[name])
        if differing:
            raise ArtifactError(
                "this place holds another run",
                where=str(directory),
                value=f"another {', '.join(differing)}",
                expected="the run that was begun here, or an empty place",
                remedy="choose another --out, or start over with --fresh",
            )
        return cls(directory, content.model_copy(update={"steps": _rebuildable(content.steps)}))

    @staticmethod
    def require_given(directory: Path) -> None:
        """Refuses a directory that holds the run of a spec: `paredown.compress` starts its own over.

        Raises:
            ArtifactError: When there is one.
        """
        if (directory / _FILE).exists() and "given" not in Journal.key_of(directory):
            raise ArtifactError(
                "this place holds the run of a spec",
                where=str(directory),
                expected="an empty place, or an earlier one of paredown.compress",
                remedy="choose another `out`",
            )

    @staticmethod
    def key_of(directory: Path) -> dict[str, Any]:
        """What the run of a directory depends on; empty where it has no journal."""
        path = directory / _FILE
        return dict(files.read_json(path).get("key", {})) if path.exists() else {}

    @property
    def baseline(self) -> str | None:
        """The file of the baseline's weights, once it is prepared."""
        return self._content.baseline

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know about the baseline."""
        return self._content.notes

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """The finished steps, in order."""
        return self._content.steps

    def finish_baseline(self, weights: str, notes: tuple[str, ...]) -> None:
        """Records the baseline."""
        self._write(self._content.model_copy(update={"baseline": weights, "notes": notes}))

    def finish_step(self, record: StepRecord) -> None:
        """Records a step."""
        self._write(self._content.model_copy(update={"steps": (*self._content.steps, record)}))

    def plans(self) -> tuple[Plan | None, ...]:
        """The plan of each finished step, in order; None for one without."""
        return read_plans(self.directory, self.steps)

    def _write(self, content: _Content) -> None:
        files.write_json(self.directory / _FILE, content.model_dump(mode="json"))
        self._content = content


def _rebuildable(steps: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
    """The finished steps whose network can be rebuilt from plans and weights; what comes after is done again."""
    return tuple(itertools.takewhile(lambda record: record.replayable, steps))


def read_plans(directory: Path, steps: Sequence[StepRecord]) -> tuple[Plan | None, ...]:
    """The plan of each step, in order; None for one without.

    Raises:
        ArtifactError: When a file is missing or damaged.
    """
    return tuple(read_plan(directory / step.plan) if step.plan else None for step in steps)


def cuts_of(plans: Sequence[Plan | None]) -> tuple[PrunePlan, ...]:
    """The plans that cut channels, in order: they rebuild the network's shapes from its base."""
    return tuple(plan for plan in plans if isinstance(plan, PrunePlan))


def read_plan(path: Path) -> Plan:
    """Reads a plan of any kind.

    Raises:
        ArtifactError: The file is missing, damaged, or no plan.
    """
    try:
        return _ANY_PLAN.validate_python(files.read_json(path))
    except ValidationError as error:
        raise ArtifactError(
            "this is no plan", where=str(path), value=str(error.errors()[0]["msg"]), remedy="run the spec again"
        ) from error
