"""Training with fake quantization: the forward pass is core's arithmetic, gradients are the papers', nothing stays."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from paredown.algorithms.fold import find_folds, fold_batch_norm, fold_factor
from paredown.algorithms.qat import Schedule, TrainingScales, key_of
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.contracts import Fold, MeasureRequest, TrainingRun
from paredown.errors import PlanError, TrainingDiverged
from paredown.plan import DistillPlan, PlannedLoss, QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.components import MovingAverageObserver
from paredown.spec.models import AdamWConfig, ConstantSchedule, QuantizeActivations, QuantizeWeights, SgdConfig
from paredown_torch import losses, plugin
from paredown_torch.fake_quantization import grid_of
from paredown_torch.learned_scales import LearnedClip, LearnedScale
from paredown_torch.optimizing import make_optimizer
from paredown_torch.quantized_training import QuantizedStudent
from paredown_torch.straight_through import straight_through

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


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    "weights",
    [
        {"bits": 8},
        {"bits": 8, "weights": {"symmetric": False}},
        {"bits": 4, "weights": {"granularity": "tensor"}},
        {"bits": 4, "weights": {"granularity": "group", "group_size": 8}},
        {"bits": 4, "weights": {"symmetric": False, "granularity": "group", "group_size": 100}},
        {"bits": 2},
        {"bits": 1},
    ],
    ids=str,
)
def test_weights_are_cores_fake_quantization_of_the_folded_weights(weights, learned, build):
    model = build("cnn", 1, 8)
    quantizing, state = scales(model, learned=learned, **weights), plugin.save("torch", model)
    student = QuantizedStudent(model, quantizing)

    for point in quantizing.points:
        if point.port != "weight":
            continue
        norm = {f.layer: f.batch_norm for f in quantizing.folds}.get(point.layer)
        expected = fake_quantize(fold(state, point.layer, norm), point.tensor)
        if norm is not None:
            factor = fold_factor(state[f"{norm}.weight"], state[f"{norm}.running_var"], 1e-5).reshape(-1, 1, 1, 1)
            expected = (expected.astype(np.float64) / factor).astype(np.float32)
        assert quantized_weight(student, point.layer).tobytes() == expected.tobytes()


def test_in_evaluation_mode_the_student_is_the_simulated_folded_network(build, images):
    model, batch = build("cnn", 1, 8), images(4, 1, 8)
    quantizing = scales(model, ports=())
    folded = plugin.fold("torch", model, quantizing.folds)
    plugin.quantize("torch", folded, QuantPlan(target="portable", mode="qat", points=quantizing.points))
    expected = plugin.evaluate("torch", folded, batch)
    found = QuantizedStudent(model, quantizing).forward(torch.from_numpy(batch)).detach().numpy()

    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(found - plugin.evaluate("torch", model, batch)).max() > 1e-2 * np.abs(expected).max()


def test_activations_are_cores_fake_quantization_with_the_scales_that_core_gives(images):
    model, batch = nn.Sequential(nn.Identity(), nn.Identity()), images(2)
    quantizing = Given({("0", "input", 0): activation_qparams(-1, 2), ("1", "output", 0): activation_qparams(0, 1)})
    found = QuantizedStudent(model, quantizing).forward(torch.from_numpy(batch)).detach().numpy()

    first = fake_quantize(batch, activation_qparams(-1, 2))
    assert found.tobytes() == fake_quantize(first, activation_qparams(0, 1)).tobytes()
    assert quantizing.asked == [
        (("0", "input", 0), float(batch.min()), float(batch.max())),
        (("1", "output", 0), float(first.min()), float(first.max())),
    ]


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


def test_an_output_point_of_a_folded_layer_lies_behind_its_batch_norm(images):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    tensor = activation_qparams(-1, 1, bits=4)
    quantizing = Given({("0", "output", 0): tensor}, folds=(Fold("0", "1"),))
    batch = torch.from_numpy(images(2, 1, 8))
    found = QuantizedStudent(model, quantizing).forward(batch)

    expected = np.maximum(fake_quantize(model[1](model[0](batch)).detach().numpy(), tensor), 0)
    assert found.detach().numpy().tobytes() == expected.tobytes()
    found.sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert is_plain(model)


def test_the_calls_of_a_layer_have_points_of_their_own(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.same(x) + self.same(2 * x)

    tensors = {("same", "input", index): activation_qparams(0, 1 + index, bits=4) for index in (0, 1)}
    model, quantizing = Twice(), Given(tensors)
    student = QuantizedStudent(model, quantizing)
    for _ in range(2):
        student.forward(torch.ones(1, 1, 2, 2))
    assert [(key[2], high) for key, _, high in quantizing.asked] == [(0, 1.0), (1, 2.0)] * 2


def gradient_of(function, values, upstream):
    leaf = torch.tensor(values, requires_grad=True)
    function(leaf).backward(torch.tensor(upstream))
    return leaf.grad


def test_gradients_pass_straight_through_inside_the_range_and_are_zero_outside():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    values = [-9.0, -3.76, -3.74, -0.2, 0.0, 3.5, 3.74, 3.76]
    leaf = torch.tensor(values)
    found = gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [2.0] * 8)

    assert found.tolist() == [0, 0, 2, 2, 2, 2, 2, 0]


def test_asymmetric_gradients_pass_where_the_integer_is_not_clipped():
    tensor = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(1.0,), zero_point=(5,))
    values = [-6.0, -5.4, 0.0, 10.4, 10.6]
    leaf = torch.tensor(values)
    assert gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [1.0] * 5).tolist() == [
        0,
        1,
        1,
        1,
        0,
    ]


def test_binary_gradients_all_pass():
    tensor = QuantizedTensor(bits=1, qmin=-1, qmax=1, scale=(0.5,), zero_point=(0,))
    values = [-3.0, -0.1, 0.0, 0.1, 3.0]
    leaf = torch.tensor(values)
    assert straight_through(leaf, grid_of(tensor, leaf)).tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5]
    assert gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [3.0] * 5).tolist() == [3] * 5


def test_the_range_of_a_weight_is_that_of_the_folded_weight_and_dead_channels_stay():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(1.0, 1.0, 1.0), zero_point=(0,) * 3, axis=0)
    values = [[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]]
    factor = torch.tensor([[1.0], [2.0], [0.0]], dtype=torch.float64)
    leaf = torch.tensor(values)
    assert straight_through(leaf, grid_of(tensor, leaf), factor).tolist() == [[3, 4], [3, 3.5], [3, 4]]
    found = gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf), factor), values, [[1.0, 1.0]] * 3)
    assert found.tolist() == [[1, 1], [1, 0], [1, 1]]


def learned_gradients(tensor, values, upstream, sharing, factor=None):
    scale, leaf = LearnedScale(tensor, torch.device("cpu")), torch.tensor(values, requires_grad=True)
    scale.quantize(leaf, sharing, factor).backward(torch.tensor(upstream))
    return leaf.grad.tolist(), scale.parameter.grad


def test_the_gradient_of_a_learned_scale_is_the_papers():
    # v = x / 0.5 = -8, -7, -2.4, 0.8, 3, 7.2: slopes -7, -7, 0.4, 0.2, 0, 7 (equation 3).
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    upstream = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    inner, found = learned_gradients(tensor, [-4.0, -3.5, -1.2, 0.4, 1.5, 3.6], upstream, sharing=6)

    assert inner == [0, 0, 3, 4, 5, 0]
    by_hand = (-7 * 1 - 7 * 2 + 0.4 * 3 + 0.2 * 4 + 0 * 5 + 7 * 6) / np.sqrt(6 * 7)
    # The parameter is the scale as a share of its start: SGD then moves the scale by lr * by_hand.
    assert found.item() * 0.5 == pytest.approx(by_hand, rel=1e-5)


def test_the_gradient_of_a_learned_scale_counts_from_the_zero_point():
    # v = x / 0.5 = -3, -2, 0.6, 12, 13 with 2 as zero point and 15 as greatest: slopes -2, -2, 0.4, 0, 13.
    tensor = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.5,), zero_point=(2,))
    inner, found = learned_gradients(tensor, [-1.5, -1.0, 0.3, 6.0, 6.5], [1.0] * 5, sharing=5)

    assert inner == [0, 0, 1, 1, 0]
    assert found.item() * 0.5 == pytest.approx((-2 - 2 + 0.4 + 0 + 13) / np.sqrt(5 * 15), rel=1e-5)


def test_each_group_and_channel_has_a_scale_of_its_own_and_binary_slopes_are_signs():
    grouped = QuantizedTensor(
        bits=4, qmin=-7, qmax=7, scale=(1.0, 2.0, 1.0, 1.0), zero_point=(0,) * 4, axis=0, group_size=2
    )
    _, found = learned_gradients(grouped, [[0.4, 0.3, 1.0], [0.0, 0.2, 9.0]], [[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]], 1)
    assert (found * torch.tensor(grouped.scale) * np.sqrt(7)).tolist() == pytest.approx(
        [-0.7, -0.5, -0.2, 14], rel=1e-5
    )

    binary = QuantizedTensor(bits=1, qmin=-1, qmax=1, scale=(0.5, 0.25), zero_point=(0, 0), axis=0)
    inner, found = learned_gradients(binary, [[0.1, -9.0], [0.0, 0.3]], [[1.0, 2.0], [3.0, 4.0]], 4)
    assert inner == [[1, 2], [3, 4]]
    assert (found * torch.tensor(binary.scale) * 2).tolist() == [-1, 7]


def test_a_learned_scale_follows_the_factor_of_its_channel_and_learns_as_if_there_were_none():
    # Per channel: fake_quantize(w * k) / k with the scale s * |k| is what fake_quantize(w) with the scale s is.
    plain = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5, 0.25), zero_point=(0, 0), axis=0)
    factor = torch.tensor([[4.0], [-0.125]], dtype=torch.float64)
    folded = plain.model_copy(update={"scale": (2.0, 0.03125)})
    values, gradients, scales = torch.tensor([[0.7, -1.3, 4.0], [0.3, -0.2, -2.0]]), [], []
    for tensor, k in ((plain, None), (folded, factor)):
        learned = LearnedScale(tensor, torch.device("cpu"), *([] if k is None else [lambda k=k: k.abs().flatten()]))
        learned.quantize(values, 3, k).backward(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        gradients.append(learned.parameter.grad.tolist())
        scales.append(learned.tensor().scale)

    assert gradients[0] == pytest.approx(gradients[1], rel=1e-6)
    assert scales == [plain.scale, folded.scale]


def test_the_gradient_of_a_folded_scale_is_divided_by_the_factor():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(1.0,), zero_point=(0,))
    factor = torch.tensor([2.0, 0.0], dtype=torch.float64)
    inner, found = learned_gradients(tensor, [0.7, 0.7], [3.0, 3.0], 1, factor)
    assert inner == [3, 3]
    assert found.item() == pytest.approx((1 - 1.4) / 2 * 3 / np.sqrt(7), rel=1e-5)


def test_the_gradient_of_a_learned_clip_is_the_papers():
    clip = LearnedClip(QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.2,), zero_point=(0,)), torch.device("cpu"))
    values = torch.tensor([-1.0, 0.0, 0.29, 2.95, 3.1, 9.0], requires_grad=True)
    found = clip.quantize(values)
    found.backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))

    assert found.tolist() == pytest.approx([0, 0, 0.2, 3, 3, 3])
    assert values.grad.tolist() == [0, 2, 3, 4, 0, 0]
    assert clip.parameter.grad.item() == 11


@pytest.mark.parametrize("kind", [LearnedScale, LearnedClip])
def test_no_step_changes_what_is_learned_by_more_than_a_tenth_and_it_comes_back_as_float32(kind):
    start = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.3,), zero_point=(0,))
    learned = kind(start, torch.device("cpu"))
    assert learned.tensor().scale[0] == pytest.approx(0.3, rel=1e-6)
    for _ in range(2):
        with torch.no_grad():
            learned.parameter.fill_(-3)
        learned.after_step()
    (scale,) = learned.tensor().scale
    assert scale == pytest.approx(0.3 * 0.81, rel=1e-6)
    assert scale == float(np.float32(scale))
    values = torch.rand(50) * 2 * scale * 15
    quantized = learned.quantize(values, 50) if kind is LearnedScale else learned.quantize(values)
    assert quantized.detach().numpy().tobytes() == fake_quantize(values.numpy(), learned.tensor()).tobytes()


@pytest.mark.parametrize("weights", [{}, {"granularity": "tensor"}, {"granularity": "group", "group_size": 9}], ids=str)
def test_learned_scales_of_weights_that_batch_norm_multiplies_with_zero_are_those_of_the_weights(weights, build):
    model = build("cnn", 1, 8)
    with torch.no_grad():
        model.bn2.weight.zero_()
    quantizing = scales(model, weights=weights, learned=True)
    student = QuantizedStudent(model, quantizing)
    student.before_step(0, "step 1")
    assert np.array_equal(quantized_weight(student, "conv2"), model.conv2.weight.detach().numpy())

    with torch.no_grad():
        model.bn2.weight.fill_(0.1)
    expected = weight_qparams(model.conv2.weight.detach().numpy(), QuantizeWeights(bits=4, **weights), "portable")
    found = quantized_weight(student, "conv2")
    wanted = fake_quantize(model.conv2.weight.detach().numpy(), expected)
    if weights.get("granularity") == "tensor":  # the unit is a mean over channels of other variances
        assert np.count_nonzero(found) > found.size / 2
    else:
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert quantizing.updates[0][0] == 0
    student.before_step(1, "step 2")
    assert len(quantizing.updates) == 1


def test_the_learned_scale_of_a_row_of_zeros_starts_from_its_first_numbers(build):
    model = build("cnn", 1, 8)
    with torch.no_grad():
        model.fc.weight[3] = 0
    student = QuantizedStudent(model, scales(model, learned=True))
    student.before_step(0, "step 1")
    before = student.learned()["fc", "weight", 0].scale
    with torch.no_grad():
        model.fc.weight[3] = 1e-3
        student._weights["fc"].scale.parameter.mul_(1.01)
    student.before_step(1, "step 2")

    after = student.learned()["fc", "weight", 0].scale
    assert after[3] == pytest.approx(1e-3 / 7)
    assert [share for share in np.divide(after, before) if share > 0.5] == pytest.approx([1.01] * 9)
    assert quantized_weight(student, "fc")[3] == pytest.approx(np.full(model.fc.in_features, 1e-3))


@pytest.mark.parametrize("more", [{"learned": True}, {"pact": True}], ids=str)
def test_what_is_learned_of_an_activation_that_was_zero_starts_from_the_first_batch_that_is_not(more, images):
    quantizing = silent(**more)
    student = QuantizedStudent(nn.Sequential(nn.Identity()), quantizing)
    assert not student.forward(torch.zeros(2, 4)).any()
    assert student.learned() == {}

    student.forward(torch.linspace(0, 1.5, 8).reshape(2, 4))
    assert student.learned() == {("0", "input", 0): activation_qparams(0.0, 1.5)}
    student.forward(torch.linspace(0, 9, 8).reshape(2, 4))
    assert student.learned() == {("0", "input", 0): activation_qparams(0.0, 1.5)}


def test_a_level_is_not_learned_where_the_first_numbers_are_below_zero():
    quantizing = silent(pact=True)
    student = QuantizedStudent(nn.Sequential(nn.Identity()), quantizing)
    batch = torch.linspace(-1, 1, 8).reshape(2, 4)
    found = student.forward(batch)
    assert found.numpy().tobytes() == fake_quantize(batch.numpy(), activation_qparams(-1.0, 1.0)).tobytes()
    assert student.learned() == {}
    assert quantizing.trained() == {("0", "input", 0): activation_qparams(-1.0, 1.0)}


def silent(**more):
    """Core's scales of one activation that was zero in calibration."""
    key = ("0", "input", 0)
    point = QuantizationPoint(layer="0", port="input", tensor=activation_qparams(0.0, 0.0))
    activations = QuantizeActivations(bits=8, observer=MovingAverageObserver())
    return TrainingScales(
        (point,), (), {}, {}, QuantizeWeights(), activations, "portable", Schedule(4, 10**6),
        momentum=0.9, ranges={key: (0.0, 0.0)}, **more,
    )  # fmt: skip


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
@pytest.mark.parametrize("optimizer", [SGD, AdamWConfig(lr=0.01)], ids=lambda config: config.kind)
def test_training_lowers_the_loss_at_every_width(bits, more, optimizer, build):
    model = build("cnn", 1, 8)
    quantizing = scales(model, bits, **more)
    outcome = plugin.distill("torch", model, plan(4, optimizer), training(optimizer.lr, quantizing=quantizing))

    assert outcome.evidence["loss"][-1] < 0.6 * outcome.evidence["loss"][0]
    starts = {key_of(point): point.tensor for point in quantizing.points}
    # The first layer reads images, whose range does not start at zero.
    clips = {key for key in starts if key[1] == "input" and key[0] != "conv1"}
    assert set(outcome.learned) == (set(starts) if "learned" in more else clips if "pact" in more else set())
    for key, tensor in outcome.learned.items():
        assert tensor != starts[key]
        assert tensor.zero_point == starts[key].zero_point
        assert all(scale > 0 and scale == float(np.float32(scale)) for scale in tensor.scale)


