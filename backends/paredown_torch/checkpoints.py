"""Reading `.pth` and `.pt`: tensors and plain containers alone, by torch's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from paredown.algorithms.checkpoints import unwrapped
from paredown.contracts import Checkpoint
from paredown.errors import WeightsError


def read(path: Path) -> Checkpoint:
    """The floating-point tensors of a checkpoint, float32, under the names that they have there; nothing in it runs.

    Raises:
        WeightsError: The file is damaged, or holds more than tensors and plain containers.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile pickle raises whatever its opcodes lead to
        raise WeightsError(
            "the weights cannot be read, or hold more than tensors",
            where=str(path),
            value=_reason(error),
            expected="a state saved by torch.save: names and tensors; nothing else of a file is ever loaded",
            remedy="save the network's state_dict() alone, or convert it to safetensors",
        ) from error
    tensors, notes = unwrapped(content, lambda value: isinstance(value, torch.Tensor))
    arrays = {
        name: tensor.detach().to(torch.float32).numpy().copy(order="C")
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and tensor.layout is torch.strided
    }
    return Checkpoint(arrays, notes)


def _reason(error: Exception) -> str:
    """What torch found; it writes advice on loading such a file all the same, which is left out."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if "WeightsUnpickler error" in line or "Unsupported" in line), None)
    return (told or (lines[0] if lines else type(error).__name__))[:300]
