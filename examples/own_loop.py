"""A network, DataLoaders, a loss and a metric of one's own, compressed where they live; on either framework.

python examples/own_loop.py torch
python examples/own_loop.py paddle
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import paredown

HERE = Path(__file__).parent
SPEC = {
    "version": 1,
    "name": "own-loop",
    "task": {"kind": "classification"},
    "steps": [
        {"kind": "prune", "criterion": {"kind": "taylor", "samples": 128}, "ratio": 0.3},
        {"kind": "finetune", "train": {"epochs": 2, "optimizer": {"kind": "adamw", "lr": 0.002}}},
        {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}},
    ],
    "deploy": {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 0.1},
}


def balanced_accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the classes of the share of images that were recognised."""
    right = outputs.argmax(axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def on_torch(images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """A network of the package beside this file, torch's own DataLoaders, and a focal loss (Lin et al., 2017)."""
    import torch
    from own_networks.on_torch import build
    from torch.nn import functional
    from torch.utils.data import DataLoader, TensorDataset

    def focal(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        each = functional.cross_entropy(outputs, targets, reduction="none")
        return ((1 - torch.exp(-each)) ** 2 * each).mean()

    def loader(part: slice, *, shuffle: bool) -> DataLoader[Any]:
        dataset = TensorDataset(torch.from_numpy(images[part]), torch.from_numpy(labels[part]))
        return DataLoader(dataset, batch_size=32, shuffle=shuffle)

    torch.manual_seed(0)
    model = build(classes=10, widths=[8, 16, 32])
    train = loader(slice(0, 512), shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for batch, targets in (pair for _ in range(6) for pair in train):
        optimizer.zero_grad()
        focal(model(batch), targets).backward()
        optimizer.step()
    return {"model": model, "loss": focal, "train": train, "validation": loader(slice(512, 768), shuffle=False)}


def on_paddle(images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The same in PaddlePaddle."""
    import paddle
    from own_networks.on_paddle import build
    from paddle.io import DataLoader, TensorDataset
    from paddle.nn import functional

    def focal(outputs: Any, targets: Any) -> Any:
        each = functional.cross_entropy(outputs, targets, reduction="none")
        return ((1 - paddle.exp(-each)) ** 2 * each).mean()

    def loader(part: slice, *, shuffle: bool) -> DataLoader:
        dataset = TensorDataset([paddle.to_tensor(images[part]), paddle.to_tensor(labels[part])])
        return DataLoader(dataset, batch_size=32, shuffle=shuffle)

    paddle.seed(0)
    model = build(classes=10, widths=[8, 16, 32])
    train = loader(slice(0, 512), shuffle=True)
    optimizer = paddle.optimizer.Adam(0.005, parameters=model.parameters())
    for batch, targets in (pair for _ in range(6) for pair in train):
        focal(model(batch), targets).backward()
        optimizer.step()
        optimizer.clear_grad()
    return {"model": model, "loss": focal, "train": train, "validation": loader(slice(512, 768), shuffle=False)}


def main(framework: str, out: Path) -> paredown.Compressed:
    """Trains and compresses on one framework."""
    sys.path.append(str(HERE / "own_network"))
    digits = load_digits()
    images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int64)
    given = {"torch": on_torch, "paddle": on_paddle}[framework](images, labels)
    return paredown.compress(spec=SPEC, metric=balanced_accuracy, out=out, **given)


if __name__ == "__main__":
    done = main(sys.argv[1], Path("out/own-loop"))
    print(done.result.baseline.metrics, done.result.final.metrics, done.directory)
