"""What a run found, as frozen, versioned models: `result.json` and `compare.json` are these."""

from __future__ import annotations

from typing import Any, Literal

from paredown.errors import Problem
from paredown.spec.base import Frozen


class Figures(Frozen):
    """A network as it would be deployed.

    `metrics` are converted figures: the file in the runtime, on the test split. `bytes` is the file's size,
    `weight_bytes` the part that holds weights, biases, scales and zero points. `latency_ms` is one image on one
    thread; `peak_memory_mb` the peak of a process that loads the file and runs one image, runtime included.
    `sparsity` is the share of exact zeros among the file's weights, `compressed_bytes` the file's size under zstd;
    both are None in results that were written before they were taken. `framework` are the metrics of the network in its
    framework on the test split, which a float file has to have as well; None for quantized files and in older results.
    """

    metrics: dict[str, float]
    params: int
    macs: int
    bytes: int
    weight_bytes: int
    latency_ms: float
    peak_memory_mb: float
    sparsity: float | None = None
    compressed_bytes: int | None = None
    framework: dict[str, float] | None = None


class Candidate(Figures):
    """One deployable file.

    `validation` are the metrics that the choice was made by; `simulated` those of the framework's fake quantization,
    on the test split. `precision` is `fp32`, or what weights and activations became (`int8`, `int4-weights`, `fp16`).
    `latency_ratio` is the median over rounds of this file's latency by the baseline's fp32 file's; `agreement` the
    share of test images on which this file predicts what the framework's network predicts, None where neither predicts
    anything. `settings` are those of a runtime's own quantizer, where it made the file.
    """

    name: str
    file: str
    precision: str
    validation: dict[str, float]
    simulated: dict[str, float] | None = None
    settings: dict[str, Any] | None = None
    latency_ratio: float
    agreement: float | None
    within_bound: bool
    delivered: bool


class StepRecord(Frozen):
    """One finished step: what it did (`evidence`), the plan that it followed, and the weights that it left.

    `replayable` is false after a plugin's step that changed shapes without a plan: such a network cannot be rebuilt
    from base model, plans and weights. `corrected` names the file of arrays that a quantization changed in the folded
    network.
    """

    index: int
    kind: str
    plan: str | None
    weights: str
    seconds: float
    evidence: dict[str, Any]
    replayable: bool = True
    corrected: str | None = None


class Provenance(Frozen):
    """What a result came from: versions, machine, spec, the baseline's arrays and the backend that trained them.

    `trained_on` is None where the baseline was given, and in results that were written before it was said.
    `baseline_digest` is SHA-256 over the baseline's arrays under neutral names; None in older results.
    """

    versions: dict[str, str]
    python: str
    system: str
    cpu: str
    spec_hash: str
    device: str
    threads: int
    trained_on: str | None = None
    baseline_digest: str | None = None


class RunResult(Frozen):
    """One backend, one seed. `baseline` and `final` (the delivered file) are comparable figure by figure.

    `choice` says why each other candidate is not delivered; it is empty in results that were written before it was.
    `pictures` names the file with the pictures of the report; None where the task draws nothing, and in older results.
    """

    version: Literal[1] = 1
    backend: str
    seed: int
    baseline: Figures
    final: Figures
    delivered: str
    baseline_file: str
    candidates: tuple[Candidate, ...]
    steps: tuple[StepRecord, ...]
    missed: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pictures: str | None = None
    provenance: Provenance


class ShownObject(Frozen):
    """One object drawn on an image: its box (x1, y1, x2, y2, in pixels of the network's input), class and score.

    `score` is None for what the labels say; `mask` is a PNG file in base64, opaque where the object is.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float | None = None
    crowd: bool = False
    mask: str | None = None


class Shown(Frozen):
    """What is drawn on one image: objects, or the class of each pixel as a PNG file in base64."""

    objects: tuple[ShownObject, ...] = ()
    class_map: str | None = None


class Picture(Frozen):
    """One image of the test split, a PNG file in base64, with what is true and what two files of a run predict."""

    index: int
    image: str
    truth: Shown
    baseline: Shown
    delivered: Shown


class Pictures(Frozen):
    """The pictures of one run: `pictures.json`.

    `height` and `width` are those of the network's input, `classes` those that occur, ascending.
    """

    version: Literal[1] = 1
    height: int
    width: int
    classes: tuple[int, ...]
    pictures: tuple[Picture, ...]


class Failure(Frozen):
    """A run that did not finish: the backend, the seed, and the error in parts."""

    backend: str
    seed: int
    error: str
    problems: tuple[Problem, ...]


class Agreement(Frozen):
    """How far two backends came to the same from one spec and seed.

    `predictions` is the share of test images on which the delivered files agree, None where neither predicts anything;
    `kept_channels` for each pruning step the share of channels that both kept or both removed, None where the plans'
    groups differ; `metric_difference` is second minus first on the test split.
    """

    backends: tuple[str, str]
    seed: int
    predictions: float | None
    kept_channels: dict[str, float | None]
    metric_difference: dict[str, float]


class Comparison(Frozen):
    """All runs of a spec, side by side."""

    version: Literal[1] = 1
    name: str
    spec: dict[str, Any]
    primary: str
    runs: tuple[RunResult, ...]
    failures: tuple[Failure, ...] = ()
    agreement: tuple[Agreement, ...] = ()


class SensitivityPoint(Frozen):
    """One group alone without a share of its channels: `removed` of them, the least important ones.

    `metric` is the task's primary metric in the framework, on validation; `drop` how much less that is than the whole
    network's.
    """

    ratio: float
    removed: int
    metric: float
    drop: float


class SensitivityCurve(Frozen):
    """What the metric loses when one group of coupled channels is pruned alone; points in the order of ratios.

    `layers` are those whose outputs the group's channels are.
    """

    group: str
    layers: tuple[str, ...]
    channels: int
    points: tuple[SensitivityPoint, ...]


class SensitivityRun(Frozen):
    """One backend, one seed. `baseline` is the metric of the whole network, as that of the points.

    `left_whole` names the layers without a curve, with the reason. `measured` counts the points measured by this run,
    `reused` those that were known, from an earlier run or because another ratio removes the same channels.
    """

    backend: str
    seed: int
    baseline: float
    curves: tuple[SensitivityCurve, ...]
    left_whole: dict[str, str]
    measured: int
    reused: int
    notes: tuple[str, ...] = ()
    provenance: Provenance


class Sensitivity(Frozen):
    """How much the metric depends on each group of channels, for every backend and seed: `sensitivity.json`."""

    version: Literal[1] = 1
    name: str
    metric: str
    split: Literal["validation"] = "validation"
    criterion: dict[str, Any]
    ratios: tuple[float, ...]
    runs: tuple[SensitivityRun, ...]
    failures: tuple[Failure, ...] = ()
