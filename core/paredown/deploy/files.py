"""A model as the bytes of a file."""

from __future__ import annotations

import onnx

from paredown.errors import UnsupportedError

LARGEST = 2**31 - 1
"""Protocol buffers end here."""


def to_bytes(model: onnx.ModelProto) -> bytes:
    """The file's bytes: equal models give equal bytes. Raises `UnsupportedError` for a model above 2 GB."""
    if model.ByteSize() > LARGEST:
        raise UnsupportedError("the network does not fit into one ONNX file", value=model.ByteSize(), expected="< 2 GB")
    data: bytes = model.SerializeToString(deterministic=True)
    return data
