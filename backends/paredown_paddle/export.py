"""Exports: an ONNX file, or a directory of Paddle's own, as a program of today's IR or of the old one."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from paredown.contracts import ExportRequest, ExportResult
from paredown.errors import ArtifactError, DeployError, UnsupportedError
from paredown_paddle.framework import last_line, paddle, quiet
from paredown_paddle.names import tensors

OLD_IR = "paddle_old_ir"
"""The same as `paddle`, as a program that PaddleSlim's quantizer reads."""
FORMATS = ("onnx", "paddle", OLD_IR)


def export(model: Any, request: ExportRequest) -> ExportResult:
    """Writes a network in evaluation mode with a dynamic batch; files appear whole or not at all.

    Raises:
        ArtifactError: When the directory for Paddle's files is not empty.
        DeployError: When Paddle cannot trace the network, or paddle2onnx fails or dies.
        UnsupportedError: When the format is not one of this backend's.
    """
    if request.format not in FORMATS:
        raise UnsupportedError(
            "the Paddle backend does not write this format",
            where="format",
            value=request.format,
            expected=" or ".join(FORMATS),
            remedy="export to onnx, which every runtime reads",
        )
    if request.format != "onnx" and request.path.is_dir() and any(request.path.iterdir()):
        raise ArtifactError(
            "the directory is not empty",
            where=str(request.path),
            expected="a new or an empty directory",
            remedy="choose another directory, or empty this one",
        )
    request.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.path.parent, prefix=f".{request.path.name}-") as scratch:
        directory = Path(scratch) / "paddle"
        directory.mkdir()
        renamed = _save_program(model, directory, request)
        if request.format != "onnx":
            return _deliver_directory(renamed, directory, request.path)
        finished = Path(scratch) / "model.onnx"
        _convert(directory, finished)
        finished.replace(request.path)
    return ExportResult((request.path,))


def _save_program(model: Any, directory: Path, request: ExportRequest) -> Any:
    """Saves a traced copy whose parameters carry neutral names, and returns the copy.

    A copy: Paddle's own names count up through the life of a process, so the same network would give other files.
    """
    renamed = copy.deepcopy(model)
    renamed.eval()
    for name, slot in tensors(renamed).items():
        slot.tensor.name = name
    image = paddle.static.InputSpec([None, *request.input_shape], "float32", "image")
    try:
        with quiet(), paddle.pir_utils.OldIrGuard() if request.format == OLD_IR else contextlib.nullcontext():
            paddle.jit.save(renamed, str(directory / "model"), input_spec=[image])
    except Exception as error:
        raise DeployError(
            "Paddle cannot trace the network",
            where="export",
            value=last_line(error),
            expected="a network whose forward can be traced from one image tensor, and whose first parameter is `self`",
            remedy="try paddle.jit.to_static on the network alone: its message names the line",
        ) from error
    return renamed


def _deliver_directory(renamed: Any, directory: Path, target: Path) -> ExportResult:
    paddle.save(renamed.state_dict(), str(directory / "state.pdparams"))
    names = sorted(file.name for file in directory.iterdir())
    os.replace(directory, target)  # noqa: PTH105 - Path.replace does the same; os.replace says that the target is empty
    return ExportResult(tuple(target / name for name in names))


def _convert(directory: Path, output: Path) -> None:
    program, parameters = directory / "model.json", directory / "model.pdiparams"
    command = [sys.executable, "-m", "paredown_paddle.convert", str(program), str(parameters), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode == 0 and output.exists():
        return
    code = done.returncode
    told = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
    raise DeployError(
        f"paddle2onnx died of {told}" if code < 0 else f"paddle2onnx failed with {told}",
        where="export to onnx",
        value=" | ".join(last) or "no message",
        expected="an ONNX file",
        remedy="check the image size (an adaptive pool that enlarges its input kills paddle2onnx) and the operators",
    )
