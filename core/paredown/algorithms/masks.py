"""Masks: which single weights stay, decided, packed, applied, and cut along with channels.

A mask is a boolean array in torch's layout, True for what stays; masks are kept by the neutral name of their parameter.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping

import numpy as np

from paredown.algorithms.mask_choice import n_m_masks, weight_masks
from paredown.algorithms.surgery import cut_state
from paredown.contracts import Array, State
from paredown.errors import PlanError
from paredown.plan import Cut, Mask, PrunePlan

__all__ = ["all_true", "apply", "combine", "cut", "n_m_masks", "pack", "unpack", "weight_masks"]


def pack(parameter: str, mask: Array) -> Mask:
    """A mask as plain data: base64 of zlib of its bits in C order, the first bit highest."""
    bits = np.packbits(np.ascontiguousarray(mask, dtype=bool).ravel())
    packed = base64.b64encode(zlib.compress(bits.tobytes(), 9)).decode("ascii")
    return Mask(parameter=parameter, shape=tuple(int(length) for length in np.shape(mask)), kept=packed)


def unpack(mask: Mask) -> Array:
    """The boolean array that `pack` packed.

    Raises:
        PlanError: The data is damaged, or holds another number of bits than the shape.
    """
    count = int(np.prod(mask.shape, dtype=np.int64))
    try:
        packed = zlib.decompress(base64.b64decode(mask.kept, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise _damaged(mask, str(error)) from error
    if len(packed) != (count + 7) // 8:
        raise _damaged(mask, f"{len(packed)} bytes")
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count)
    return bits.astype(bool).reshape(mask.shape)


def all_true(state: State) -> dict[str, Array]:
    """Masks that keep every element of the arrays."""
    return {name: np.ones(np.shape(values), dtype=bool) for name, values in state.items()}


def apply(state: State, masks: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays with zeros where a mask does not keep; dtypes stay, arrays without a mask are passed on.

    Raises:
        PlanError: A mask's parameter is absent or has another shape.
    """
    result = dict(state)
    for name, mask in masks.items():
        found = np.shape(state[name]) if name in state else None
        if found != np.shape(mask):
            raise PlanError(
                "a mask does not fit this network",
                where=name,
                value="absent" if found is None else f"shape {found}",
                expected=f"shape {np.shape(mask)}",
                remedy="use the mask with the network that it was made for, after the plans before it",
            )
        values = np.asarray(state[name])
        # Not a product: that would leave negative zeros, and NaN where a masked weight is infinite.
        result[name] = np.where(mask, values, np.zeros((), dtype=values.dtype))
    return result


def combine(old: Mapping[str, Array], new: Mapping[str, Array]) -> dict[str, Array]:
    """Both masks at once: what either does not keep is gone."""
    result = dict(old)
    for name, mask in new.items():
        if name not in old:
            result[name] = mask
        elif np.shape(old[name]) == np.shape(mask):
            result[name] = np.logical_and(old[name], mask)
        else:
            raise PlanError(
                "two masks of one parameter have different shapes",
                where=name,
                value=str(np.shape(mask)),
                expected=str(np.shape(old[name])),
                remedy="cut the earlier masks along with the channels",
            )
    return result


def cut(masks: Mapping[str, Array], plan: PrunePlan) -> dict[str, Array]:
    """The masks of a network once a plan has cut its channels.

    Raises:
        PlanError: A mask's axis has another length than the plan says.
    """
    return cut_state(masks, [_within(one, masks) for one in plan.cuts])


def _within(one: Cut, masks: Mapping[str, Array]) -> Cut:
    members = tuple(member for member in one.group.members if member.parameter in masks)
    return one.model_copy(update={"group": one.group.model_copy(update={"members": members})})


def _damaged(mask: Mask, found: str) -> PlanError:
    return PlanError(
        "a mask cannot be unpacked",
        where=mask.parameter,
        value=found,
        expected=f"base64 of zlib of the bits of an array of shape {mask.shape}",
        remedy="write the plan again with `paredown.algorithms.masks.pack`",
    )
