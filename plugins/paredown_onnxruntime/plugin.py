"""The entry point: registers the runtime by name."""

from __future__ import annotations

from paredown.contracts import Component
from paredown.markers import hookimpl
from paredown_onnxruntime.config import OnnxRuntimeConfig


@hookimpl
def register_components() -> list[Component]:
    """The runtime `onnxruntime`."""
    return [Component("runtime", "onnxruntime", "paredown_onnxruntime.runtime:OnnxRuntime", OnnxRuntimeConfig)]