def test_learned_scales_do_not_decay_and_learned_clips_do(build):
    model = build("cnn", 1, 8)
    optimizer = SgdConfig(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.5)
    learned, start = [], {}
    for more in ({"learned": True}, {"pact": True}, {"learned": True, "pact": True}):
        quantizing = scales(model, 4, **more)
        start = {key_of(point): point.tensor.scale[0] for point in quantizing.points}
        student = QuantizedStudent(copy.deepcopy(model), quantizing)
        made = make_optimizer(student._model, optimizer, student)
        for parameter in (parameter for group in made.param_groups for parameter in group["params"]):
            parameter.grad = torch.zeros_like(parameter)
        made.step()
        assert all((scale == 1).all() for scale in student.scales)
        learned.append({key: t.scale[0] for key, t in student.learned().items() if key[1] == "input"})
    steps, clips, both = learned

    assert steps == {key: scale for key, scale in start.items() if key[1] == "input"}
    assert clips == {key: pytest.approx(start[key] * 0.95, rel=1e-6) for key in steps if key[0] != "conv1"}
    assert both == {**steps, **clips}


def test_points_of_one_tensor_learn_one_scale(build):
    leaders = {("conv3", "input", 0): ("conv2", "input", 0)}
    outcome = plugin.distill(
        "torch",
        build("cnn", 1, 8),
        plan(1),
        training(quantizing=scales(build("cnn", 1, 8), learned=True, leaders=leaders)),
    )
    assert ("conv2", "input", 0) in outcome.learned
    assert ("conv3", "input", 0) not in outcome.learned


