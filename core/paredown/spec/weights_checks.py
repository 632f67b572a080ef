"""The weights that a network starts from, as a spec names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import NetworkConfig
from paredown.spec.nearest import nearest, one_of

NEUTRAL = ".safetensors"
FOREIGN = (".pth", ".pt", ".pdparams")
"""Files of the frameworks' own; the backend that writes such files reads them."""


def check_weights(
    weights: str | None, path: DataPath, document: Document, words: Sequence[str] = ("pretrained",)
) -> Iterator[Problem]:
    """A problem where `weights` is none of the words that this network takes, and no file that can be read."""
    if weights is None or weights in words or weights.lower().endswith((NEUTRAL, *FOREIGN)):
        return
    near = nearest(weights, words)
    known = {
        "pretrained": "networks of the zoo: nothing is downloaded for any other",
        "built": "networks of a user's own code, and of timm",
    }
    what = f"is for {known[weights]}" if weights in known else "is no file of weights"
    yield document.problem(
        path,
        f"`{weights}` {what}",
        value=weights,
        expected=f"{one_of(words, 'word')}, or the path of a file: {', '.join((NEUTRAL, *FOREIGN))}",
        remedy=f"did you mean `{near}`?" if near else "give the path of a file of weights",
    )


def check_strict(
    network: NetworkConfig, path: DataPath, document: Document, words: Sequence[str] = ("pretrained",)
) -> Iterator[Problem]:
    """A problem where `strict: false` stands beside no file of weights, which alone may fit in part."""
    if network.strict or (network.weights is not None and network.weights not in words):
        return
    yield document.problem(
        (*path, "strict"),
        "`strict: false` has no effect without a file of weights",
        value=False,
        expected=f"a file in `weights`: {', '.join((NEUTRAL, *FOREIGN))}",
        remedy="leave `strict` out, or give the path of a file of weights",
    )
