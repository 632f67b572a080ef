"""Which position of an axis belongs to which channel of a group."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import IntArray
from paredown_paddle.coupling import Untraceable


def follow(channels: IntArray, transforms: list[dict[str, Any]]) -> IntArray:
    """Sends the channels' indices through PaddleSlim's transforms as it sends its masks; -1 is another group's."""
    for transform in transforms:
        if "src_start" in transform:
            part = channels[transform["src_start"] : transform["src_end"]]
            start, end = transform["target_start"], transform["target_end"]
            channels = np.full(transform["target_len"], -1)
            channels[start:end] = np.tile(part, (end - start) // len(part))
        elif "stride" in transform:
            channels = np.repeat(channels, transform["stride"])
        elif "squeeze" in transform:
            rows = channels.reshape(-1, transform["squeeze"])
            if not (rows == rows[:, :1]).all():
                raise Untraceable("a reshape puts several of its channels into one")
            channels = rows[:, 0]
        elif "repeat" in transform:
            channels = np.tile(np.repeat(channels, transform["repeat"]), transform.get("tile", 1))
    return channels


def merge(known: IntArray | None, channels: IntArray, name: str) -> IntArray:
    """Joins what two paths through the network say of the positions of one axis.

    Raises:
        Untraceable: When they name two channels for one position.
    """
    if known is None:
        return channels
    if ((known >= 0) & (channels >= 0) & (known != channels)).any():
        raise Untraceable(f"two of its channels meet at one position of {name}")
    return np.maximum(known, channels)
