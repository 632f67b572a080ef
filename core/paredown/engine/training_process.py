"""Training a network on another backend than the run's, in a process of its own, so that several runs share it.

What is trained there lies in the cache as that backend's own trainings do: the next run that asks gets the same bytes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown import files
from paredown.contracts import Model, State
from paredown.engine.conversing import answer, converse, ending, start
from paredown.engine.other_backend import opened, told
from paredown.engine.workbench import Report, Workbench
from paredown.errors import BackendFailed, ModelError
from paredown.spec.models import BaselineConfig
from paredown.spec.nearest import listed

if TYPE_CHECKING:
    from paredown.engine.networks import Recipe

_SHOWN = 6
"""How many arrays that differ an error names."""


def train_elsewhere(bench: Workbench, trainer: str, recipe: Recipe) -> tuple[Model, tuple[str, ...]]:
    """The network of this run's backend with the weights that another backend gave it, and notes for the reader.

    Raises:
        BackendMissing: That backend is not installed.
        ModelError: Its network has other arrays under neutral names; nothing is trained then.
        ParedownError: What the training raised.
    """
    bench.manager.require_backend(trainer)
    model = bench.build(source=recipe.source)
    request = _request(bench, trainer, recipe, bench.state(model))

    def on_event(event: dict[str, Any]) -> None:
        bench.report(event["event"], **{name: value for name, value in event.items() if name != "event"})

    process = start("paredown.engine.training_process", bench.spec.run)
    found = converse(process, request, on_event)
    if found is None:
        raise BackendFailed(
            f"the process of backend {trainer} that trains the {recipe.title} ended without a result",
            where=recipe.title,
            value=ending(process),
            expected="a training that ends, or says why it cannot",
            remedy="read the log of the run, which holds what it printed; run the same command again to train it anew",
        )
    arrays = Path(found["arrays"])
    try:
        model = bench.manager.restore(bench.backend, model, files.read_state(arrays))
    finally:
        files.remove_directory(arrays.parent)
    return model, (*found["notes"], f"{recipe.title}: trained on {trainer}, as for every backend of this spec")


def _request(bench: Workbench, trainer: str, recipe: Recipe, state: State) -> dict[str, Any]:
    assert recipe.training is not None
    return {
        **told(bench, trainer, recipe.source, bench.context),
        "asked_by": bench.backend,
        "weights": recipe.weights,
        "strict": recipe.strict,
        "training": recipe.training.model_dump(mode="json"),
        "title": recipe.title,
        "shapes": {name: list(values.shape) for name, values in state.items()},
    }


def work(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Trains what the request names, and returns the file of its arrays, and notes."""
    from paredown.engine.networks import Recipe, prepared

    bench, source = opened(request, report)
    training = BaselineConfig.model_validate(request["training"] | {"train_on": None})
    recipe = Recipe(source, request["weights"], training, request["title"], request["strict"])
    require_equal(bench, recipe, request["shapes"], request["asked_by"])
    model, notes = prepared(bench, recipe)
    # Made only now: whoever ends this process during the training leaves nothing behind.
    arrays = Path(tempfile.mkdtemp(prefix="paredown-training-")) / "arrays.safetensors"
    files.write_state(arrays, bench.state(model))
    return {"notes": list(notes), "arrays": str(arrays)}


def require_equal(bench: Workbench, recipe: Recipe, asked: dict[str, list[int]], backend: str) -> None:
    """Refuses to train a network whose arrays are not those of the backend that asks for them."""
    own = {name: list(values.shape) for name, values in bench.state(bench.build(source=recipe.source)).items()}
    other = [name for name in {**own, **asked} if own.get(name) != asked.get(name)]
    if other:
        raise ModelError(
            f"`{bench.backend}` cannot train the {recipe.title} of `{backend}`: they build different networks",
            where="train_on",
            value=f"{len(other)} arrays differ, such as {listed(other[:_SHOWN])}",
            expected="the same arrays under neutral names",
            remedy="mend the network of one of them, or leave `train_on` out",
        )


if __name__ == "__main__":
    sys.exit(answer(work))