def test_scales_are_asked_for_at_every_step_with_the_real_weights(build):
    model, seen = build("cnn", 1, 8), []
    start = plugin.save("torch", model)
    quantizing = scales(model, every=3)
    run = training(quantizing=quantizing, on_epoch=lambda *_: seen.append(plugin.save("torch", model)))
    plugin.distill("torch", model, plan(2), run)

    assert quantizing.due == list(range(8))
    assert [step for step, _ in quantizing.updates] == [0, 3, 6]
    assert all(np.array_equal(values, start[name]) for name, values in quantizing.updates[0][1].items())
    assert seen[0].keys() == start.keys()
    assert len(np.unique(seen[0]["conv2.weight"][0])) == start["conv2.weight"][0].size
    inputs = [key for key, _, _ in quantizing.asked]
    assert len(inputs) == 8 * 4


def test_batch_norm_keeps_its_statistics_from_the_step_that_core_names(build):
    model, seen = build("cnn", 1, 8), []
    run = training(quantizing=scales(model, freeze=4), on_epoch=lambda *_: seen.append(plugin.save("torch", model)))
    start = plugin.save("torch", model)
    plugin.distill("torch", model, plan(3), run)

    first, second, third = seen
    for name in ("bn1.running_mean", "bn3.running_var"):
        assert not np.array_equal(start[name], first[name])
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(first[name], third[name])
    for name in ("bn1.weight", "conv1.weight"):
        assert not np.array_equal(second[name], third[name])


