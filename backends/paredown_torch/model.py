"""Networks: building them, and their parameters by neutral name (torch's own, without the counters of batches)."""

from __future__ import annotations

import contextlib
import copy
import difflib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from paredown.contracts import FloatArray, ModelSource, Outputs, RunContext, State
from paredown.errors import ModelError, Problem, UnsupportedError, WeightsError
from paredown.twins import TORCH_DETECTORS, require_width
from paredown_torch.outputs import as_arrays
from paredown_torch.zoo import NAMES


def load_model(source: ModelSource, run: RunContext) -> nn.Module:
    """Builds a network of the zoo, of timm or of a user's own code on the run's device, in evaluation mode.

    Raises:
        ComponentMissing: timm is not installed.
        ModelError: The zoo or timm has no network of this name, or not at this width.
        UnsupportedError: The run asks for a GPU and there is none.
        WeightsError: Pretrained weights were asked for and cannot be had.
    """
    target = device(run)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        model = _build(source)
    return model.to(target).eval()


def _build(source: ModelSource) -> nn.Module:
    from paredown_torch.zoo import libraries, segmentation, ssdlite, twins, vision

    if source.build is not None:
        return source.build()  # type: ignore[no-any-return]  # core has looked at what it is
    if source.kind == "timm":
        return libraries.build_timm(source)
    if source.name in NAMES:
        require_width(source.name, source.width, is_pretrained=source.pretrained)
    if source.pretrained and source.name in (*twins.BUILDERS, *segmentation.BUILDERS, *TORCH_DETECTORS):
        raise WeightsError(
            f"there are no pretrained weights of {source.name} for any classes",
            where="model.weights",
            value="pretrained",
            remedy="give a safetensors file, or leave `weights` out to draw them from the seed",
        )
    if source.name in segmentation.BUILDERS:
        return segmentation.build(source)
    if source.name in TORCH_DETECTORS:
        return ssdlite.build(source)
    if source.name in twins.BUILDERS:
        return twins.BUILDERS[source.name](source.num_classes, source.in_channels, source.width)
    if source.name in NAMES:
        return vision.build(source)
    near = difflib.get_close_matches(source.name, NAMES, n=1)
    raise ModelError(
        "the torch backend has no network of this name",
        where="model.name",
        value=source.name,
        expected="one of " + ", ".join(NAMES),
        remedy=f"did you mean {near[0]}?" if near else None,
    )


def device(run: RunContext) -> torch.device:
    """The device that a run means: `auto` is the GPU where there is one.

    Raises:
        UnsupportedError: The run asks for a GPU and torch sees none.
    """
    has_gpu = torch.cuda.is_available()
    if run.device == "gpu" and not has_gpu:
        raise UnsupportedError(
            "torch sees no GPU",
            where="run.device",
            value="gpu",
            expected="auto or cpu",
            remedy="set `run.device: auto`, or install a torch that is built for this machine's GPU",
        )
    return torch.device("cuda" if has_gpu and run.device != "cpu" else "cpu")


def device_of(model: nn.Module) -> torch.device:
    """The device of a network's first parameter; the CPU for one without parameters."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Puts every layer into evaluation mode, and afterwards back into the mode that it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def measured_copy(model: nn.Module, input_shape: tuple[int, int, int]) -> tuple[nn.Module, torch.dtype]:
    """A copy to measure on, in evaluation mode, and the dtype that it computes in.

    That is float64, in which both frameworks find the same numbers: float32's rounding puts a value that lies on
    the kink of a ReLU to different sides. A network or device that cannot compute in float64 is measured in float32.
    """
    copied = copy.deepcopy(model).eval()
    try:
        doubled = copy.deepcopy(copied).double()
        with torch.no_grad():
            doubled(torch.zeros(1, *input_shape, dtype=torch.float64, device=device_of(doubled)))
    except (RuntimeError, TypeError):
        return copied, torch.float32
    return doubled, torch.float64


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and floating-point buffers by neutral name, in the order of definition; not copies."""
    return {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def save(model: nn.Module) -> State:
    """Copies of the parameters and buffers, float32, by neutral name."""
    return {
        name: tensor.detach().cpu().to(torch.float32).numpy().copy(order="C") for name, tensor in tensors(model).items()
    }


def restore(model: nn.Module, state: State) -> nn.Module:
    """Puts parameters and buffers into a network; a failure changes nothing.

    Raises:
        WeightsError: Names are missing or unknown, or arrays have another shape; every one of them is listed.
    """
    own = tensors(model)
    problems = _misfits(own, state)
    if problems:
        raise WeightsError.of(problems)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(torch.from_numpy(np.array(state[name], dtype=np.float32)))
    return model


def _misfits(own: Mapping[str, torch.Tensor], state: State) -> list[Problem]:
    problems = []
    for name, tensor in own.items():
        if name not in state:
            near = difflib.get_close_matches(name, state.keys() - own.keys(), n=1)
            problems.append(
                Problem("weights are missing", name, expected=_shape(tensor), remedy=_meant(near, "the weights hold"))
            )
        elif tuple(state[name].shape) != tuple(tensor.shape):
            problems.append(
                Problem(
                    "weights have another shape than the network",
                    name,
                    value=_shape(state[name]),
                    expected=_shape(tensor),
                    remedy="build the network that the weights were saved from: its classes, channels and prune plans",
                )
            )
    for name in state:
        if name not in own:
            near = difflib.get_close_matches(name, own.keys() - state.keys(), n=1)
            problems.append(Problem("the network has no such parameter", name, remedy=_meant(near, "the network has")))
    return problems


def _shape(array: torch.Tensor | FloatArray) -> str:
    return "shape " + "x".join(str(size) for size in array.shape) if array.shape else "a scalar"


def _meant(near: list[str], holder: str) -> str | None:
    return f"{holder} {near[0]}: rename it if that is meant" if near else None


def evaluate(model: nn.Module, images: FloatArray) -> Outputs:
    """The network's output for a batch of images [N, C, H, W], float32, in evaluation mode without gradients.

    Of a network that returns several tensors a tuple.
    """
    batch = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(device_of(model))
    with evaluation_mode(model), torch.no_grad():
        return as_arrays(model(batch))
