"""One layer of a network that trains with fake quantization."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from paredown.contracts import PointKey
from paredown.errors import PlanError
from paredown_paddle.quantized_weights import QuantizedWeight


class Site:
    """One layer while it computes: its weight replaced, the inputs and outputs of its calls fake-quantized."""

    def __init__(self, layer: Any, quantize: Callable[[PointKey, Any], Any]) -> None:
        self.layer, self._quantize = layer, quantize
        self.weight: QuantizedWeight | None = None
        self.inputs: dict[int, PointKey] = {}
        self.outputs: dict[int, PointKey] = {}
        self._calls = 0

    def before(self, layer: Any, inputs: Any) -> Any:
        """Before a call: shows the quantized weight, and replaces the input where there is a point."""
        if self.weight is not None:
            # An attribute of the object hides the parameter, which stays where it is.
            layer.__dict__[self.weight.slot.attribute] = self.weight.quantized()
        key = self.inputs.get(self._calls)
        return None if key is None else (self._quantize(key, inputs[0]), *inputs[1:])

    def after(self, layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG002 - a hook's signature
        """After a call: shows the parameter again, and replaces the output where there is a point."""
        self.restore()
        key = self.outputs.get(self._calls)
        self._calls += 1
        return None if key is None else self._quantize(key, output)

    def require_called(self) -> None:
        """Raises `PlanError` where a point's call did not happen: it would be left out in silence."""
        for key in (*self.inputs.values(), *self.outputs.values()):
            if key[2] >= self._calls:
                raise PlanError(
                    "a quantization point was not reached in training",
                    where=f"{key[0]} ({key[1]})",
                    value=f"call {key[2] + 1} of {self._calls}",
                    expected="a layer that is called as often in training as in the exported network",
                    remedy="protect the layer",
                )

    def restore(self) -> None:
        """Shows the parameter again."""
        if self.weight is not None:
            self.layer.__dict__.pop(self.weight.slot.attribute, None)

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """One forward pass of the network, with calls counted from its start."""
        self._calls = 0
        hooks = [
            self.layer.register_forward_pre_hook(self.before),
            self.layer.register_forward_post_hook(self.after),
        ]
        try:
            yield
        finally:
            self.restore()
            for hook in hooks:
                hook.remove()