class Fixed:
    """Masks that never change."""

    def __init__(self, masks):
        self.held = masks

    def masks(self):
        return self.held

    def is_due(self, step):
        return False


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"weights": {"symmetric": False}}], ids=str)
def test_masked_weights_stay_zero_and_are_quantized_to_zero(more, build):
    model = build("cnn", 1, 8)
    mask = np.random.default_rng(0).random((64, 32, 3, 3)) < 0.3
    quantizing = scales(model, **more)
    run = training(quantizing=quantizing, masking=Fixed({"conv2.weight": mask}))
    trained = plugin.distill("torch", model, plan(1), run).model

    assert not plugin.save("torch", trained)["conv2.weight"][~mask].any()
    assert plugin.save("torch", trained)["conv2.weight"][mask].all()
    assert not quantized_weight(QuantizedStudent(trained, quantizing), "conv2")[~mask].any()


def test_the_teacher_is_never_quantized(build):
    student, teacher = build("cnn", 1, 8), build("cnn", 1, 8)
    quantizing, before = scales(student), plugin.save("torch", teacher)
    run = replace(training(teacher=teacher, quantizing=quantizing), losses=(losses.kl,))
    soft = PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=1.0)
    plugin.distill("torch", student, plan(1).model_copy(update={"losses": (soft,)}), run)

    assert len(quantizing.asked) == 4 * 4
    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", teacher).items())


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
def test_nothing_stays_in_the_network(more, build):
    model = build("cnn", 1, 8)
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    parameters, state = dict(model.named_parameters()), list(model.state_dict())
    plugin.distill("torch", model, plan(1), training(quantizing=scales(model, **more)))

    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert all(dict(model.named_parameters())[name] is parameter for name, parameter in parameters.items())
    assert list(model.state_dict()) == state
    assert is_plain(model)


