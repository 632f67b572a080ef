"""Settings of one quantization step that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.components import AdaRound
from paredown.spec.document import DataPath, Document
from paredown.spec.models import Calibration, DistillStep, FinetuneStep, QuantizeStep, QuantizeWeights
from paredown.spec.nearest import listed
from paredown.spec.schema import get_part
from paredown.spec.selector_checks import check_selectors

OF_TRAINING = ("learned", "pact", "freeze_bn")
FIXED_AFTER_TRAINING = ("corrections", "analysis", "keep_best_effort")
WITHOUT_IMAGES = ("equalization",)
"""Corrections that look at weights alone."""
OBSERVERS_OF_TRAINING = ("minmax", "moving_average")
CORRECTED_MODES = {
    "equalization": ("static", "dynamic", "weight_only"),
    "bias_correction": ("static", "weight_only"),
    "adaround": ("static", "weight_only"),
}


def check_quantize(
    step: QuantizeStep, path: DataPath, document: Document, *, training: FinetuneStep | DistillStep | None = None
) -> Iterator[Problem]:
    """The problems of one quantization step; `training` is the step whose `during` it stands in."""
    yield from _place(step, path, document, is_inside=training is not None)
    yield from _activations(step, path, document)
    yield from _observed(step, path, document)
    yield from _weights(step, path, document)
    yield from _of_training(step, path, document, training)
    yield from _corrections(step, path, document)
    yield from _noise(step, path, document)
    yield from check_selectors(step, path, document)


def _place(step: QuantizeStep, path: DataPath, document: Document, *, is_inside: bool) -> Iterator[Problem]:
    if (step.mode == "qat") == is_inside:
        return
    if is_inside:
        yield document.problem(
            (*path, "mode"),
            f"`mode: {step.mode}` quantizes a trained network, and does not go inside `during`",
            value=step.mode,
            expected="`mode: qat` inside `during`",
            remedy="write `mode: qat`, or move the step behind the training",
        )
    else:
        yield document.problem(
            (*path, "mode"),
            "`mode: qat` is quantization while a network trains, and this step does not train",
            value="qat",
            expected="`mode: qat` only inside the `during` of a `finetune` or `distill`",
            remedy="move the step into the `during` of a training step, or write `mode: static`",
        )


def _activations(step: QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    reasons = {
        "dynamic": "ranges are taken at run time, as unsigned 8-bit integers",
        "weight_only": "activations stay in float",
        "fp16": "everything becomes a 16-bit float",
    }
    if step.mode in reasons and step.activations is not None:
        yield document.problem(
            (*path, "activations"),
            f"`activations` does not go with `mode: {step.mode}`: {reasons[step.mode]}",
            value=get_part(document.data, (*path, "activations")),
            expected="no `activations`",
            remedy="remove `activations`",
        )
    elif step.mode not in reasons and step.activations is None:
        yield document.problem(
            path,
            f"`mode: {step.mode}` quantizes activations, and `activations` does not say how",
            value=get_part(document.data, path),
            expected="`activations` with an `observer`",
            remedy="add `activations: {observer: {kind: minmax}}`",
        )


def _observed(step: QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    activations = step.activations
    if activations is not None and activations.observer.kind == "entropy" and activations.bits == 16:
        yield document.problem(
            (*path, "activations", "observer", "kind"),
            "`entropy` compares bins with quantization levels, and 16 bits have more levels than it has bins",
            value="entropy",
            expected="another observer with 16 bits, or 8 or 4 bits",
            remedy="write `observer: {kind: histogram}`",
        )
    corrected = any(correction.kind not in WITHOUT_IMAGES for correction in step.corrections)
    seen = step.mode in ("static", "qat") or corrected or step.analysis or step.keep_best_effort
    # By value: the spec of a run is read again from what the first reading filled in.
    if step.calibration != Calibration() and not seen:
        yield document.problem(
            (*path, "calibration"),
            f"`calibration` does nothing with `mode: {step.mode}` here: nothing looks at images",
            value=get_part(document.data, (*path, "calibration")),
            expected="no `calibration`",
            remedy="remove `calibration`",
        )


def _weights(step: QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    weights, place = step.weights, (*path, "weights")
    given = get_part(document.data, place)
    if step.mode == "fp16" and weights != QuantizeWeights():
        yield document.problem(
            place,
            "`weights` does not go with `mode: fp16`: 16-bit floats have no scales",
            value=given,
            expected="no `weights`",
            remedy="remove `weights`",
        )
        return
    if (weights.granularity == "group") != (weights.group_size is not None):
        missing = weights.group_size is None
        yield document.problem(
            place if missing else (*place, "group_size"),
            "`granularity: group` does not say how many weights share a scale"
            if missing
            else f"`group_size` does not go with `granularity: {weights.granularity}`",
            value=given if missing else weights.group_size,
            expected="`group_size` beside `granularity: group`, and only there",
            remedy="add `group_size: 64`" if missing else "write `granularity: group`, or remove `group_size`",
        )
    if weights.bits < 4 and not weights.symmetric:
        yield document.problem(
            (*place, "symmetric"),
            f"{'binary' if weights.bits == 1 else 'ternary'} weights lie around zero",
            value=False,
            expected="`symmetric: true` with 2 bits and 1 bit",
            remedy="remove `symmetric`, or choose 4 or 8 bits",
        )
    if step.mode == "dynamic" and (weights.bits != 8 or weights.granularity == "group"):
        yield document.problem(
            place,
            "`mode: dynamic` multiplies integers in the runtime, which has 8-bit weights there, per tensor or channel",
            value=given,
            expected="8 bits, `granularity: channel` or `tensor`",
            remedy="choose 8 bits, or `mode: weight_only` for narrower weights",
        )


def _of_training(
    step: QuantizeStep, path: DataPath, document: Document, training: FinetuneStep | DistillStep | None
) -> Iterator[Problem]:
    wrong = OF_TRAINING if step.mode != "qat" else FIXED_AFTER_TRAINING
    defaults = {name: field.default for name, field in type(step).model_fields.items()}
    for field in wrong:
        if getattr(step, field) != defaults[field]:
            yield document.problem(
                (*path, field),
                f"`{field}` does not go with `mode: {step.mode}`",
                value=get_part(document.data, (*path, field)),
                expected="`mode: qat`" if step.mode != "qat" else "quantization after training",
                remedy=f"remove `{field}`",
            )
    if step.mode != "qat":
        return
    if step.learned and step.pact:
        yield document.problem(
            (*path, "pact"),
            "`learned` learns every scale, and leaves nothing to `pact`",
            value=True,
            expected="one of the two",
            remedy="remove `pact`, or `learned`",
        )
    if step.pact and not step.learned and step.activations is not None and step.activations.symmetric:
        yield document.problem(
            (*path, "pact"),
            "`pact` learns the upper end of ranges that begin at zero, and symmetric ones do not",
            value=True,
            expected="`activations.symmetric: false` beside `pact`",
            remedy="write `activations: {symmetric: false}`, or `learned: true` in place of `pact`",
        )
    if training is not None and step.freeze_bn is not None and step.freeze_bn > training.train.epochs:
        yield document.problem(
            (*path, "freeze_bn"),
            "the training is over before BatchNorm is frozen",
            value=step.freeze_bn,
            expected=f"at most {training.train.epochs}, the epochs of this training",
            remedy="choose an earlier epoch, or remove `freeze_bn`",
        )
    if step.activations is not None and step.activations.observer.kind not in OBSERVERS_OF_TRAINING:
        yield document.problem(
            (*path, "activations", "observer", "kind"),
            f"`{step.activations.observer.kind}` looks at a whole calibration set, and in training each batch changes"
            " the range",
            value=step.activations.observer.kind,
            expected=f"{listed(OBSERVERS_OF_TRAINING)} with `mode: qat`",
            remedy="write `observer: {kind: moving_average}`",
        )


def _noise(step: QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    for field in ("analysis", "keep_best_effort"):
        if step.mode == "fp16" and getattr(step, field):
            yield document.problem(
                (*path, field),
                f"`{field}` looks at what integers do to each layer, and `mode: fp16` makes none",
                value=True,
                expected="a mode with integers",
                remedy=f"remove `{field}`",
            )


def _corrections(step: QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.mode == "qat":
        return
    for index, correction in enumerate(step.corrections):
        place = (*path, "corrections", index)
        modes = CORRECTED_MODES.get(correction.kind)
        if modes is not None and step.mode not in modes:
            yield document.problem(
                place,
                f"`{correction.kind}` does not go with `mode: {step.mode}`",
                value=correction.kind,
                expected=listed([f"mode: {mode}" for mode in modes]),
                remedy="remove the correction, or choose another mode",
            )
        if correction.kind == "equalization" and index:
            yield document.problem(
                place,
                "`equalization` changes the weights that the corrections before it were made for",
                value=correction.kind,
                expected="`equalization` as the first correction",
                remedy="move it to the front",
            )
        if correction.kind == "adaround" and "bias_correction" in [one.kind for one in step.corrections[:index]]:
            yield document.problem(
                place,
                "`adaround` changes the errors that `bias_correction` before it moved the biases for",
                value=correction.kind,
                expected="`adaround` before `bias_correction`",
                remedy="exchange the two",
            )
        if correction.kind == "adaround" and step.weights.bits == 1:
            yield document.problem(
                place,
                "`adaround` rounds weights up or down, and binary ones have a sign alone",
                value=get_part(document.data, (*path, "weights")),
                expected="`bits: 8`, `4` or `2`",
                remedy="choose such weights, or remove the correction",
            )
        default = AdaRound.model_fields["samples"].default  # as far as there are so many; what was asked for is kept
        if isinstance(correction, AdaRound) and default != correction.samples > step.calibration.samples:
            yield document.problem(
                (*place, "samples"),
                "`adaround` looks at calibration images, and there are not so many",
                value=correction.samples,
                expected=f"at most {step.calibration.samples}, the `calibration.samples` of this step",
                remedy="lower it, or raise `calibration.samples`",
            )
    kinds = [correction.kind for correction in step.corrections]
    for index, kind in enumerate(kinds):
        if kind in kinds[:index]:
            yield document.problem(
                (*path, "corrections", index),
                f"`{kind}` is asked for twice",
                value=kind,
                expected="each correction once",
                remedy="remove one of the two",
            )
