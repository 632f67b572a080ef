"""Latency and memory are measured in a process that owes nothing to the one that asks."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.deploy.files import to_bytes
from paredown.deploy.measure import RuntimeReference, measure_latency, peak_memory_mb
from paredown.deploy.measure_process import build_runtime
from paredown.errors import DeployError, PluginError


@pytest.fixture
def files(tmp_path, canonical, quantized):
    paths = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    for path, model in zip(paths, (canonical, quantized[1]), strict=True):
        path.write_bytes(to_bytes(model))
    return paths


def test_another_process_can_build_the_runtime(runtime):
    reference = RuntimeReference.of(runtime)
    assert reference.implementation == "paredown_onnxruntime.runtime:OnnxRuntime"
    assert build_runtime(reference).config == runtime.config


def test_a_runtime_without_its_options_is_refused():
    with pytest.raises(PluginError, match="options"):
        RuntimeReference.of(object())


def test_latency_is_measured_in_rounds_over_all_files(files, runtime):
    reference, candidate = measure_latency(runtime, files, (2, 6, 6))
    assert reference.rounds == candidate.rounds > 5
    assert reference.ratio == 1
    assert candidate.latency_ms > 0
    assert 0.02 < candidate.ratio < 50


def test_peak_memory_does_not_depend_on_the_parent(files, runtime):
    before = peak_memory_mb(runtime, files[0], (2, 6, 6))
    ballast = np.ones(2**27, np.float32)  # 512 MB
    after = peak_memory_mb(runtime, files[0], (2, 6, 6))
    assert ballast[-1] == 1
    assert 20 < before < 400
    assert after == pytest.approx(before, rel=0.2)


def test_peak_memory_sees_the_batch(files, runtime):
    one = peak_memory_mb(runtime, files[0], (2, 6, 6))
    many = peak_memory_mb(runtime, files[0], (2, 6, 6), batch_size=200_000)
    assert many > one + 50


def test_an_error_in_the_measuring_process_is_the_callers_error(files, runtime, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(DeployError, match="refuses the file"):
        measure_latency(runtime, [files[0], broken], (2, 6, 6))
