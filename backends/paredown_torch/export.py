"""Exports: a raw ONNX file, and torch's own format (a state and an exported program)."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from paredown.contracts import ExportRequest, ExportResult
from paredown.errors import DeployError, UnsupportedError
from paredown_torch.model import evaluation_mode
from paredown_torch.onnx_names import initializer_names

OPSET = 21

INLINE_LIMIT = 1_500_000_000
"""Bytes of weights above which an ONNX file keeps them beside itself; protobuf ends at 2 GB."""

_OPERATOR = re.compile(r"\b(?:aten|prims|torchvision|quantized_decomposed)(?:\.|::)\w+(?:\.\w+)?")


def export(model: nn.Module, request: ExportRequest) -> ExportResult:
    """Writes a network in evaluation mode, with a dynamic batch axis; the files appear whole or not at all.

    Raises:
        DeployError: The exporter cannot express the network; names the operator where the exporter does.
        UnsupportedError: The format is not one of this backend.
    """
    writers = {"onnx": _write_onnx, "torch": _write_torch}
    if request.format not in writers:
        raise UnsupportedError(
            "the torch backend does not write this format", value=request.format, expected=" or ".join(writers)
        )
    directory = request.path.parent if request.format == "onnx" else request.path
    directory.mkdir(parents=True, exist_ok=True)
    exported = copy.deepcopy(model).to("cpu")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=directory) as temporary:
        with evaluation_mode(exported), _quiet(), _explained(request):
            names = writers[request.format](exported, request, Path(temporary))
        # Weights beside an ONNX file come first: the file itself must never stand without them.
        written = sorted(Path(temporary).iterdir(), key=lambda path: (path.name == request.path.name, path.name))
        files = tuple(path.replace(directory / path.name) for path in written)
    return ExportResult(files, names)


def _write_onnx(model: nn.Module, request: ExportRequest, directory: Path) -> dict[str, str]:
    program = _onnx_program(model, request, optimize=True)
    names, changed = initializer_names(program)
    if changed:
        # The exporter's optimizer folds BatchNorm layers that are left, by a formula of its own.
        program = _onnx_program(model, request, optimize=False)
        names, changed = initializer_names(program)
    if changed:
        raise DeployError(
            "the ONNX exporter changed weights",
            where=changed[0],
            value=f"{len(changed)} parameters",
            expected="the bytes that the network holds",
            remedy="fold BatchNorm before the export",
        )
    weight_bytes = sum(tensor.nbytes for tensor in model.state_dict().values())
    program.save(directory / request.path.name, external_data=weight_bytes > INLINE_LIMIT)
    return names


def _onnx_program(model: nn.Module, request: ExportRequest, *, optimize: bool) -> torch.onnx.ONNXProgram:
    program = torch.onnx.export(
        model,
        (_example(request),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["input"],
        dynamic_shapes=_dynamic_batch(),
        optimize=optimize,
        verbose=False,
    )
    assert program is not None
    return program


def _write_torch(model: nn.Module, request: ExportRequest, directory: Path) -> dict[str, str]:
    torch.save(model.state_dict(), directory / "state.pth")
    program = torch.export.export(model, (_example(request),), dynamic_shapes=_dynamic_batch())
    torch.export.save(program, directory / "model.pt2")
    return {}


def _example(request: ExportRequest) -> torch.Tensor:
    # Two images: torch.export takes a size of one for a constant.
    return torch.zeros((2, *request.input_shape))


def _dynamic_batch() -> tuple[dict[int, Any]]:
    return ({0: torch.export.Dim("batch")},)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _explained(request: ExportRequest) -> Iterator[None]:
    try:
        yield
    except DeployError:
        raise
    except Exception as error:  # the exporter raises what its many parts raise, without a common root
        text = "\n".join(str(link) for link in _chain(error))
        operator = _OPERATOR.search(text)
        first = next(
            (line.strip() for line in str(_chain(error)[-1]).splitlines() if line.strip()), type(error).__name__
        )
        raise DeployError(
            f"torch cannot export this network: {first}",
            where=str(request.path),
            value=operator.group() if operator else None,
            expected="operators that torch.export and the ONNX exporter know, with a free batch axis",
            remedy="replace the operator in the network, or the code that depends on the batch size",
        ) from error


def _chain(error: BaseException) -> list[BaseException]:
    links = [error]
    while (cause := links[-1].__cause__ or links[-1].__context__) is not None and cause not in links:
        links.append(cause)
    return links
