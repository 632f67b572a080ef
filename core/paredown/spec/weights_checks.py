"""The weights that a network of the zoo starts from, as a spec names them."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.nearest import nearest


def check_weights(weights: str | None, path: DataPath, document: Document) -> Iterator[Problem]:
    """A problem where `weights` is no file that can be read."""
    if weights is None or weights == "pretrained" or weights.endswith(".safetensors"):
        return
    planned = weights.endswith((".pth", ".pt", ".pdparams"))
    what = "is planned and not built yet; built: .safetensors, pretrained" if planned else "is no file of weights"
    near = nearest(weights, ("pretrained",))
    yield document.problem(
        path,
        f"`{weights}` {what}",
        value=weights,
        expected="`pretrained` or the path of a .safetensors file in neutral names",
        remedy=f"did you mean `{near}`?" if near else "convert the file to .safetensors",
    )
