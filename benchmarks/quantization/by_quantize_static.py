"""ONNX Runtime's own quantizer by hand, as its documentation shows it: pre-process, then `quantize_static`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from paredown.contracts import FloatArray

BEST = {
    "per_channel": True,
    "reduce_range": True,
    "activation_type": QuantType.QUInt8,
    "weight_type": QuantType.QInt8,
}
"""What the documentation says for CPUs with AVX2 and no VNNI."""


class Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands over calibration images batch by batch."""

    def __init__(self, name: str, images: FloatArray, batch: int) -> None:
        self._feeds: Iterator[dict[str, FloatArray]] = (
            {name: images[start : start + batch]} for start in range(0, len(images), batch)
        )

    def get_next(self) -> dict[str, FloatArray] | None:
        """The next batch, or None when there are no more."""
        return next(self._feeds, None)


def quantize(fp32: Path, target: Path, images: FloatArray, batch: int, options: Any) -> float:
    """Writes the quantized file; returns the seconds it took.

    Args:
        fp32: A float ONNX file.
        target: The file to write.
        images: Calibration images, float32, NCHW.
        batch: How many are seen at once.
        options: `best` for the documented settings instead of the defaults, and the `calibrate_method`.
    """
    import onnx

    settings = dict(BEST) if options.get("best") else {}
    if "calibrate_method" in options:
        settings["calibrate_method"] = CalibrationMethod[options["calibrate_method"]]
    target.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger().setLevel(logging.ERROR)  # it advises to pre-process, after pre-processing
    start = perf_counter()
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
    name = onnx.load(prepared).graph.input[0].name
    quantize_static(str(prepared), str(target), Images(name, images, batch), **settings)
    prepared.unlink()
    return perf_counter() - start
