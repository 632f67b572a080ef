"""Settings of quantization that read like the frameworks' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from paredown.spec.models import QuantizeStep

PRESETS: dict[str, dict[str, Any]] = {
    # PaddleSlim's QAT: `channel_wise_abs_max` weights and `moving_average_abs_max` activations (rate 0.9), on
    # convolutions and Linear layers. Its average starts from 1 and is divided by the sum of its weights; ours starts
    # from what was calibrated. Its integers are -127 to 127: `deploy.target: vnni` or `arm` here.
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


def beside_presets(model: BaseModel, data: dict[str, Any]) -> dict[str, Any]:
    """The dump of a model whose quantization steps hold of what their presets say only what was given in Python.

    Anything else in them is a default that nobody asked for, and would win over the preset.
    """
    for name in type(model).model_fields:
        value, dumped = getattr(model, name), data.get(name)
        parts = zip(value, dumped, strict=False) if isinstance(value, tuple) and isinstance(dumped, list) else ()
        for part, its_own in ((value, dumped), *parts):
            if isinstance(part, BaseModel) and isinstance(its_own, dict):
                beside_presets(part, its_own)
    if isinstance(model, QuantizeStep) and model.preset is not None:
        _keep_given(model, data, PRESETS[model.preset])
    return data


def _keep_given(model: BaseModel, data: dict[str, Any], preset: Mapping[str, Any]) -> None:
    for name, value in preset.items():
        own = getattr(model, name, None)
        if name != "kind" and name not in model.model_fields_set:
            data.pop(name, None)
        elif isinstance(own, BaseModel) and isinstance(value, dict):
            _keep_given(own, data[name], value)


def _step(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    if isinstance(step.get("during"), list):
        return {**step, "during": [_step(inner) for inner in step["during"]]}
    preset = PRESETS.get(step["preset"]) if isinstance(step.get("preset"), str) else None
    if not preset or step.get("kind") != "quantize":
        return step
    return _under({name: value for name, value in preset.items() if _fits(name, step.get("mode"))}, step)


def _fits(field: str, mode: Any) -> bool:
    """Whether a mode that is written beside a preset has such a field at all."""
    unfit = {"activations": ("dynamic", "weight_only", "fp16"), "weights": ("fp16",)}
    return mode not in unfit.get(field, ())


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
