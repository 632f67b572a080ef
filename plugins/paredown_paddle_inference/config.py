"""The options of the runtime."""

from __future__ import annotations

from typing import Literal

from paredown.spec.base import ComponentConfig

Algorithm = Literal["hist", "avg", "mse", "abs_max", "KL"]


class PaddleInferenceConfig(ComponentConfig):
    """Paddle Inference on the CPU with oneDNN, reading what the Paddle backend exports.

    Its 8-bit files are made by PaddleSlim's `quant_post_static`, which takes scales of activations by `algorithm`, its
    own name for: a share of the histogram, the mean absmax of batches, the least squared error, the absmax, or KL
    divergence (which takes minutes for a small network).
    """

    kind: Literal["paddle_inference"] = "paddle_inference"
    algorithm: Algorithm = "hist"
