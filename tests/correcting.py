"""Networks and plans that the tests of corrections and of the analysis share."""

from __future__ import annotations

import numpy as np

from paredown.algorithms.observers.extremes import MinMax
from paredown.contracts import CorrectionRun
from paredown.deploy.calibrate import calibrate
from paredown.deploy.canonical.graph import with_arrays
from paredown.deploy.corrections.running import Tap
from paredown.deploy.corrections.simulated import Simulation
from paredown.deploy.points import make_plan
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import QuantizeActivations, QuantizeStep, QuantizeWeights

PADDED = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}


def step(mode="static", *, activation_bits=8, **weights):
    activations = None
    if mode == "static":
        activations = QuantizeActivations(bits=activation_bits, observer=MinMaxObserver())
    return QuantizeStep(mode=mode, weights=QuantizeWeights(**weights), activations=activations)


def planner(options, images, *, left=None):
    """What an engine hands to a correction: plans of changed graphs, from fresh ranges."""

    def plan(model, fixed):
        ranges = {}
        if options.activations is not None:
            seen = calibrate(model, batches(images), lambda: MinMax(None))
            ranges = getattr(seen, "ranges", seen)
        return make_plan(model, ranges, options, "vnni", left=left, fixed=fixed)

    return plan


def batches(images):
    return (images[start : start + 16] for start in range(0, len(images), 16))


def correction_run(model, images, options, **more):
    return CorrectionRun(model, lambda: batches(images), planner(options, images, **more))


def inverted_block(build, *, activation="Relu", seed=0, width=8):
    """1x1, depthwise and 1x1 convolutions as in mobilenets, around them an image layer and a classifier."""
    rng = np.random.default_rng(seed)
    shapes = {
        "stem.weight": (4, 2, 3, 3),
        "stem.bias": (4,),
        "expand.weight": (width, 4, 1, 1),
        "expand.bias": (width,),
        "depthwise.weight": (width, 1, 3, 3),
        "depthwise.bias": (width,),
        "project.weight": (4, width, 1, 1),
        "project.bias": (4,),
        "fc.weight": (3, 4 * 36),
        "fc.bias": (3,),
    }
    state = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    bounds = ["low", "high"] if activation == "Clip" else []
    constants = state | ({"low": np.float32(0), "high": np.float32(6)} if bounds else {})
    nodes = [
        ("Conv", ["x", "stem.weight", "stem.bias"], ["s"], PADDED),
        ("Conv", ["s", "expand.weight", "expand.bias"], ["e"], {"kernel_shape": [1, 1]}),
        (activation, ["e", *bounds], ["er"]),
        ("Conv", ["er", "depthwise.weight", "depthwise.bias"], ["d"], {**PADDED, "group": width}),
        (activation, ["d", *bounds], ["dr"]),
        ("Conv", ["dr", "project.weight", "project.bias"], ["p"], {"kernel_shape": [1, 1]}),
        ("Add", ["p", "s"], ["sum"]),
        ("Flatten", ["sum"], ["f"]),
        ("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], {"transB": 1}),
    ]
    return build(nodes, constants)


def called_twice(build):
    """One convolution, called twice, with an activation between the calls."""
    rng = np.random.default_rng(0)
    state = {"a.weight": rng.normal(size=(2, 2, 3, 3)).astype(np.float32), "a.bias": np.ones(2, np.float32)}
    nodes = [
        ("Conv", ["x", "a.weight", "a.bias"], ["c"], PADDED),
        ("Relu", ["c"], ["r"]),
        ("Conv", ["r", "a.weight", "a.bias"], ["y"], PADDED),
    ]
    return build(nodes, state, output=("N", 2, 6, 6))


def smooth_images(count=64, seed=1):
    """Images whose neighbouring pixels are alike, as in photographs; the second channel is brighter."""
    noise = np.random.default_rng(seed).normal(size=(count, 2, 8, 8))
    mean = sum(noise[:, :, row : row + 6, column : column + 6] for row in range(3) for column in range(3)) / 3
    return (mean + np.asarray([0.0, 0.5]).reshape(1, 2, 1, 1)).astype(np.float32)


def tensors(model, names, images):
    """Values of tensors over all images."""
    tap = Tap(model, names)
    parts = [tap.run(batch) for batch in batches(images)]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def outputs(model, images, plan=None):
    """The network's outputs, in float or quantized by a plan."""
    name = model.graph.output[0].name
    if plan is None:
        return tensors(model, [name], images)[0]
    simulation = Simulation(model, plan)
    name = simulation.copy_network()[name]
    return tensors(simulation.both(), [name], images)[0]


def corrected(run, found):
    """(the changed network, its plan)."""
    model = with_arrays(run.graph, found.arrays)
    return model, run.plan(model, found.weights)


def sqnr(values, reference):
    error = np.sum(np.square(values.astype(np.float64) - reference))
    return 10 * np.log10(np.sum(np.square(reference.astype(np.float64))) / error)
