"""Networks for the tests of the Paddle backend, built through its hooks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.contracts import ModelSource, RunContext
from paredown.plan import Cut, PrunePlan

SHAPES = {"cnn": (1, 8, 8), "resnet20": (1, 8, 8), "mobilenet_v2_small": (1, 8, 8)}


@pytest.fixture(scope="session", autouse=True)
def _imported_quietly() -> None:
    """Whichever test comes first, Paddle's own noise at import is no failure of it."""
    import paredown_paddle.framework  # noqa: F401


@pytest.fixture(scope="session")
def hooks() -> Any:
    """The plugin module: its functions are the hooks."""
    from paredown_paddle import plugin

    return plugin


@pytest.fixture
def build(hooks: Any) -> Callable[..., Any]:
    """Builds a network with weights and BatchNorm statistics that are far from their defaults."""

    def make(name: str, *, classes: int = 10, shape: tuple[int, int, int] | None = None) -> Any:
        channels, height, width = shape or SHAPES.get(name, (3, 32, 32))
        source = ModelSource(name, classes, channels, (height, width))
        model = hooks.load_model(backend="paddle", source=source, run=RunContext(device="cpu"))
        random = np.random.default_rng(0)
        state = {key: _lively(key, values, random) for key, values in hooks.save(backend="paddle", model=model).items()}
        return hooks.restore(backend="paddle", model=model, state=state)

    return make


@pytest.fixture(scope="session")
def paddleslim_groups() -> Callable[..., Any]:
    """PaddleSlim's groups of a network, by the weight that they are named after, and what it cannot trace."""
    path = Path(__file__).with_name("reference_groups.py")
    spec = importlib.util.spec_from_file_location("reference_groups", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.find_groups


@pytest.fixture
def plan_half(paddleslim_groups: Any) -> Callable[..., PrunePlan]:
    """A plan that removes half of the channels of every group that PaddleSlim finds and is no output, by chance."""

    def make(model: Any, shape: tuple[int, int, int], output: str = "fc", seed: int = 0) -> PrunePlan:
        groups, _ = paddleslim_groups(model, shape)
        random = np.random.default_rng(seed)
        cuts = []
        for name, group in groups.items():
            if name != f"{output}.weight":
                remove = sorted(random.choice(group.size, group.size // 2, replace=False).tolist())
                cuts.append(Cut(group=group, remove=tuple(remove)))
        return planned(cuts, shape)

    return make


def planned(cuts: list[Cut], shape: tuple[int, int, int]) -> PrunePlan:
    """A plan of cuts that somebody decided."""
    return PrunePlan(input_shape=shape, criterion={"kind": "l2"}, scope="local", amount={"ratio": 0.5}, cuts=cuts)


def _lively(key: str, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if key.endswith("running_var"):
        return random.uniform(0.5, 1.5, values.shape).astype(np.float32)
    if values.ndim == 1:
        return random.normal(0.3 if key.endswith("weight") else 0, 0.3, values.shape).astype(np.float32)
    fan = values[0].size
    return random.normal(0, np.sqrt(2 / fan), values.shape).astype(np.float32)
