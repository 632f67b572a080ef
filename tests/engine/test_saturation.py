"""Notes where a file's integers may be cut off on the processor that it is for, or on the one that measured it."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.qparams import weight_qparams
from paredown.engine.built import Quantized, QuantizedByRuntime
from paredown.engine.provenance import cpu_features
from paredown.engine.saturation import explain_saturation
from paredown.plan import QuantizationPoint, QuantPlan
from paredown.spec.models import QuantizeStep, QuantizeWeights

AVX2, VNNI = ("avx2",), ("avx2", "avx512_vnni")


def quantized(target, mode="static", **weights):
    tensor = weight_qparams(np.ones((2, 3), np.float32), QuantizeWeights(**weights), target)
    point = QuantizationPoint(layer="fc", port="weight", tensor=tensor)
    return Quantized(QuantPlan(mode=mode, target=target, points=(point,)))


@pytest.mark.parametrize("target", ["vnni", "arm"])
@pytest.mark.parametrize("weights", [{"bits": 8}, {"bits": 8, "symmetric": False}])
def test_full_range_measured_without_vnni_is_noted_with_the_remedy(target, weights):
    (note,) = explain_saturation(quantized(target, **weights), target, "onnxruntime", AVX2)
    assert "no VNNI" in note
    assert "`deploy.target: portable`" in note


@pytest.mark.parametrize(
    ("found", "target", "features"),
    [
        (quantized("vnni"), "vnni", VNNI),
        (quantized("vnni"), "vnni", None),
        (quantized("portable"), "portable", AVX2),
        (quantized("avx2", symmetric=False), "avx2", AVX2),
        (quantized("vnni", bits=4), "vnni", AVX2),
        (quantized("vnni", mode="weight_only"), "vnni", AVX2),
        (None, "vnni", AVX2),
        (QuantizedByRuntime(QuantizeStep(mode="weight_only")), "vnni", AVX2),
    ],
)
def test_nothing_is_noted_where_nothing_saturates_or_is_known(found, target, features):
    assert explain_saturation(found, target, "onnxruntime", features) == ()


@pytest.mark.parametrize("features", [AVX2, VNNI])
def test_a_runtime_that_quantizes_by_itself_does_not_keep_portable(features):
    own = QuantizedByRuntime(QuantizeStep(mode="weight_only"))
    (note,) = explain_saturation(own, "portable", "paddle_inference", features)
    assert "`paddle_inference` quantizes by itself" in note
    assert "onnxruntime" in note


def test_features_are_read_as_linux_lists_them():
    assert cpu_features({"flags": "fpu avx2 avx512_vnni"}) == VNNI
    assert cpu_features({"flags": "fpu sse4_2"}) == ()
    assert cpu_features({"Features": "fp asimd"}) is None
