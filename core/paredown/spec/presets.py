"""Settings of quantization that read like the frameworks' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # PaddleSlim's QAT: `channel_wise_abs_max` weights and `moving_average_abs_max` activations (rate 0.9), on
    # convolutions and Linear layers.
    "paddleslim_qat": {
        "mode": "qat",
        "weights": {"bits": 8, "symmetric": True, "granularity": "channel"},
        "activations": {"bits": 8, "symmetric": True, "observer": {"kind": "moving_average", "momentum": 0.9}},
    },
    # torch's default qconfig on x86: a histogram observer for unsigned activations, weights per channel. Its reduced
    # range is `deploy.target: portable` here.
    "torch_default": {
        "mode": "static",
        "weights": {"bits": 8, "symmetric": True, "granularity": "channel"},
        "activations": {"bits": 8, "symmetric": False, "observer": {"kind": "histogram", "bins": 2048}},
    },
}


def with_presets(data: Any) -> Any:
    """A spec's data in which every quantization step has the settings of its preset that it does not give itself."""
    if not isinstance(data, dict) or not isinstance(data.get("steps"), list):
        return data
    return {**data, "steps": [_step(step) for step in data["steps"]]}


def _step(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    if isinstance(step.get("during"), list):
        return {**step, "during": [_step(inner) for inner in step["during"]]}
    preset = PRESETS.get(step["preset"]) if isinstance(step.get("preset"), str) else None
    return _under(preset, step) if preset and step.get("kind") == "quantize" else step


def _under(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {**defaults, **given}
    for name, value in defaults.items():
        own = given.get(name)
        # Another kind has other options: only one of the same kind takes the rest from the preset.
        if (
            isinstance(value, dict)
            and isinstance(own, dict)
            and own.get("kind", value.get("kind")) == value.get("kind")
        ):
            merged[name] = _under(value, own)
    return merged


def _is_same_kind(default: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Another kind has other options, and takes none of the preset's."""
    return bool(own.get("kind", default.get("kind")) == default.get("kind"))
