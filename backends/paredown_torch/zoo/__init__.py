"""The networks that this backend builds by name. Importing this package imports no framework."""

from __future__ import annotations

from paredown.twins import OWN, SHARED, TORCH_ONLY

NAMES: tuple[str, ...] = OWN + SHARED + TORCH_ONLY
