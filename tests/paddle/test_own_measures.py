"""`paredown.compress` with a loss and metrics of one's own on Paddle: labels that are no classes."""

from __future__ import annotations

import numpy as np

import paredown

STEPS = [
    {"kind": "prune", "criterion": {"kind": "taylor"}, "ratio": 0.5},
    {"kind": "finetune", "train": {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 0.01}}},
]


def test_a_network_that_predicts_numbers_is_pruned_and_trained_by_the_callers_loss(tmp_path):
    from paredown_paddle.framework import paddle

    random = np.random.default_rng(0)
    points = [(random.random((8, 1, 8, 8), np.float32), random.random((8, 2), np.float32))]
    layers = (paddle.nn.Conv2D(1, 8, 3), paddle.nn.ReLU(), paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten())
    network = paddle.nn.Sequential(*layers, paddle.nn.Linear(8, 2))
    seen = []

    def loss(outputs, labels):
        seen.append((str(outputs.dtype), str(labels.dtype), tuple(labels.shape)))
        return paddle.nn.functional.mse_loss(outputs, labels)

    spec = {
        "version": 1,
        "name": "own",
        "task": {"kind": "classification"},
        "steps": STEPS,
        "deploy": {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0},
    }
    metric = {"closeness": lambda outputs, labels: -float(np.mean((outputs - labels) ** 2))}
    done = paredown.compress(network, spec, train=points, validation=points, loss=loss, metric=metric, out=tmp_path)
    assert done.model[0].weight.shape[0] == 4
    assert seen == [("paddle.float64",) * 2 + ((8, 2),), ("paddle.float32",) * 2 + ((8, 2),)]
    assert done.result.final.metrics["closeness"] < 0
