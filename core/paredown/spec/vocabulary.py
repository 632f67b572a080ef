"""What reading a spec needs to know of what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from paredown.spec.models import Spec
from paredown.spec.widths import Widths


class KnownComponent(Protocol):
    """What reading a spec needs to know of one component."""

    @property
    def granularities(self) -> tuple[str, ...]:
        """The granularities of pruning that a criterion fits."""
        ...

    @property
    def reads(self) -> str:
        """What a loss is given: the networks' `outputs`, the `labels`, or `features` of the layers in its `taps`."""
        ...

    @property
    def guided_by(self) -> tuple[str, ...]:
        """What a task's networks have to return for a loss on features that reads the teacher's outputs; () for any."""
        ...

    @property
    def loss(self) -> str:
        """The loss on the labels that a task is learned by."""
        ...

    @property
    def outputs(self) -> str:
        """What the networks of a task return, such as `classes`."""
        ...

    @property
    def output_losses(self) -> tuple[str, ...] | None:
        """The losses that may compare a task's outputs with a teacher's; None for all."""
        ...


class KnownRefusal(Protocol):
    """What reading a spec needs to know of a network that a backend refuses by name."""

    @property
    def why(self) -> str:
        """Why it is not built."""
        ...

    @property
    def remedy(self) -> str:
        """What to take in its place."""
        ...


class Vocabulary(Protocol):
    """The kinds, backends and networks that a spec may name; `paredown.registry.Registry` is one."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of plugins that are installed and did not load."""
        ...

    @property
    def components(self) -> Mapping[tuple[str, str], KnownComponent]:
        """The components by slot and name."""
        ...

    def spec_model(self) -> type[Spec]:
        """The spec's model, with the kinds that are installed."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of that model."""
        ...

    def backend_models(self) -> Mapping[str, tuple[str, ...]]:
        """Every backend with the names of the networks that it can build."""
        ...

    def backend_libraries(self) -> Mapping[str, tuple[str, ...]]:
        """Every backend with the kinds of `model` that it builds besides those of the zoo and of a user's code."""
        ...

    def backend_widths(self) -> Mapping[str, Mapping[str, Widths]]:
        """Every backend with the networks that it builds at other widths than 1, and those that each takes."""
        ...

    def backend_outputs(self) -> Mapping[str, Mapping[str, str]]:
        """Every backend with what its networks return that return no `classes`."""
        ...

    def backend_refused(self) -> Mapping[str, Mapping[str, KnownRefusal]]:
        """Every backend with the networks that it refuses by name."""
        ...
