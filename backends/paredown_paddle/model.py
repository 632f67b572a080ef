"""Building, reading, filling and running a network."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from paredown.contracts import Array, FloatArray, ModelSource, Outputs, RunContext, State
from paredown.errors import Problem, UnsupportedError, WeightsError
from paredown_paddle.framework import paddle
from paredown_paddle.mixed_precision import require_gpu
from paredown_paddle.modes import evaluating
from paredown_paddle.names import tensors
from paredown_paddle.outputs import as_arrays
from paredown_paddle.pretrained import load_pretrained
from paredown_paddle.zoo import build


def load(source: ModelSource, run: RunContext) -> Any:
    """Builds a network of the zoo, or of a user's own code, on the device of the run, in evaluation mode.

    Raises:
        ModelError: When the zoo has no such network.
        UnsupportedError: When a GPU, or mixed precision, is asked for and this Paddle sees no GPU.
        WeightsError: When pretrained weights are asked for and cannot be had.
    """
    paddle.set_device(_device(run.device))
    if run.amp:
        require_gpu()
    paddle.seed(run.seed)
    model = build(source, run.seed)
    if source.pretrained:
        load_pretrained(model, source)
    model.eval()
    return model


def save(model: Any) -> dict[str, Array]:
    """Copies of all parameters and buffers: neutral names, torch's layouts, in the order of definition."""
    return {name: slot.read() for name, slot in tensors(model).items()}


def restore(model: Any, state: State) -> Any:
    """Fills a network with what `save` of any backend gave; nothing is written unless everything fits.

    Raises:
        WeightsError: Names every tensor that is missing, unknown, or of another shape.
    """
    slots = tensors(model)
    given = {name: values for name, values in state.items() if not name.endswith("num_batches_tracked")}
    problems = _misfits({name: slot.shape for name, slot in slots.items()}, given)
    if problems:
        raise WeightsError.of(problems)
    for name, slot in slots.items():
        slot.write(given[name])
    return model


def evaluate(model: Any, images: FloatArray) -> Outputs:
    """Runs one batch [batch, channels, height, width] in evaluation mode; returns the output as float32.

    Of a network that returns several tensors a tuple.
    """
    with evaluating(model), paddle.no_grad():
        return as_arrays(model(paddle.to_tensor(np.ascontiguousarray(images, dtype=np.float32))))


def _device(wanted: str) -> str:
    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if wanted == "gpu" and not has_gpu:
        raise UnsupportedError(
            "this Paddle sees no GPU",
            where="run.device",
            value="gpu",
            expected="auto or cpu",
            remedy="set run.device to auto, or install a GPU build of paddlepaddle",
        )
    return "gpu" if has_gpu and wanted != "cpu" else "cpu"


def _misfits(shapes: dict[str, tuple[int, ...]], state: State) -> list[Problem]:
    problems = []
    for name, shape in shapes.items():
        if name not in state:
            near = difflib.get_close_matches(name, [key for key in state if key not in shapes], n=1)
            problems.append(_problem("is missing from the weights", name, near))
        elif tuple(state[name].shape) != shape:
            problems.append(
                Problem(
                    "has another shape in the network",
                    where=name,
                    value=str(tuple(state[name].shape)),
                    expected=str(shape),
                    remedy="use the weights of this very network: replay its prune plans first, and check num_classes",
                )
            )
    for name in state:
        if name not in shapes:
            near = difflib.get_close_matches(name, [key for key in shapes if key not in state], n=1)
            problems.append(_problem("is not in the network", name, near))
    return problems


def _problem(what: str, name: str, near: list[str]) -> Problem:
    remedy = f"did you mean {near[0]}?" if near else "use the weights of this very network"
    return Problem(what, where=name, remedy=remedy)
