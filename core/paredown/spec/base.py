"""The base of every pydantic model here, and the mark for fields whose kinds plugins supply."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, and strict about what it is given: unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)


class ComponentConfig(Frozen):
    """The base of every component's options. A subclass narrows `kind` to its own name with `Literal`."""

    kind: str


class DataConfig(ComponentConfig):
    """The base of a dataset's options."""

    def tasks(self) -> tuple[str, ...]:
        """The kinds of task that the labels are for; nothing where only the files tell."""
        return ()


@dataclass(frozen=True, slots=True)
class Slot:
    """Marks a field for any component of one kind; the registry replaces it by the union of what is installed."""

    component: str
