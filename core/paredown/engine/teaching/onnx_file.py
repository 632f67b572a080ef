"""An ONNX file as a teacher: run by ONNX Runtime in core, on one thread, whatever framework trains."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from paredown.contracts import FloatArray
from paredown.errors import ModelError

_ERRORS_ONLY = 3


class OnnxFile:
    """A file that takes one batch of images and gives the outputs that are compared first."""

    def __init__(self, path: Path, place: str, input_shape: tuple[int, int, int]) -> None:
        """Loads a file.

        Args:
            path: The file.
            place: Where the spec names it, for errors.
            input_shape: (channels, height, width) of the images.

        Raises:
            ModelError: It is missing, is no ONNX file, or takes something else than one batch of such images.
        """
        self._path, self._place = path, place
        self._session = self._open()
        self._input = self._only_input(input_shape)
        self.content = hashlib.sha256(path.read_bytes()).hexdigest()

    def run(self, images: FloatArray) -> FloatArray:
        """The file's first output for a batch of images, float32: whether its shape is the student's, others see.

        Raises:
            ModelError: The file fails on these images, or its first output has no batch axis.
        """
        single = self._input.shape[0] == 1
        pieces = [images[index : index + 1] for index in range(len(images))] if single else [images]
        try:
            outputs = np.concatenate([self._session.run(None, {self._input.name: piece})[0] for piece in pieces])
        except Exception as error:  # the runtime's exceptions have no root of their own
            raise self._refused(
                "the teacher's file fails on the images",
                value=str(error).splitlines()[0],
                expected=f"a network for images like {images.shape}",
                remedy="export it with a dynamic batch axis, for images of this size",
            ) from error
        if len(outputs) != len(images):
            raise self._refused(
                "the teacher's file does not give one row of outputs for each image",
                value=f"outputs of shape {outputs.shape} for {len(images)} images",
                expected="[batch, ...], as the student's first output",
                remedy="export the network so that its logits are the first output",
            )
        return np.asarray(outputs, dtype=np.float32)

    def _open(self) -> Any:
        import onnxruntime

        if not self._path.is_file():
            raise self._refused(
                "the teacher's file is missing",
                value=str(self._path),
                expected="an ONNX file",
                remedy="mend `path`; a relative one starts from the spec's directory",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's exceptions have no root of their own
            raise self._refused(
                "the teacher's file cannot be read as ONNX",
                value=str(error).splitlines()[0],
                expected="an ONNX file that ONNX Runtime loads",
                remedy="check that the file is whole, and that this version of onnxruntime has its operators",
            ) from error

    def _only_input(self, input_shape: tuple[int, int, int]) -> Any:
        inputs = self._session.get_inputs()
        wanted = f"one input, float32, [batch, {', '.join(map(str, input_shape))}]"
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            raise self._refused(
                "the teacher's file does not take one input",
                value=f"{len(inputs)} inputs: {names}",
                expected=wanted,
                remedy="export a network that takes images alone",
            )
        shape = inputs[0].shape
        fits = len(shape) == 4 and all(
            not isinstance(size, int) or size == own for size, own in zip(shape[1:], input_shape, strict=True)
        )
        if not fits or inputs[0].type != "tensor(float)" or (isinstance(shape[0], int) and shape[0] != 1):
            raise self._refused(
                "the teacher's file does not take the images of the data",
                value=f"{inputs[0].type} of shape {shape}",
                expected=wanted,
                remedy="export the network for these images, with a dynamic batch axis",
            )
        return inputs[0]

    def _refused(self, what: str, *, value: str, expected: str, remedy: str) -> ModelError:
        return ModelError(what, where=f"{self._place}.path", value=value, expected=expected, remedy=remedy)
