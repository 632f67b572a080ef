"""Core's groups, found on the graph that Paddle exports, against PaddleSlim's."""

from __future__ import annotations

import onnx
import pytest

from paredown.algorithms.fold import find_folds
from paredown.contracts import ExportRequest, MeasureRequest
from paredown.deploy.canonical import canonicalize
from paredown.deploy.coupling import find_groups

SMALL, COLOURED = (1, 8, 8), (3, 32, 32)


def cores_groups(hooks, model, shape, path):
    layers = hooks.measure(backend="paddle", model=model, request=MeasureRequest("layers", shape)).layers
    folds = find_folds(layers)
    folded = hooks.fold(backend="paddle", model=model, folds=folds)
    written = hooks.export(backend="paddle", model=folded, request=ExportRequest("onnx", path, shape))
    graph = canonicalize(onnx.load(path), written.names)
    return find_groups(graph, hooks.save(backend="paddle", model=model), folds)


def axes(group):
    return {(member.parameter, member.axis, member.role) for member in group.members}


@pytest.mark.parametrize(
    ("name", "shape", "output", "count"),
    [
        ("resnet20", SMALL, "fc", 12),
        ("mobilenet_v2_small", SMALL, "classifier", 19),
        ("mobilenet_v3_small", COLOURED, "classifier.3", None),
    ],
)
def test_they_are_paddleslims_where_it_can_follow(
    hooks, build, paddleslim_groups, tmp_path, name, shape, output, count
):
    model = build(name, shape=shape)
    theirs, untraceable = paddleslim_groups(model, shape)
    assert not untraceable
    del theirs[f"{output}.weight"]
    ours = {group.name: group for group in cores_groups(hooks, model, shape, tmp_path / "raw.onnx").groups}
    assert {name: axes(group) for name, group in ours.items()} == {name: axes(group) for name, group in theirs.items()}
    assert {name: group.size for name, group in ours.items()} == {name: group.size for name, group in theirs.items()}
    assert count in (None, len(ours))
