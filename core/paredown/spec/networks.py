"""The static models of networks that no zoo holds: those of a user's own code, and those of timm."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, JsonValue, PositiveInt

from paredown.spec.base import Frozen
from paredown.spec.document import Document

BackendName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

Reference = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
"""`package.module:function`; the function is a plain name, so that a spec cannot reach into what a module imports."""

BUILT = "built"
"""What `weights` says of a network that keeps the weights which its builder gave it."""


class BuilderModel(Frozen):
    """A network that a Python function builds: `package.module:function`, one for each backend.

    The function is called with `options` as keyword arguments and returns the network; it is called only where the user
    trusts its module. `num_classes`, `in_channels` and `input_size` say what the network takes and gives. `weights` is
    None (drawn from the seed), `built` (as the function leaves them) or the path of a file of weights.
    """

    kind: Literal["builder"] = "builder"
    torch: Reference | None = None
    paddle: Reference | None = None
    builders: dict[BackendName, Reference] = Field(default_factory=dict)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    num_classes: Annotated[int, Field(ge=2)] = 10
    in_channels: PositiveInt = 3
    input_size: tuple[PositiveInt, PositiveInt] = (224, 224)
    weights: str | None = None
    strict: bool = True

    def references(self) -> dict[str, str]:
        """The functions by backend."""
        named = {"torch": self.torch, "paddle": self.paddle}
        return {name: reference for name, reference in {**named, **self.builders}.items() if reference is not None}


class TimmModel(Frozen):
    """A network of timm, without its published weights; only backends on PyTorch build it.

    `weights` is None (drawn from the seed), `built` (as timm draws them) or the path of a file of weights.
    """

    kind: Literal["timm"] = "timm"
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
    num_classes: Annotated[int, Field(ge=2)] = 10
    in_channels: PositiveInt = 3
    input_size: tuple[PositiveInt, PositiveInt] = (224, 224)
    weights: str | None = None
    strict: bool = True


def with_network_kind(document: Document) -> Document:
    """The document with `kind: zoo` in a `model` that names no kind, which once was the only one."""
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("model"), dict) or "kind" in data["model"]:
        return document
    return replace(document, data=data | {"model": {"kind": "zoo"} | data["model"]})
