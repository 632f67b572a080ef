"""Training a network on another backend than the run's, in a process of its own, so that several runs share it.

What is trained there lies in the cache as that backend's own trainings do: the next run that asks gets the same bytes.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown import files
from paredown.contracts import Model, ModelSource, RunContext, State
from paredown.engine.conversing import converse, ending, hear, start
from paredown.errors import BackendFailed, ModelError, ParedownError
from paredown.spec.models import BaselineConfig
from paredown.spec.nearest import listed

if TYPE_CHECKING:
    from paredown.engine.networks import Recipe
    from paredown.engine.workbench import Report, Workbench

_PLAIN = ("name", "num_classes", "in_channels", "input_size", "width", "kind")
"""The fields of a source that say all of a network that is built by name."""

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
        if event["event"] not in ("result", "error"):
            bench.report(event["event"], **{name: value for name, value in event.items() if name != "event"})

    process = start("paredown.engine.training_process", bench.spec.run)
    last = converse(process, request, on_event)
    if last.get("event") == "error":
        raise ParedownError.from_dict(last["error"])
    if last.get("event") != "result":
        raise _died(process.returncode, trainer, recipe.title)
    arrays = Path(last["arrays"])
    try:
        model = bench.manager.restore(bench.backend, model, files.read_state(arrays))
    finally:
        files.remove_directory(arrays.parent)
    return model, (*last["notes"], f"{recipe.title}: trained on {trainer}, as for every backend of this spec")


def _died(code: int, trainer: str, title: str) -> BackendFailed:
    return BackendFailed(
        f"the process of backend {trainer} that trains the {title} ended without a result",
        where=title,
        value=ending(code),
        expected="a training that ends, or says why it cannot",
        remedy="read the log of the run, which holds what it printed; run the same command again to train it anew",
    )


def _request(bench: Workbench, trainer: str, recipe: Recipe, state: State) -> dict[str, Any]:
    assert recipe.training is not None
    return {
        "backend": trainer,
        "asked_by": bench.backend,
        "seed": bench.context.seed,
        "base_dir": str(bench.context.base_dir.resolve()),
        "spec": bench.spec.model_dump(mode="json"),
        "trust": list(bench.trust.packages),
        "source": {name: getattr(recipe.source, name) for name in _PLAIN},
        "weights": recipe.weights,
        "strict": recipe.strict,
        "training": recipe.training.model_dump(mode="json"),
        "title": recipe.title,
        "shapes": {name: list(values.shape) for name, values in state.items()},
    }


def main() -> int:
    """Trains what one request names. An error of ours is an answer too."""
    from paredown.engine.networks import prepared

    request, report = hear()
    try:
        bench, recipe = _opened(request, report)
        require_equal(bench, recipe, request["shapes"], request["asked_by"])
        model, notes = prepared(bench, recipe)
        # Made only now: whoever ends this process during the training leaves nothing behind.
        arrays = Path(tempfile.mkdtemp(prefix="paredown-training-")) / "arrays.safetensors"
        files.write_state(arrays, bench.state(model))
    except ParedownError as error:
        traceback.print_exc()
        report("error", error=error.to_dict())
        return error.exit_code
    report("result", notes=list(notes), arrays=str(arrays))
    return 0


def _opened(request: dict[str, Any], report: Report) -> tuple[Workbench, Recipe]:
    """The workbench of the backend that trains, and what it is to train."""
    from paredown.engine.networks import Recipe
    from paredown.engine.trust import trusting
    from paredown.engine.workbench import Workbench
    from paredown.manager import Manager
    from paredown.spec.loader import load_spec

    manager = Manager.discover()
    spec = load_spec(request["spec"], manager.registry)
    base_dir = Path(request["base_dir"])
    context = RunContext(seed=request["seed"], device=spec.run.device, base_dir=base_dir, amp=spec.run.amp)
    bench = Workbench(manager, request["backend"], spec, context, report, trusting(request["trust"], base_dir))
    given = request["source"]
    plain = ModelSource(**given | {"input_size": tuple(given["input_size"])})
    training = BaselineConfig.model_validate(request["training"] | {"train_on": None})
    source = bench.source if plain.kind == "builder" else plain
    return bench, Recipe(source, request["weights"], training, request["title"], request["strict"])


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
    sys.exit(main())