def test_nothing_stays_in_the_network_after_an_error(build):
    model = build("cnn", 1, 8)
    parameters = dict(model.named_parameters())
    quantizing = scales(model)
    quantizing.activation = lambda key, minimum, maximum: 1 / (key[0] != "fc")

    with pytest.raises((ZeroDivisionError, AttributeError)):
        plugin.distill("torch", model, plan(1), training(quantizing=quantizing))
    assert all(dict(model.named_parameters())[name] is parameter for name, parameter in parameters.items())
    assert is_plain(model)
    assert not model.training


def test_an_evaluation_between_epochs_sees_the_float_network(build, images):
    model, batch = build("cnn", 1, 8), images(2, 1, 8)
    quantizing, found = scales(model, bits=1), []

    def evaluate(*_):
        asked = len(quantizing.asked)
        found.append(plugin.evaluate("torch", model, batch))
        assert len(quantizing.asked) == asked

    trained = plugin.distill("torch", model, plan(1), training(quantizing=quantizing, on_epoch=evaluate)).model
    assert np.array_equal(found[0], plugin.evaluate("torch", trained, batch))


@pytest.mark.parametrize("more", [{}, {"learned": True}], ids=str)
def test_training_is_the_same_each_time(more, build):
    states, learned = [], []
    for _ in range(2):
        model = build("resnet20", 1, 8)
        run = training(rate=1e-3, quantizing=scales(model, every=4, **more))
        outcome = plugin.distill("torch", model, plan(1), run)
        states.append(plugin.save("torch", outcome.model))
        learned.append(outcome.learned)
        torch.rand(3)

    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])
    assert learned[0] == learned[1]


