"""The process that runs PaddleSlim's `quant_post_static`: a JSON request on standard input."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Answers one request: `source`, `scratch` (images.npy; `quantized` appears there) and settings."""
    request = json.load(sys.stdin)
    warnings.simplefilter("ignore")  # what two frameworks warn of at import says nothing about this network
    import paddle
    from paddleslim.quant import quant_post_static

    paddle.enable_static()
    scratch = Path(request["scratch"])
    images = np.load(scratch / "images.npy", mmap_mode="r")
    name = _input_name(paddle, request["source"])

    def batches() -> Iterator[dict[str, Any]]:
        for start in range(0, len(images), request["batch_size"]):
            yield {name: np.array(images[start : start + request["batch_size"]])}

    # PaddleSlim loads the weights into the current scope whatever scope it is given.
    with paddle.static.scope_guard(paddle.static.Scope()):
        quant_post_static(
            paddle.static.Executor(paddle.CPUPlace()),
            request["source"],
            str(scratch / "quantized"),
            data_loader=batches,
            batch_nums=request["batches"],
            model_filename="model.pdmodel",
            params_filename="model.pdiparams",
            algo=request["algo"],
        )


def _input_name(paddle: Any, source: str) -> str:
    with paddle.static.scope_guard(paddle.static.Scope()):
        executor = paddle.static.Executor(paddle.CPUPlace())
        _, names, _ = paddle.static.load_inference_model(str(Path(source) / "model"), executor)
    return str(names[0])


if __name__ == "__main__":
    main()
