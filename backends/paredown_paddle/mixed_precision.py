"""Forward passes in float16 with a scaled loss, on a GPU (Micikevicius et al., 2018)."""

from __future__ import annotations

import contextlib
from typing import Any

from paredown.errors import UnsupportedError
from paredown_paddle.framework import paddle


class MixedPrecision:
    """What a training computes in; where mixed precision is not asked for, this changes nothing.

    Parameters, their gradients and BatchNorm's statistics stay float32.

    Raises:
        UnsupportedError: When it is asked for and Paddle works on a CPU.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        if enabled:
            require_gpu()

    @property
    def name(self) -> str | None:
        """The name of the narrower dtype; None where there is none."""
        return "float16" if self._enabled else None

    def forward(self) -> contextlib.AbstractContextManager[Any]:
        """Where a network's forward pass takes place."""
        return paddle.amp.auto_cast(dtype="float16", level="O1") if self._enabled else contextlib.nullcontext()

    def given(self, values: Any) -> Any:
        """What a forward pass gave, as the losses take it: float32."""
        return values.astype("float32") if self._enabled else values

    def scaler(self) -> Any:
        """What keeps the gradients of one optimizer from vanishing in float16."""
        return paddle.amp.GradScaler(enable=self._enabled)


def require_gpu() -> None:
    """Refuses mixed precision on a CPU, where Paddle's `auto_cast` warns and computes in float32.

    Raises:
        UnsupportedError: When Paddle works on a CPU.
    """
    if not paddle.get_device().startswith("gpu"):
        raise UnsupportedError(
            "Paddle has no mixed precision on a CPU",
            where="run.amp",
            value=f"true, on {paddle.get_device()}",
            expected="a GPU",
            remedy="remove `amp` from the spec's `run`, or train on a GPU or with the torch backend",
        )
