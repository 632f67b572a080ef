"""Networks for the tests of the Paddle backend, built through its hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from paredown.contracts import MeasureRequest, ModelSource, RunContext
from paredown.plan import Cut, Group, Member, PrunePlan

SHAPES = {"cnn": (1, 8, 8), "resnet20": (1, 8, 8)}


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


@pytest.fixture
def plan_half(hooks: Any) -> Callable[..., PrunePlan]:
    """A plan that removes half of the channels of every group that is no output, drawn by chance."""

    def make(model: Any, shape: tuple[int, int, int], output: str = "fc", seed: int = 0) -> PrunePlan:
        state = hooks.save(backend="paddle", model=model)
        random = np.random.default_rng(seed)
        groups = hooks.measure(backend="paddle", model=model, request=MeasureRequest("groups", shape)).groups
        cuts = []
        for group in groups:
            if group.name == output:
                continue
            remove = sorted(random.choice(group.size, group.size // 2, replace=False).tolist())
            cuts.append(Cut(group=_with_statistics(group, state), remove=tuple(remove)))
        return PrunePlan(input_shape=shape, criterion={"kind": "l2"}, scope="global", ratio=0.5, cuts=tuple(cuts))

    return make


def _lively(key: str, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if key.endswith("running_var"):
        return random.uniform(0.5, 1.5, values.shape).astype(np.float32)
    if values.ndim == 1:
        return random.normal(0.3 if key.endswith("weight") else 0, 0.3, values.shape).astype(np.float32)
    fan = values[0].size
    return random.normal(0, np.sqrt(2 / fan), values.shape).astype(np.float32)


def _with_statistics(group: Group, state: dict[str, np.ndarray]) -> Group:
    members = list(group.members)
    for member in group.members:
        layer = member.parameter.removesuffix("weight")
        if member.parameter.endswith("weight") and f"{layer}running_mean" in state:
            members += [
                Member(parameter=layer + statistic, axis=0, channels=member.channels, role="buffer")
                for statistic in ("running_mean", "running_var")
            ]
    return group.model_copy(update={"members": tuple(members)})
