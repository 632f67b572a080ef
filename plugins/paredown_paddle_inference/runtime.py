"""Deployed files in Paddle Inference: CPU, oneDNN, with as many threads as it is told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown.algorithms.outputs import one_or_all
from paredown.deploy.runtime_errors import loading, running
from paredown.errors import DeployError
from paredown_paddle_inference.config import PaddleInferenceConfig
from paredown_paddle_inference.silence import silent_errors

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Outputs

PROGRAM, INTEGER_PROGRAM, WEIGHTS = "model.json", "model.pdmodel", "model.pdiparams"
"""What the Paddle backend exports, and what PaddleSlim's quantizer writes in its place: a program of the old IR."""


class PaddleInferenceSession:
    """A program, loaded."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self._input = predictor.get_input_handle(predictor.get_input_names()[0])
        self._outputs = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def run(self, images: FloatArray) -> Outputs:
        """All outputs for a batch of images (float32, NCHW); raises `DeployError` when the runtime fails."""
        import numpy as np

        with running(images):
            self._input.copy_from_cpu(np.ascontiguousarray(images))
            self._predictor.run()
            outputs = [handle.copy_to_cpu() for handle in self._outputs]
        return one_or_all(outputs)


class PaddleInference:
    """Loads programs into Paddle Inference, and lets PaddleSlim quantize them."""

    name = "paddle_inference"
    format = "paddle"
    quantizes = "paddle_old_ir"

    def __init__(self, config: PaddleInferenceConfig) -> None:
        self.config = config

    def load(self, path: Path, *, threads: int) -> PaddleInferenceSession:
        """Loads a directory; raises `DeployError` when Paddle Inference refuses it."""
        program, weights = self.files(path)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No ccache found")  # Paddle looks for it when it is imported
            from paddle import inference
        remedy = "check that the files are whole, and that this version of paddlepaddle wrote them"
        with loading("Paddle Inference", path, remedy):
            config = inference.Config(str(program), str(weights))
            config.disable_gpu()
            config.disable_glog_info()
            config.set_cpu_math_library_num_threads(threads)
            config.enable_onednn()
            if program.name == INTEGER_PROGRAM:
                config.enable_onednn_int8()
            with silent_errors():
                predictor = inference.create_predictor(config)
        return PaddleInferenceSession(predictor)

    def files(self, path: Path) -> tuple[Path, Path]:
        """The program and its weights in a directory.

        Raises:
            DeployError: They are not there: it is an ONNX file, say.
        """
        program = next((path / name for name in (PROGRAM, INTEGER_PROGRAM) if (path / name).is_file()), None)
        if program is None or not (path / WEIGHTS).is_file():
            raise DeployError(
                "Paddle Inference cannot read this",
                where=str(path),
                value="a file" if path.is_file() else "a directory without a program" if path.is_dir() else "nothing",
                expected=f"a directory with {PROGRAM} or {INTEGER_PROGRAM}, and {WEIGHTS}",
                remedy="run the spec on the backend `paddle`, which exports such directories, or deploy to another"
                " runtime (`deploy: {runtime: {kind: onnxruntime}}`)",
            )
        return program, path / WEIGHTS

    def quantize(self, source: Path, target: Path, images: FloatArray, *, batch_size: int) -> Mapping[str, Any]:
        """Lets PaddleSlim's `quant_post_static` write an 8-bit program; see `QuantizingRuntime`."""
        from paredown_paddle_inference.quantize import quantize

        return quantize(source, target, images, batch_size=batch_size, algorithm=self.config.algorithm)

    def versions(self) -> dict[str, str]:
        """The installed versions of Paddle and PaddleSlim."""
        return {name: version(name) for name in ("paddlepaddle", "paddleslim")}
