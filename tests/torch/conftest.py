"""Small networks with BatchNorm statistics that matter, reached through the hooks."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from reference_groups import reference_groups
from torch import nn
from torch_exporter import keep_operators

from paredown.algorithms.fold import find_folds
from paredown.algorithms.groups import GroupSet
from paredown.algorithms.initialization import draw
from paredown.contracts import ExportRequest, LayerInfo, MeasureRequest, ModelSource, RunContext
from paredown.plan import Cut, Group, PrunePlan
from paredown_torch import plugin


class Concatenation(nn.Module):
    """Two convolutions side by side, as in densenet."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 6, 3)
        self.bn = nn.BatchNorm2d(14)
        self.head = nn.Linear(14, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.cat([self.left(x), self.right(x)], dim=1)
        return self.head(torch.relu(self.bn(out)).mean((2, 3)))


class Blocks(nn.Module):
    """A convolution in four blocks between two others, as in resnext."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 16, 1)
        self.blocks = nn.Conv2d(16, 24, 3, groups=4)
        self.after = nn.Conv2d(24, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(torch.relu(self.blocks(torch.relu(self.before(x))))).mean((2, 3))


@pytest.fixture(scope="session", autouse=True)
def _operators_are_read_once():
    keep_operators()


OWN = {"concatenation": Concatenation, "blocks": Blocks}


@pytest.fixture
def build():
    """Builds a network of the zoo, or one of the two above, on the CPU; each array drawn at random."""

    def build(name: str, in_channels: int = 3, size: int = 32):
        if name in OWN:
            model = OWN[name]().eval()
            return plugin.restore("torch", model, _random_state(plugin.save("torch", model)))
        run = RunContext(seed=0, device="cpu")
        model = plugin.load_model("torch", ModelSource(name, 10, in_channels, (size, size)), run)
        return plugin.restore("torch", model, _random_state(plugin.save("torch", model)))

    return build


def _random_state(state):
    generator = np.random.default_rng(0)
    drawn = draw(state, 0)
    for key, values in drawn.items():
        if key.endswith("running_var") or (values.ndim == 1 and key.endswith("weight")):
            drawn[key] = generator.uniform(0.5, 1.5, values.shape).astype(np.float32)
        elif values.ndim == 1:
            drawn[key] = generator.normal(0, 0.1, values.shape).astype(np.float32)
    return drawn


@pytest.fixture
def images():
    """Makes images [count, channels, size, size], standard normal."""

    def images(count: int, in_channels: int = 3, size: int = 32, seed: int = 1):
        shape = (count, in_channels, size, size)
        return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)

    return images


@pytest.fixture
def layers_of():
    """Measures a network's layers."""

    def layers_of(model, in_channels: int = 3, size: int = 32) -> tuple[LayerInfo, ...]:
        return plugin.measure("torch", model, MeasureRequest("layers", (in_channels, size, size))).layers

    return layers_of


@pytest.fixture
def groups_of():
    """The groups that torch-pruning finds, in core's form."""

    def groups_of(model, in_channels: int = 3, size: int = 32) -> tuple[Group, ...]:
        return reference_groups(model, (in_channels, size, size))

    return groups_of


@pytest.fixture
def core_groups(layers_of, tmp_path):
    """The groups that core finds on the exported graph, and what it leaves whole."""
    from paredown.deploy.canonical import canonicalize
    from paredown.deploy.coupling import find_groups

    def core_groups(model, in_channels: int = 3, size: int = 32) -> GroupSet:
        folds = find_folds(layers_of(model, in_channels, size))
        request = ExportRequest("onnx", tmp_path / "raw.onnx", (in_channels, size, size))
        written = plugin.export("torch", plugin.fold("torch", model, folds), request)
        graph = canonicalize(onnx.load(written.files[-1]), written.names)
        return find_groups(graph, plugin.save("torch", model), folds)

    return core_groups


@pytest.fixture
def random_plan():
    """Plans to cut a random share of every block of every group; read back as from a file."""

    def random_plan(
        found: tuple[Group, ...], ratio: float = 0.4, shape: tuple[int, int, int] = (3, 32, 32)
    ) -> PrunePlan:
        generator = np.random.default_rng(2)
        cuts = []
        for group in found:
            width = group.size // group.blocks
            count = int(width * ratio)
            blocks = range(0, group.size, width)
            chosen = [start + int(c) for start in blocks for c in generator.choice(width, count, replace=False)]
            if chosen:
                cuts.append(Cut(group=group, remove=tuple(sorted(chosen))))
        plan = PrunePlan(input_shape=shape, criterion={}, scope="local", amount={"ratio": ratio}, cuts=tuple(cuts))
        return PrunePlan.model_validate_json(plan.model_dump_json())

    return random_plan
