"""Calibration: the float network runs over images while observers watch the tensors that will be quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from paredown.contracts import Observer
from paredown.deploy.files import to_bytes
from paredown.deploy.places import quantized_tensors
from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


def calibrate(
    model: onnx.ModelProto, batches: Iterable[FloatArray], observer: Callable[[], Observer]
) -> dict[str, tuple[float, float]]:
    """The range of each tensor that will be quantized, over all batches.

    One thread and one batch at a time: the result is the same on every run, and memory does not grow with the images.

    Args:
        model: The canonical float network.
        batches: Images, float32, NCHW.
        observer: Makes an observer for one tensor.

    Returns:
        (minimum, maximum) by tensor, as its observer tells them.

    Raises:
        DataError: There are no batches, or a tensor is not finite.
    """
    tensors = quantized_tensors(model.graph)
    observers = {name: observer() for name in tensors}
    image = model.graph.input[0].name
    computed = [name for name in tensors if name != image]
    session = _session(model, computed)
    count = 0
    for batch in batches:
        count += 1
        values = dict(zip(computed, session.run(computed, {image: batch}), strict=True)) if computed else {}
        for name, watcher in observers.items():
            _update(watcher, name, batch if name == image else values[name])
    if not count:
        raise DataError("there are no calibration images", where="calibration", expected="at least one batch")
    return {name: watcher.range() for name, watcher in observers.items()}


def _session(model: onnx.ModelProto, extra: Sequence[str]):  # type: ignore[no-untyped-def]  # onnxruntime has no types
    import onnxruntime

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in extra)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(to_bytes(opened), options, providers=["CPUExecutionProvider"])


def _update(watcher: Observer, name: str, values: FloatArray) -> None:
    try:
        watcher.update(values)
    except DataError as error:
        problem = error.problems[0]
        raise DataError(
            problem.what,
            where=f"calibration, tensor {name}",
            value=problem.value,
            expected=problem.expected,
            remedy=problem.remedy,
        ) from error
