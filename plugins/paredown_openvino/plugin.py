"""The entry point: registers the runtime by name."""

from __future__ import annotations

from paredown.contracts import Component
from paredown.markers import hookimpl
from paredown_openvino.config import OpenVinoConfig


@hookimpl
def register_components() -> list[Component]:
    """The runtime `openvino`."""
    return [
        Component(
            "runtime",
            "openvino",
            "paredown_openvino.runtime:OpenVino",
            OpenVinoConfig,
            distributions=("openvino",),
            install='pip install "paredown[openvino]"',
        )
    ]
