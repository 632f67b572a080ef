"""Deployed files in OpenVINO: CPU, one stream, with as many threads as it is told."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.algorithms.outputs import one_or_all
from paredown.deploy.runtime_errors import loading, running
from paredown_openvino.config import OpenVinoConfig

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs


class OpenVinoSession:
    """A file, loaded. It is compiled once for each batch size: OpenVINO is faster on shapes that it knows."""

    def __init__(self, core: Any, model: Any, threads: int) -> None:
        self._core, self._model, self._threads = core, model, threads
        self._requests: dict[tuple[int, ...], Any] = {}

    def run(self, images: FloatArray) -> Outputs:
        """All outputs for a batch of images (float32, NCHW); raises `DeployError` when the runtime fails."""
        with running(images):
            request = self._requests.get(images.shape) or self._compile(images.shape)
            request.infer([images])
        count = len(self._model.outputs)
        return one_or_all([request.get_output_tensor(index).data.copy() for index in range(count)])

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        model.reshape(list(shape))
        options = {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            # Where a CPU has 16-bit floats, OpenVINO takes them for 32-bit files unless it is told not to.
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        request = self._core.compile_model(model, "CPU", options).create_infer_request()
        self._requests[shape] = request
        return request


class OpenVino:
    """Loads ONNX files, and those of OpenVINO's own format, into OpenVINO."""

    name = "openvino"
    format = "onnx"
    reads_int2 = False

    def __init__(self, config: OpenVinoConfig) -> None:
        self.config = config

    def load(self, path: Path, *, threads: int) -> OpenVinoSession:
        """Loads a file; raises `DeployError` when OpenVINO refuses it."""
        import openvino

        core = openvino.Core()
        remedy = "check that the file is whole, and that this version of openvino knows its operators and types"
        with loading("OpenVINO", path, remedy):
            model = core.read_model(str(path))
        return OpenVinoSession(core, model, threads)

    def files(self, path: Path) -> tuple[Path, ...]:
        """The ONNX file, or the two files of OpenVINO's own format."""
        return (path, path.with_suffix(".bin")) if path.suffix == ".xml" else (path,)

    def versions(self) -> dict[str, str]:
        """The installed version of openvino."""
        return {"openvino": version("openvino")}
