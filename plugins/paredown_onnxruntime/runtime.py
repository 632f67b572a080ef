"""Deployed files in ONNX Runtime: CPU, sequential, with as many threads as it is told."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.algorithms.outputs import one_or_all
from paredown.deploy.runtime_errors import loading, running
from paredown_onnxruntime.config import OnnxRuntimeConfig

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs

ERROR = 3
"""ONNX Runtime's severity of errors; warnings are not shown."""


class OnnxRuntimeSession:
    """A file, loaded."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, images: FloatArray) -> Outputs:
        """All outputs for a batch of images (float32, NCHW); raises `DeployError` when the runtime fails."""
        with running(images):
            outputs = self._session.run(self._outputs, {self._input: images})
        return one_or_all(outputs)


class OnnxRuntime:
    """Loads files into ONNX Runtime."""

    name = "onnxruntime"
    format = "onnx"

    def __init__(self, config: OnnxRuntimeConfig) -> None:
        self.config = config

    @property
    def reads_int2(self) -> bool:
        """Whether the installed version reads 2-bit integers rightly."""
        from paredown.deploy.writing.storage import runtime_takes_int2

        return runtime_takes_int2()

    def load(self, path: Path, *, threads: int) -> OnnxRuntimeSession:
        """Loads a file; raises `DeployError` when ONNX Runtime refuses it."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = ERROR
        remedy = "check that the file is whole, and that its operators are in this version of onnxruntime"
        with loading("ONNX Runtime", path, remedy):
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return OnnxRuntimeSession(session)

    def files(self, path: Path) -> tuple[Path, ...]:
        """The one file."""
        return (path,)

    def versions(self) -> dict[str, str]:
        """The installed version of onnxruntime."""
        return {"onnxruntime": version("onnxruntime")}
