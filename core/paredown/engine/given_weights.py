"""Weights that a spec gives by the name of a file: read by whoever knows the format, and fitted to the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from paredown import files
from paredown.algorithms.checkpoints import fit, report, without_prefix
from paredown.contracts import Array, Checkpoint, ModelSource, State
from paredown.engine.weights_process import read_elsewhere
from paredown.engine.workbench import Workbench
from paredown.errors import WeightsError
from paredown.spec.weights_checks import NEUTRAL


def given_weights(
    bench: Workbench, source: ModelSource, path: Path, drawn: Mapping[str, Array], *, strict: bool
) -> tuple[State, tuple[str, ...], tuple[str, ...]]:
    """The arrays of a file in place of drawn ones, the names of those that stay drawn, and notes on what matched.

    Args:
        bench: The run.
        source: The network that the file is for.
        path: A safetensors file in neutral names, or a file of a framework's own.
        drawn: The network's arrays, drawn; they stand for a head with another number of classes.
        strict: Refuse a file that lacks arrays or has others; else those are drawn, and left.

    Raises:
        WeightsError: The file is missing or cannot be read, holds more than arrays, or does not fit the network.
        BackendMissing: The framework that reads such a file is not installed.
    """
    found = _read(bench, source, path)
    # Counters of batches are in no neutral state.
    arrays = {name: values for name, values in found.arrays.items() if not name.endswith("num_batches_tracked")}
    arrays, prefixes = without_prefix(arrays, drawn.keys())
    has_other = any(name in arrays and arrays[name].shape != values.shape for name, values in drawn.items())
    fitted = fit(arrays, drawn, head(bench, source, drawn) if has_other else ())
    if not fitted.matched or (strict and not fitted.is_whole):
        raise WeightsError(
            "the weights do not fit the network",
            where=str(path),
            value="; ".join([report(fitted), *found.notes, *prefixes]),
            expected=f"{len(drawn)} arrays in neutral names, as `weights.safetensors` of a baseline has them",
            remedy="check the network, and rename what is meant by another name"
            + ("; `strict: false` draws what is missing and leaves what is unknown" if fitted.matched else ""),
        )
    use = set(fitted.matched)
    state = {name: arrays[name].astype(drawn[name].dtype) if name in use else drawn[name] for name in drawn}
    notes = tuple(f"weights {path.name}: {note}" for note in (report(fitted), *found.notes, *prefixes))
    return state, tuple(name for name in drawn if name not in use), notes


def head(bench: Workbench, source: ModelSource, state: Mapping[str, Array]) -> set[str]:
    """The arrays whose shape depends on the number of classes: a detector's head has others, and some have several.

    Of a network that a user's function builds, which is not told this number, those that have as many outputs.
    """
    if source.build is not None:
        return {name for name, values in state.items() if values.shape[:1] == (source.num_classes,)}
    other = bench.state(bench.build(source=replace(source, num_classes=source.num_classes + 1)))
    return {name for name, values in state.items() if other[name].shape != values.shape}


def _read(bench: Workbench, source: ModelSource, path: Path) -> Checkpoint:
    if not path.is_file():
        raise WeightsError(
            "the weights are missing",
            where=str(path),
            expected="a file of weights",
            remedy="mend `model.weights`; a relative path starts from the spec's directory",
        )
    suffix = path.suffix.lower()
    if suffix == NEUTRAL:
        return Checkpoint(files.read_state(path))
    return read_elsewhere(bench, bench.manager.reader_of(suffix), source, path)