def test_without_quantizing_nothing_is_learned(build):
    outcome = plugin.distill("torch", build("cnn", 1, 8), plan(1), training())
    assert outcome.learned == {}
    assert list(outcome.evidence) == ["loss"]


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
def test_a_training_that_diverges_says_where(more, build):
    model = build("cnn", 1, 8)
    with pytest.raises(TrainingDiverged, match="epoch 1, step 2"):
        plugin.distill("torch", model, plan(3), training(float("nan"), quantizing=scales(model, **more)))


def test_an_activation_that_is_not_finite_says_where(images):
    student = QuantizedStudent(nn.Sequential(nn.Identity()), silent())
    with pytest.raises(TrainingDiverged, match="step 1, input of 0"):
        student.forward(torch.full((2, 4), float("nan")))


TENSOR = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.1,), zero_point=(0,))
UNFIT = [
    ({("conv9", "weight", 0): TENSOR}, (), "conv9"),
    ({("conv9", "input", 0): TENSOR}, (), "conv9"),
    ({("relu1", "weight", 0): TENSOR}, (), "relu1"),
    ({("conv1", "weight", 0): TENSOR.model_copy(update={"axis": 0})}, (), "weight of conv1"),
    ({("conv1", "input", 0): TENSOR.model_copy(update={"axis": 1})}, (), "input of conv1"),
    ({("conv1", "weight", 0): TENSOR}, (Fold("conv1", "relu1"),), "relu1"),
    ({("conv1", "input", 1): TENSOR}, (), "input of conv1"),
]


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(("tensors", "folds", "where"), UNFIT)
def test_points_of_another_network_are_refused_before_it_learns(tensors, folds, where, learned, build):
    model = build("cnn", 1, 8)
    before = plugin.save("torch", model)
    with pytest.raises(PlanError) as raised:
        plugin.distill("torch", model, plan(1), training(quantizing=Given(tensors, folds=folds, learned=learned)))

    assert raised.value.problems[0].where == where
    assert raised.value.problems[0].remedy
    assert np.array_equal(plugin.save("torch", model)["conv1.weight"], before["conv1.weight"])
