"""One text for one spec, and its hash."""

from __future__ import annotations

import hashlib
import json

from paredown.spec.models import Spec


def canonical_json(spec: Spec) -> str:
    """The spec with every default written out, keys sorted, without spaces, in ASCII."""
    data = spec.model_dump(mode="json", serialize_as_any=True)
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def spec_hash(spec: Spec) -> str:
    """SHA-256 of `canonical_json`, in hexadecimal: equal for specs that mean the same."""
    return hashlib.sha256(canonical_json(spec).encode("ascii")).hexdigest()
