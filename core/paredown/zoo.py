"""The networks that the backends build by name: what each costs, what it is for, and who builds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from importlib import resources
from typing import Any

from paredown.manager import Manager
from paredown.spec.widths import Widths


@dataclass(frozen=True, slots=True)
class ZooNetwork:
    """One network. `params` and `macs` are for one image of `input` (channels, height, width) and for `classes`.

    They are None for a network of another package, which nobody has counted. `widths` are those that every backend
    which builds it takes; None where there is one width only.
    """

    name: str
    backends: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    input: tuple[int, ...] | None = None
    classes: int | None = None
    params: int | None = None
    macs: int | None = None
    widths: Widths | None = None

    @property
    def is_twin(self) -> bool:
        """Whether more than one backend holds it, parameter by parameter."""
        return len(self.backends) > 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"twin": self.is_twin}


def networks(manager: Manager) -> tuple[ZooNetwork, ...]:
    """Every network of every backend, whether its framework is installed or not; no framework is imported."""
    figures, backends = _figures(), manager.registry.backends
    names = dict.fromkeys(name for info in backends.values() for name in info.models)
    found = []
    for name in names:
        holders = {backend: info for backend, info in backends.items() if name in info.models}
        widths = [info.widths.get(name) for info in holders.values()]
        known = [width for width in widths if width is not None]
        told = figures.get(name, {})
        found.append(
            ZooNetwork(
                name=name,
                backends=tuple(sorted(holders)),
                tasks=tuple(told.get("tasks", ())),
                input=tuple(told["input"]) if told else None,
                classes=told.get("classes"),
                params=told.get("params"),
                macs=told.get("macs"),
                widths=reduce(Widths.common, known) if len(known) == len(widths) else None,
            )
        )
    return tuple(found)


def _figures() -> Mapping[str, Any]:
    """What was counted once and is shipped, so that the question needs no framework."""
    text = (resources.files("paredown") / "zoo.json").read_text(encoding="utf-8")
    figures: Mapping[str, Any] = json.loads(text)
    return figures
