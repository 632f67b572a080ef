"""Forward passes in fewer bits: bfloat16 on a CPU, float16 with a scaled loss on a GPU (Micikevicius et al., 2018)."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


class MixedPrecision:
    """What a training computes in; where mixed precision is not asked for, this changes nothing.

    Parameters, their gradients and BatchNorm's statistics stay float32.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        self._device, self._enabled = device, enabled
        self._dtype = torch.float16 if device.type == "cuda" else torch.bfloat16

    @property
    def name(self) -> str | None:
        """The name of the narrower dtype; None where there is none."""
        return str(self._dtype).removeprefix("torch.") if self._enabled else None

    def forward(self) -> contextlib.AbstractContextManager[Any]:
        """Where a network's forward pass takes place."""
        if not self._enabled:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def given(self, values: Any) -> Any:
        """What a forward pass gave, as the losses take it: float32."""
        return values.float() if self._enabled else values

    def scaler(self) -> torch.amp.GradScaler:
        """What keeps the gradients of one optimizer from vanishing in float16; it does nothing for bfloat16."""
        return torch.amp.GradScaler(self._device.type, enabled=self._enabled and self._dtype is torch.float16)
