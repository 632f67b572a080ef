"""The entry point: registers the runtime by name."""

from __future__ import annotations

from paredown.contracts import Component
from paredown.markers import hookimpl
from paredown_paddle_inference.config import PaddleInferenceConfig


@hookimpl
def register_components() -> list[Component]:
    """The runtime `paddle_inference`."""
    return [
        Component(
            "runtime",
            "paddle_inference",
            "paredown_paddle_inference.runtime:PaddleInference",
            PaddleInferenceConfig,
            distributions=("paddlepaddle", "paddleslim"),
            install='pip install "paredown[paddle]"',
        )
    ]
