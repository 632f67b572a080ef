"""Points, scales and trainings for the tests of quantized training on torch."""

from __future__ import annotations

import numpy as np

from paredown.algorithms.fold import find_folds, fold_batch_norm
from paredown.algorithms.qat import Schedule, TrainingScales
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.contracts import MeasureRequest, TrainingRun
from paredown.plan import DistillPlan, PlannedLoss, QuantizationPoint
from paredown.spec.components import MovingAverageObserver
from paredown.spec.models import ConstantSchedule, QuantizeActivations, QuantizeWeights, SgdConfig
from paredown_torch import losses, plugin

HARD = PlannedLoss(kind="hard_label", options={}, weight=1.0)


SGD = SgdConfig(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)


SHAPE = (1, 8, 8)


def plan(epochs=2, optimizer=SGD):
    return DistillPlan(
        losses=(HARD,), teacher=None, epochs=epochs, batch_size=16, optimizer=optimizer, schedule=ConstantSchedule()
    )


def training(rate=0.05, **more):
    """Four batches an epoch: each class is a bright spot at a place of its own."""

    def batches(epoch):
        generator = np.random.default_rng(epoch)
        for _ in range(4):
            labels = generator.integers(0, 10, 16)
            images = generator.standard_normal((16, *SHAPE)).astype(np.float32) * 0.1
            images[np.arange(16), 0, labels // 5, labels % 5] += 3
            yield images, labels

    return TrainingRun(batches, 4, lambda step: rate, (losses.hard_label,), **more)


class Scales(TrainingScales):
    """Core's own scales; remembers what it was asked."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.due, self.updates, self.asked = [], [], []

    def is_due(self, step):
        self.due.append(step)
        return super().is_due(step)

    def update(self, step, weights):
        self.updates.append((step, weights))
        return super().update(step, weights)

    def activation(self, key, minimum, maximum):
        self.asked.append((key, minimum, maximum))
        return super().activation(key, minimum, maximum)


def scales(model, bits=4, every=1, freeze=10**6, folded=True, leaders=None, ports=("input",), **more):
    """Points on the weight and the input of every convolution and Linear layer."""
    layers = plugin.measure("torch", model, MeasureRequest("layers", SHAPE)).layers
    state, folds = plugin.save("torch", model), find_folds(layers) if folded else ()
    norms = {fold.layer: fold.batch_norm for fold in folds}
    eps = {layer.name: layer.eps for layer in layers if layer.eps is not None}
    weights, points = QuantizeWeights(bits=bits, **more.pop("weights", {})), []
    activations = QuantizeActivations(bits=8, observer=MovingAverageObserver())
    for layer in layers:
        if layer.kind in ("conv", "linear"):
            folded_weight = fold(state, layer.name, norms.get(layer.name))
            tensors = {port: activation_qparams(0.0 if layer.source else -2.0, 4.0) for port in ports}
            tensors["weight"] = weight_qparams(folded_weight, weights, "portable")
            points += [QuantizationPoint(layer=layer.name, port=port, tensor=t) for port, t in tensors.items()]
    schedule = Schedule(every, freeze)
    return Scales(
        tuple(points), folds, eps, leaders or {}, weights, activations, "portable", schedule, momentum=0.9, **more
    )


def fold(state, layer, norm):
    if norm is None:
        return state[f"{layer}.weight"]
    arrays = (state[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var"))
    return fold_batch_norm(state[f"{layer}.weight"], None, *arrays, 1e-5)[0]


def quantized_weight(student, layer):
    return student._weights[layer].quantized().detach().numpy()


def is_plain(model):
    return not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


class Given:
    """Scales that never change."""

    folds = ()
    freeze_bn = None
    learned = False
    pact = False

    def __init__(self, tensors, **more):
        self.points = tuple(
            QuantizationPoint(layer=layer, port=port, index=index, tensor=t)
            for (layer, port, index), t in tensors.items()
        )
        self.tensors, self.asked = tensors, []
        for name, value in more.items():
            setattr(self, name, value)

    def leader(self, key):
        return key

    def is_due(self, step):
        return False

    def is_silent(self, key):
        return False

    def update(self, step, weights):
        raise AssertionError("it is never due")

    def activation(self, key, minimum, maximum):
        self.asked.append((key, minimum, maximum))
        return self.tensors[key]


def silent(**more):
    """Core's scales of one activation that was zero in calibration."""
    key = ("0", "input", 0)
    point = QuantizationPoint(layer="0", port="input", tensor=activation_qparams(0.0, 0.0))
    activations = QuantizeActivations(bits=8, observer=MovingAverageObserver())
    return TrainingScales(
        (point,), (), {}, {}, QuantizeWeights(), activations, "portable", Schedule(4, 10**6),
        momentum=0.9, ranges={key: (0.0, 0.0)}, **more,
    )  # fmt: skip
