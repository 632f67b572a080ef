"""PaddleSlim's quantizer, asked in a process of its own: it needs Paddle's old IR, which is set for a whole process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paredown.errors import DeployError
from paredown_paddle_inference.config import Algorithm

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

_ENVIRONMENT = {"FLAGS_enable_pir_api": "0", "OMP_NUM_THREADS": "1"}


def quantize(
    source: Path, target: Path, images: FloatArray, *, batch_size: int, algorithm: Algorithm
) -> Mapping[str, Any]:
    """Quantizes a program after training: 8-bit weights for each output channel, 8-bit activations for each tensor.

    Args:
        source: A directory with a program of the old IR (`model.pdmodel`) and its weights.
        target: The directory to make.
        images: Calibration images, float32, NCHW.
        batch_size: How many images are seen at once.
        algorithm: How PaddleSlim finds the scales of activations.

    Returns:
        The settings given to PaddleSlim.

    Raises:
        DeployError: There are no images, or PaddleSlim fails or dies.
    """
    if not len(images):
        raise DeployError(
            "there are no calibration images",
            where="paddle_inference",
            expected="at least one image",
            remedy="raise calibration.samples, or check the training split",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        np.save(Path(scratch) / "images.npy", images)
        settings = {"algo": algorithm, "batch_size": batch_size, "batches": -(-len(images) // batch_size)}
        request = {"source": str(source), "scratch": scratch, **settings}
        _run(request)
        (Path(scratch) / "quantized").replace(target)
    return settings


def _run(request: Mapping[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "paredown_paddle_inference.quantize_process"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **_ENVIRONMENT},
    )
    if done.returncode == 0:
        return
    code = done.returncode
    raise DeployError(
        f"PaddleSlim's quant_post_static died of {signal.Signals(-code).name}"
        if code < 0
        else "PaddleSlim's quant_post_static failed",
        where="paddle_inference, int8",
        value=" | ".join(done.stderr.strip().splitlines()[-3:])[-500:] or f"exit status {code}",
        expected="an 8-bit program",
        remedy="leave the quantize step out for this runtime, or deploy to onnxruntime, which runs our own files",
    )
