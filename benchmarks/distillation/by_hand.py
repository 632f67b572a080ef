"""The training loop as one writes it by hand, on either framework, without anything of ours inside.

Images come in the same order and the learning rate is the same function of the step as in our own loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from subject import Subject

from paredown.contracts import Model
from paredown.spec.models import SgdConfig, TrainConfig


def on_torch(
    subject: Subject,
    model: Model,
    train: TrainConfig,
    objective: Callable[[Any, Any], Any] | None = None,
    besides: Sequence[Any] = (),
) -> list[float]:
    """Trains a network in place; returns the mean loss of each epoch.

    Args:
        subject: Whose order of images it is.
        model: The student.
        train: Epochs, batch, optimizer (sgd), schedule.
        objective: The loss of images and labels; cross entropy of the outputs by default.
        besides: Parameters that learn with the network's.
    """
    import torch

    config = train.optimizer
    assert isinstance(config, SgdConfig)
    optimizer = torch.optim.SGD(
        [*model.parameters(), *besides], lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    steps, batches, rate = subject.order(train)
    history = []
    model.train()
    for epoch in range(train.epochs):
        total = 0.0
        for index, (images, labels) in enumerate(batches(epoch)):
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch * steps + index)
            pixels, classes = torch.from_numpy(images), torch.from_numpy(labels)
            if objective is None:
                loss = torch.nn.functional.cross_entropy(model(pixels), classes)
            else:
                loss = objective(pixels, classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        history.append(total / steps)
    model.eval()
    return history


def on_paddle(subject: Subject, model: Model, train: TrainConfig) -> list[float]:
    """Trains a network in place on the labels; returns the mean loss of each epoch."""
    import paddle

    config = train.optimizer
    assert isinstance(config, SgdConfig)
    optimizer = paddle.optimizer.Momentum(
        learning_rate=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        parameters=model.parameters(),
    )
    steps, batches, rate = subject.order(train)
    history = []
    model.train()
    for epoch in range(train.epochs):
        total = 0.0
        for index, (images, labels) in enumerate(batches(epoch)):
            optimizer.set_lr(rate(epoch * steps + index))
            loss = paddle.nn.functional.cross_entropy(model(paddle.to_tensor(images)), paddle.to_tensor(labels))
            loss.backward()
            optimizer.step()
            optimizer.clear_grad()
            total += float(loss)
        history.append(total / steps)
    model.eval()
    return history
