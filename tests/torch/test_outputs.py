"""Networks that return several tensors: every hook carries all of them, in their order."""

from __future__ import annotations

import torch
from torch import nn

SHAPE = (3, 8, 8)


class TwoHeads(nn.Module):
    """Logits, and a map that is never negative, from one stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.near, self.far = nn.Conv2d(6, 2, 1), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.relu(self.stem(x))
        return self.far(x.mean((2, 3))), self.near(x).exp()
