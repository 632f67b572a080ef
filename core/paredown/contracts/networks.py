"""Networks as a backend is asked for them and describes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paredown.contracts.arrays import Model, State


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where a hook runs: the seed, the device, and the directory that relative paths start from.

    With `amp` networks are loaded to train in mixed precision: a backend that has none on the device says so.
    """

    seed: int = 0
    device: Literal["auto", "cpu", "gpu"] = "auto"
    base_dir: Path = field(default_factory=Path.cwd)
    amp: bool = False


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A network to build: its name, its classes, its input channels and image size (height, width).

    `kind` says what the name is one of: the zoo, timm, or a user's own functions. `width` is a factor of the channels
    of a network of the zoo; 1 is the network as it was published. `build` calls a user's function, which core has
    found, and returns the network, in no particular mode and on no particular device; `content` is a digest of the
    function's code and options, for caches.
    """

    name: str
    num_classes: int
    in_channels: int
    input_size: tuple[int, int]
    pretrained: bool = False
    width: float = 1.0
    kind: Literal["zoo", "builder", "timm"] = "zoo"
    build: Callable[[], Model] | None = None
    content: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The arrays of a file under neutral names, and notes for the reader on where in the file they were."""

    arrays: State
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One call of a layer, in order of execution.

    `kind` is `conv`, `linear`, `batch_norm` or `other` (then `type` says what the framework calls it). Shapes are
    torch's, without the batch axis; `weight_shape` is empty where a layer has none. `source` is the layer whose
    output, as the same tensor, is this layer's input, or None. `is_output` says that the network returns its output.
    `eps` is a BatchNorm's epsilon.
    """

    name: str
    kind: Literal["conv", "linear", "batch_norm", "other"]
    type: str
    weight_shape: tuple[int, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    groups: int = 1
    eps: float | None = None
    source: str | None = None
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class Fold:
    """A BatchNorm layer and the convolution or Linear layer that it is folded into, by neutral names."""

    layer: str
    batch_norm: str
