"""Networks with their weights: given, drawn from the seed, or trained once per content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from paredown import files
from paredown.algorithms.batches import in_order
from paredown.algorithms.byte_images import ByteImages
from paredown.algorithms.initialization import draw_network
from paredown.contracts import Array, Images, Model, ModelSource, State
from paredown.engine.given_weights import given_weights, head
from paredown.engine.provenance import distributions, thread_count, versions
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.training_process import train_elsewhere
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, UnsupportedError, WeightsError
from paredown.spec.models import BaselineConfig
from paredown.spec.networks import BUILT

_SALT = 0
_DIGEST_BATCH = 256
PRETRAINED_CLASSES, PRETRAINED_CHANNELS = 1000, 3
"""Both frameworks publish weights trained on ImageNet."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A network before any training, the names of its arrays that the seed drew, and notes for the reader."""

    model: Model
    drawn: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A network and how it comes by its weights.

    `weights` are None (drawn from the seed), `pretrained`, `built` (as the network was built) or the path of a file,
    which with `strict` fits the network whole. `training` follows; None, or one of no epochs, leaves them as they are.
    `title` is what notes call the network.
    """

    source: ModelSource
    weights: str | None
    training: BaselineConfig | None = None
    title: str = "baseline"
    strict: bool = True


def prepared(bench: Workbench, recipe: Recipe) -> tuple[Model, tuple[str, ...]]:
    """The network with its final weights, and notes for the reader (a head that was initialised anew).

    A trained one is kept in the cache by all that its weights depend on, and taken from there the next time. Where
    `train_on` names another backend, that one trains it, in a process of its own.
    """
    training = recipe.training
    if training is not None and training.epochs and training.train_on not in (None, bench.backend):
        require_shareable(bench, recipe)
        return train_elsewhere(bench, str(training.train_on), recipe)
    beginning = initialised(bench, recipe)
    model, notes = beginning.model, beginning.notes
    if training is None or training.epochs == 0:
        return model, notes
    cached = (
        cache_directory()
        / "baselines"
        / f"{_content_key(bench, bench.state(model), recipe.source, training)}.safetensors"
    )
    if bench.repeatable and (known := _read_cache(cached)) is not None:
        bench.report("note", text=f"{recipe.title}: trained before, taken from the cache")
        return bench.manager.restore(bench.backend, model, known), notes
    model = train(bench, model, plan_training(training, on_labels(bench)), salt=_SALT).model
    if bench.repeatable:
        _keep(bench, model, cached, recipe.title)
    return model, notes


def require_shareable(bench: Workbench, recipe: Recipe) -> None:
    """Refuses to let another backend train on images that only the caller's loader gives.

    Raises:
        UnsupportedError: The images follow from no spec.
    """
    training = recipe.training
    if training is not None and training.train_on not in (None, bench.backend) and not bench.repeatable:
        raise UnsupportedError(
            f"the {recipe.title} cannot be trained on another backend: a loader's images stay in its process",
            where="train_on",
            value=str(training.train_on),
            expected=f"`{bench.backend}`, or no `train_on`",
            remedy="leave `train_on` out",
        )


def initialised(bench: Workbench, recipe: Recipe) -> Beginning:
    """The network before any training.

    Raises:
        WeightsError: The file of its weights is missing, cannot be read, or does not fit.
    """
    model = bench.build(source=recipe.source)
    state, drawn, notes = _initial_state(bench, model, recipe)
    return Beginning(bench.manager.restore(bench.backend, model, state), drawn, notes)


def _keep(bench: Workbench, model: Model, cached: Path, title: str) -> None:
    try:
        files.write_state(cached, bench.state(model))
    except ArtifactError as error:
        bench.report("note", text=f"the {title} is not kept for other runs: {error.problems[0].value}")


def _read_cache(path: Path) -> State | None:
    """A trained baseline; a file that is damaged is as good as none."""
    try:
        return files.read_state(path) if path.is_file() else None
    except WeightsError:
        return None


def cache_directory() -> Path:
    """Where trained baselines are kept: `PAREDOWN_CACHE`, else the user's cache directory."""
    from platformdirs import user_cache_path

    given = os.environ.get("PAREDOWN_CACHE")
    return Path(given) if given else user_cache_path("paredown")


_Start = tuple[State, tuple[str, ...], tuple[str, ...]]
"""The arrays that a network starts with, the names of those that were drawn, and notes."""


def _initial_state(bench: Workbench, model: Model, recipe: Recipe) -> _Start:
    empty = bench.state(model)
    drawn = draw_network(recipe.source.name, empty, bench.context.seed)
    if recipe.weights == "pretrained":
        source = replace(recipe.source, pretrained=True)
        published = bench.manager.load_model(bench.backend, source, bench.context)
        return _with_own_ends(bench, recipe.source, bench.state(published), drawn)
    if recipe.weights is None:
        return drawn, tuple(drawn), ()
    if recipe.weights == BUILT:
        return empty, (), ("the network keeps the weights that it was built with",)
    path = bench.context.base_dir / recipe.weights
    return given_weights(bench, recipe.source, path, drawn, strict=recipe.strict)


def _with_own_ends(bench: Workbench, source: ModelSource, published: State, drawn: dict[str, Array]) -> _Start:
    """Published weights; a head or a first convolution of another size is drawn from the seed, as everywhere."""
    names = list(published)
    anew = head(bench, source, drawn) if source.num_classes != PRETRAINED_CLASSES else set()
    if source.in_channels != PRETRAINED_CHANNELS:
        anew = anew | {names[0]}
    notes = (f"{', '.join(sorted(anew))}: of another size than published, initialised anew",) if anew else ()
    state = {name: drawn[name] if name in anew else published[name] for name in names}
    return state, tuple(sorted(anew)), notes


def _content_key(bench: Workbench, state: State, source: ModelSource, training: BaselineConfig) -> str:
    """Everything that the trained weights depend on: code, data, start, recipe, seed, device, threads."""
    info = bench.manager.registry.backends[bench.backend]
    content: dict[str, Any] = {
        "paredown": version("paredown"),
        "versions": versions(distributions(info, source.kind)),
        "backend": bench.backend,
        "source": [source.name, source.num_classes, source.in_channels, *source.input_size],
        "code": [source.kind, source.content],
        "baseline": training.model_dump(mode="json", exclude={"train_on"}),
        "loss": bench.label_loss,
        "seed": bench.context.seed,
        "device": bench.context.device,
        "threads": thread_count(bench.spec.run),
        "amp": bench.spec.run.amp,
        "data": digest(dict(zip(("images", "labels"), bench.split("train"), strict=True))),
        "state": digest(state),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def digest(arrays: State | Mapping[str, Images]) -> str:
    """SHA-256 over names, shapes, the fields of structured arrays, and bytes, in hexadecimal.

    Images that are no array are read batch by batch.
    """
    content = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        content.update(name.encode())
        content.update(str(values.shape).encode())
        if isinstance(values, ByteImages):
            for piece in values.content():
                content.update(piece)
        elif isinstance(values, np.ndarray):
            if values.dtype.names:
                content.update(str(values.dtype.descr).encode())
            content.update(values.tobytes())
        else:
            for batch in in_order(values, _DIGEST_BATCH):
                content.update(np.asarray(batch).tobytes())
    return content.hexdigest()
