"""`paredown.compress` with a loss and metrics of one's own, and the example that shows it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import FINETUNE, ROOT
from torch import nn
from torch.nn import functional

import paredown
from paredown.engine.own_measures import as_loss, own_task
from paredown.errors import DataError, ModelError

SPEC = {
    "version": 1,
    "name": "own",
    "task": {"kind": "classification"},
    "steps": [{"kind": "prune", "criterion": {"kind": "taylor"}, "ratio": 0.5}, FINETUNE],
    "deploy": {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0},
}
POINTS = [(np.random.default_rng(0).random((8, 1, 8, 8), np.float32), np.full((8, 2), 0.5, np.float32))]


class SameSign:
    """A stand-in for the spec's task."""

    primary = "unused"

    def metrics(self, outputs, labels):
        raise AssertionError("the metrics are the caller's")

    def agreement(self, outputs, reference):
        return float(np.mean((outputs > 0) == (reference > 0)))


def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def closeness(outputs, labels):
    return -float(np.mean((outputs - labels) ** 2))


def test_the_example_compresses_with_a_loss_and_a_metric_of_its_own(tmp_path):
    spec = importlib.util.spec_from_file_location("own_loop", ROOT / "examples" / "own_loop.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    done = example.main("torch", tmp_path)
    assert list(done.result.final.metrics) == ["balanced_accuracy"]
    assert done.result.final.metrics["balanced_accuracy"] > 0.6
    assert done.result.final.params < 0.8 * done.result.baseline.params
    assert "training and gradients use the loss that was given to compress" in done.result.notes
    assert "the metrics are those that were given to compress" in done.result.notes


def test_gradients_and_training_both_use_the_loss_on_labels_of_any_form(tmp_path):
    seen = []

    def loss(outputs, labels):
        seen.append((outputs.dtype, labels.dtype, tuple(labels.shape)))
        if outputs.dtype is torch.float32:
            raise ValueError("seen enough")
        return functional.mse_loss(outputs, labels)

    with pytest.raises(ModelError, match="the loss failed: seen enough"):
        paredown.compress(
            network(), SPEC, train=POINTS, validation=POINTS, loss=loss, metric={"mse": closeness}, out=tmp_path
        )
    assert seen == [(torch.float64, torch.float64, (8, 2)), (torch.float32, torch.float32, (8, 2))]


def test_labels_of_any_form_need_a_loss_and_a_metric(tmp_path):
    with pytest.raises(DataError, match="labels of another form"):
        paredown.compress(network(), SPEC, train=POINTS, validation=POINTS, loss=functional.mse_loss, out=tmp_path)


def test_compress_trusts_what_its_caller_names_where_a_finished_run_teaches(tmp_path, monkeypatch):
    from paredown.engine import artifact
    from paredown.engine.teaching.finished import load_finished
    from paredown.spec.teachers import ArtifactTeacher

    (tmp_path / "spec.json").write_text('{"model": null}')
    monkeypatch.setattr(artifact, "find_run", lambda path: path)
    monkeypatch.setattr(artifact, "load", lambda *_, trust: trust)
    monkeypatch.setattr(
        "paredown.engine.runner.run_given",
        lambda bench, *_: (load_finished(bench, ArtifactTeacher(path=str(tmp_path)), "teacher"), None),
    )
    loaders = {"train": POINTS, "validation": POINTS, "out": tmp_path}
    assert paredown.compress(network(), SPEC, **loaders).model.packages == ()
    trust = paredown.compress(network(), SPEC, **loaders, trust=["mynets"]).model
    assert (trust.packages, trust.directory) == (("mynets",), Path.cwd())


def test_a_loss_that_is_no_scalar_is_one_clear_error():
    with pytest.raises(ModelError, match="gives no scalar") as caught:
        as_loss(lambda outputs, labels: outputs)(torch.zeros(2, 3), None, torch.zeros(2), {})
    assert "(2, 3)" in str(caught.value)
    with pytest.raises(ModelError, match="gives no scalar"):
        as_loss(lambda outputs, labels: 0.5)(torch.zeros(2, 3), None, torch.zeros(2), {})
    assert as_loss(lambda outputs, labels: outputs[:1, :1])(torch.ones(2, 3), None, None, {}).shape == ()


def test_the_first_of_several_metrics_is_the_one_for_bounds():
    task = own_task({"mse": closeness, "count": lambda outputs, labels: len(labels)}, SameSign())
    assert task.primary == "mse"
    assert task.metrics(np.zeros((2, 2)), np.ones((2, 2))) == {"mse": -1.0, "count": 2.0}
    assert own_task(closeness, SameSign()).primary == "closeness"


def test_predictions_agree_as_the_specs_task_counts_them():
    task = own_task(closeness, SameSign())
    assert task.agreement(np.array([1.0, -1.0]), np.array([2.0, 3.0])) == 0.5


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (lambda o, _: float("nan"), "is nan"),
        (lambda o, _: o, "failed"),
        (lambda o: 1.0, "failed: .*takes 1 positional"),
    ],
)
def test_a_metric_that_gives_no_number_is_one_clear_error(metric, what):
    with pytest.raises(ModelError, match=what):
        own_task({"mine": metric}, SameSign()).metrics(np.zeros((2, 2)), np.zeros(2))


@pytest.mark.parametrize("metric", [{}, 0.5, {"mine": 0.5}])
def test_what_is_no_metric_is_refused_at_once(metric):
    with pytest.raises(ModelError, match="no function"):
        own_task(metric, SameSign())
