"""Weights of detectors that are sure of objects, and labels that they find: nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paredown import files
from paredown.algorithms.initialization import draw_network
from paredown.algorithms.objects import Objects, pack
from paredown.algorithms.outputs import concatenated
from paredown.contracts import Drawing, RunContext
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec

SPREAD = {
    "class_logits.weight": 1500.0,
    "box_distances.weight": 300.0,
    "centerness.weight": 300.0,
    "mask_coefficients.weight": 1000.0,
    "prototypes.weight": 1000.0,
}
"""Factors of the drawn weights, which give answers that hardly differ: what is seen depends on the image then."""
BIASES = {"class_logits.bias": -5.0, "centerness.bias": 2.0}
CUT = 0.23
"""No overlap is a threshold of COCO's then, where rounding would decide."""
WEIGHTS, SET = "weights.safetensors", "set.npz"
_MOST = 8
"""Objects that an image has at most."""


def main(backend: str, spec: dict[str, Any], place: str) -> int:
    """Writes the weights, and the spec's images labelled with what a network of these weights finds in them.

    Every third object is left out, so that neither all nor nothing is right. Returns how many objects there are.
    """
    manager = Manager.discover()
    bench = Workbench(manager, backend, load_spec(spec, manager.registry), RunContext(seed=0))
    state = draw_network(bench.source.name, bench.state(bench.build()), seed=0)
    state |= {name: state[name] * factor for name, factor in SPREAD.items() if name in state}
    state |= {name: np.full_like(state[name], value) for name, value in BIASES.items()}
    files.write_state(Path(place) / WEIGHTS, state)
    model = bench.build(state=state)
    arrays, count = {}, 0
    for split in ("train", "validation", "test"):
        images, _ = bench.split(split)
        size = images.shape[2:] if bench.spec.task.kind == "instance_segmentation" else None
        answers = concatenated(list(bench.answers(model, split)))
        found = [_objects(one, size) for one in bench.task.drawings(answers)]
        labels = pack(found, _MOST, size)
        count += int((labels["classes"] >= 0).sum())
        arrays |= {f"{split}_images": images[:]} | {f"{split}_{name}": labels[name] for name in labels.dtype.names}
    np.savez(Path(place) / SET, **arrays)
    return count


def _objects(drawing: Drawing, size: tuple[int, int] | None) -> Objects:
    """Of what was found in one image two of three, the surest, of at least two pixels' width and height.

    Every other box is cut in width, so that it is found at some overlaps alone.
    """
    surest = [one for one in reversed(drawing.objects) if min(one.box[2] - one.box[0], one.box[3] - one.box[1]) >= 2]
    kept = [one for place, one in enumerate(surest) if place % 3 != 2][:_MOST]
    boxes = np.array([one.box for one in kept], np.float32).reshape(-1, 4)
    boxes[1::2, 2] -= CUT * (boxes[1::2, 2] - boxes[1::2, 0])
    return Objects(
        boxes,
        np.array([one.label for one in kept], np.int64),
        np.zeros(len(kept), np.bool_),
        None if size is None else np.array([one.mask for one in kept], np.uint8).reshape(-1, *size),
    )
