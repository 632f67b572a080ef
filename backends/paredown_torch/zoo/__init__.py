"""The networks that this backend builds by name. Importing this package imports no framework."""

from __future__ import annotations

from paredown.twins import (
    DETECTORS,
    MASK_DETECTORS,
    OWN,
    PIXELS,
    SHARED,
    TORCH_DETECTORS,
    TORCH_ONLY,
    TORCH_PIXELS,
)

NAMES: tuple[str, ...] = (
    *OWN,
    *SHARED,
    *PIXELS,
    *DETECTORS,
    *MASK_DETECTORS,
    *TORCH_ONLY,
    *TORCH_PIXELS,
    *TORCH_DETECTORS,
)
