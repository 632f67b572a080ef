"""What crosses between core and plugins: small frozen records, and the protocols that objects of a plugin fulfil."""

from __future__ import annotations

from paredown.contracts.acting import ExportRequest, ExportResult, Outcome
from paredown.contracts.announcing import BackendInfo, Component, RefusedNetwork, StepKind
from paredown.contracts.arrays import (
    Array,
    Axis,
    Batch,
    FloatArray,
    IntArray,
    LossFunction,
    Model,
    Outputs,
    PointKey,
    Split,
    State,
)
from paredown.contracts.data import (
    AgreementTally,
    DataLoader,
    DataSplits,
    Images,
    MetricTally,
    PlacedTask,
    TallyingTask,
    Task,
)
from paredown.contracts.drawing import Drawing, DrawingTask, DrawnObject
from paredown.contracts.measuring import Activity, Measurements, MeasureRequest
from paredown.contracts.networks import Checkpoint, Fold, LayerInfo, ModelSource, RunContext
from paredown.contracts.quantizing import Corrected, CorrectionRun, Observer
from paredown.contracts.runtimes import QuantizingRuntime, Runtime, Session
from paredown.contracts.scoring import ChannelSlices, Criterion, WeightCriterion
from paredown.contracts.training import Masking, Quantizing, TrainingRun
from paredown.spec.widths import Widths

__all__ = [
    "Activity",
    "AgreementTally",
    "Array",
    "Axis",
    "BackendInfo",
    "Batch",
    "ChannelSlices",
    "Checkpoint",
    "Component",
    "Corrected",
    "CorrectionRun",
    "Criterion",
    "DataLoader",
    "DataSplits",
    "Drawing",
    "DrawingTask",
    "DrawnObject",
    "ExportRequest",
    "ExportResult",
    "FloatArray",
    "Fold",
    "Images",
    "IntArray",
    "LayerInfo",
    "LossFunction",
    "Masking",
    "MeasureRequest",
    "Measurements",
    "MetricTally",
    "Model",
    "ModelSource",
    "Observer",
    "Outcome",
    "Outputs",
    "PlacedTask",
    "PointKey",
    "Quantizing",
    "QuantizingRuntime",
    "RefusedNetwork",
    "RunContext",
    "Runtime",
    "Session",
    "Split",
    "State",
    "StepKind",
    "TallyingTask",
    "Task",
    "TrainingRun",
    "WeightCriterion",
    "Widths",
]
