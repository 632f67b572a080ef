"""Points, scales and trainings for the tests of quantized training on Paddle."""

from __future__ import annotations

import numpy as np

from paredown.algorithms.fold import fold_batch_norm
from paredown.algorithms.qat import Schedule, TrainingScales
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.contracts import Fold, TrainingRun
from paredown.plan import DistillPlan, PlannedLoss, QuantizationPoint
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import ConstantSchedule, QuantizeActivations, QuantizeWeights, SgdConfig

FOLDS = tuple(Fold(f"conv{index}", f"bn{index}") for index in (1, 2, 3))


LAYERS = ("conv1", "conv2", "conv3", "fc")


IMAGE = activation_qparams(-1.5, 4.5)


POSITIVE = activation_qparams(0.0, 3.0)


def folded(state, layer):
    number = layer.removeprefix("conv")
    if layer == "fc":
        return state["fc.weight"]
    parts = [state[f"bn{number}.{each}"] for each in ("weight", "bias", "running_mean", "running_var")]
    return fold_batch_norm(state[f"{layer}.weight"], None, *parts, 1e-5)[0]


class Scales:
    """A `Quantizing`: scales of weights follow at every step, those of activations stay or follow the batch."""

    def __init__(self, state, options=None, *, activations=True, follow=False, freeze_bn=None, learned=False,
                 pact=False, extra=()):  # fmt: skip
        self.options, self.follow = options or QuantizeWeights(bits=4), follow
        self.freeze_bn, self.learned, self.pact, self.folds = freeze_bn, learned, pact, FOLDS
        self.asked, self.seen = [], []
        weights = [self._weight(state, layer) for layer in LAYERS]
        inputs = [
            QuantizationPoint(layer=layer, port="input", tensor=IMAGE if layer == "conv1" else POSITIVE)
            for layer in LAYERS
        ]
        self.points = (*(inputs if activations else ()), *extra, *weights)

    def _weight(self, state, layer):
        tensor = weight_qparams(folded(state, layer), self.options, "portable")
        return QuantizationPoint(layer=layer, port="weight", tensor=tensor)

    def leader(self, key):
        return key

    def is_due(self, step):
        self.asked.append(step)
        return not self.learned

    def is_silent(self, key):
        return False

    def update(self, step, weights):
        return tuple(self._weight(weights, layer) for layer in LAYERS)

    def activation(self, key, minimum, maximum):
        self.seen.append((key, minimum, maximum))
        if self.follow:
            return activation_qparams(minimum, maximum)
        return next(each.tensor for each in self.points if (each.layer, each.port, each.index) == key)


def digits(count=96):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, count)
    images = random.normal(0, 0.3, (count, 1, 8, 8)).astype(np.float32)
    images[np.arange(count), 0, labels % 8, labels // 8] += 3
    return images, labels.astype(np.int64)


def train(hooks, model, quantizing, *, optimizer=None, epochs=1, loss=None, teacher=None, masking=None,
          images=None, rate=None):  # fmt: skip
    from paredown_paddle.losses import hard_label

    known, labels = digits()
    images = known if images is None else images
    optimizer = optimizer or SgdConfig(lr=0.02, weight_decay=5e-4)
    plan = DistillPlan(
        losses=(PlannedLoss(kind="hard_label", options={}, weight=1.0),), teacher="baseline" if teacher else None,
        epochs=epochs, batch_size=32, optimizer=optimizer, schedule=ConstantSchedule(),
    )  # fmt: skip
    run = TrainingRun(
        batches=lambda epoch: ((images[start : start + 32], labels[start : start + 32]) for start in (0, 32, 64)),
        steps_per_epoch=3,
        learning_rate=lambda step: optimizer.lr if rate is None else rate,
        losses=[loss or hard_label],
        teacher=teacher,
        masking=masking,
        quantizing=quantizing,
    )
    return hooks.distill(backend="paddle", model=model, plan=plan, run=run)


class Stop(Exception):
    """Raised on purpose."""


class Only:
    """A `Quantizing` whose scales are learned."""

    folds, freeze_bn, learned, pact = (), None, True, False

    def __init__(self, *points, pact=False, leaders=None):
        self.points, self.pact, self.leaders = points, pact, leaders or {}

    def leader(self, key):
        return self.leaders.get(key, key)

    def is_silent(self, key):
        return False

    def is_due(self, step):
        return False


def of_core(point, options=None, folds=(), **more):
    """Core's own scales, of one point; of an activation nothing is known."""
    norms = {fold.batch_norm: 1e-5 for fold in folds}
    key = (point.layer, point.port, 0)
    ranges = {} if point.port == "weight" else {key: (0.0, 0.0)}
    return TrainingScales(
        (point,), folds, norms, {}, options or QuantizeWeights(), QuantizeActivations(observer=MinMaxObserver()),
        "portable", Schedule(4, 10**6), momentum=None, ranges=ranges, **more,
    )  # fmt: skip
