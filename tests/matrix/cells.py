"""The cells of the matrix: which network on which backend, and what must hold for each. Imports no framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agreement.networks import GAIN

from paredown import twins

BACKENDS = ("torch", "paddle")
CLASSES = 10
RATIO = 0.5


@dataclass(frozen=True, slots=True)
class Network:
    """A network as the matrix builds it: `input_shape` is (channels, height, width), `batch` the images of a split.

    A heavy network is left to `make matrix`; `make test` has the others, of which one is enough: a cell takes half a
    minute. `gain` is the variance of a convolution's drawn weights, times its fan-in.
    """

    name: str
    input_shape: tuple[int, int, int] = (3, 64, 64)
    batch: int = 8
    heavy: bool = True
    gain: float = GAIN

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends that hold it."""
        return BACKENDS[:1] if self.name in twins.TORCH_ONLY else BACKENDS


SPECIAL = {
    "cnn": Network("cnn", (1, 8, 8), heavy=False),
    "resnet20": Network("resnet20", (1, 8, 8)),
    "mobilenet_v2_small": Network("mobilenet_v2_small", (1, 28, 28)),
    # With more gain it blows the rounding of float32 up to 4e-4 of its outputs, in the framework alone.
    "mobilenet_v3_large": Network("mobilenet_v3_large", gain=1.0),
    # With more gain the order in which an int8 file's sums are rounded moves its outputs by 0.29 of what they say.
    "resnext50_32x4d": Network("resnext50_32x4d", gain=1.0),
    "shufflenet_v2_x1_0": Network("shufflenet_v2_x1_0"),
    # paddle2onnx dies of an adaptive pool that enlarges, as vgg's does below 224 pixels.
    "vgg11": Network("vgg11", (3, 224, 224), batch=4),
    "vgg11_bn": Network("vgg11_bn", (3, 224, 224), batch=4),
}

NETWORKS = tuple(SPECIAL.get(name, Network(name)) for name in sorted((*twins.OWN, *twins.SHARED, *twins.TORCH_ONLY)))

CHECKS = {
    "shapes shrink": "fewer parameters and fewer multiply-accumulates",
    "forward": "finite outputs of the right shape that tell images apart",
    "backward": "one step of training moves every trainable array, and the loss is finite",
    "save and load": "a fresh network, cut by the plan, gives exactly the same outputs from the saved weights",
    "replay": "base network, plan and weights give the same outputs on the other backend",
    "same plan": "the other backend decided on the same plan, index by index",
    "export": "the pruned network becomes a canonical ONNX file",
    "runtime agrees": "ONNX Runtime gives the framework's outputs",
    "left whole": "every convolution and Linear layer was cut or is named with a reason",
}
"""What must hold, and what that means."""

BETWEEN_BACKENDS = ("replay", "same plan")
"""The checks of networks that both backends hold."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One network on one backend."""

    network: str
    backend: str

    def __str__(self) -> str:
        return f"{self.network}-{self.backend}"

    @property
    def other(self) -> str | None:
        """The other backend that holds the network."""
        return next((name for name in network(self.network).backends if name != self.backend), None)

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that apply."""
        return tuple(check for check in CHECKS if self.other or check not in BETWEEN_BACKENDS)


CELLS = tuple(Cell(one.name, backend) for one in NETWORKS for backend in one.backends)


@dataclass(frozen=True, slots=True)
class Gap:
    """A check that is known to fail: whose limit it is, and why."""

    kind: Literal["framework", "exporter", "runtime", "not built"]
    reason: str


GAPS: dict[tuple[Cell, str], Gap] = {}
"""Each is expected to fail, and a test fails when it does not."""


def network(name: str) -> Network:
    """The network of this name."""
    return next(one for one in NETWORKS if one.name == name)
