"""`make bench-loading`: how fast `image_folder` reads files on one core and on all, and what loading takes of an epoch.

Ten thousand JPEG files of 256 x 256 pixels, scenes of handwritten digits in four colours, are written to a temporary
folder and read at 64 x 64: in a process that may use one core, and in one that may use all, by turns. How busy the
cores are is the processor time of the process by the time on the clock. Then `resnet20` trains on the pictures on each
framework, one thread, augmented, for a part of an epoch: what of each batch's time its loading takes. Files are read
once a run, and batches are loaded in every epoch.

Writes benchmarks/results/loading.json; returns 1 when a bound is missed. BENCH_SHORT=1 rehearses on a few files, and
writes nothing.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from paredown.contracts import Batch, RunContext
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown_vision.dataset_configs import DigitScenesConfig, SplitCounts
from paredown_vision.digit_scenes import load_digit_scenes
from paredown_vision.pictures import cores

RESULTS = Path(__file__).parent / "results" / "loading.json"
SHORT = bool(os.environ.get("BENCH_SHORT"))
FILES, TURNS, STEPS = (300, 1, 4) if SHORT else (10_000, 3, 40)
SIDE, SIZE, CLASSES, BATCH = 256, 64, 4, 64
BOUNDS = {"busy_of_each_core": 0.85, "share_of_epoch": 0.1}
SHARES = {"validation": 0.05, "test": 0.05}


def main() -> int:
    """Measures, writes the results, prints them."""
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        reading: dict[str, list[dict[str, float]]] = {"one": [], "all": []}
        for turn in range(TURNS):
            for name in ("one", "all") if turn % 2 == 0 else ("all", "one"):
                reading[name].append(_in_a_new_process("reading", name, folder))
        epochs = {backend: _in_a_new_process("epoch", backend, folder) for backend in ("torch", "paddle")}
    middle = {name: {key: median(one[key] for one in turns) for key in turns[0]} for name, turns in reading.items()}
    results = {
        "versions": {name: version(name) for name in ("paredown", "numpy", "pillow", "torch", "paddlepaddle")},
        "machine": {"cpu": _cpu(), "python": platform.python_version(), "cores": cores()},
        "files": FILES,
        "reading": middle,
        "speedup": middle["one"]["seconds"] / middle["all"]["seconds"],
        "epochs": epochs,
        "bounds": BOUNDS,
        "turns": reading,
    }
    print(json.dumps({key: results[key] for key in ("reading", "speedup", "epochs")}, indent=1))
    if not SHORT:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    busy = middle["all"]["busy"] / cores() >= BOUNDS["busy_of_each_core"]
    return 0 if busy and all(one["share"] <= BOUNDS["share_of_epoch"] for one in epochs.values()) else 1


def write_pictures(folder: Path) -> None:
    """Scenes of digits in a folder a class: the class is the colour."""
    from PIL import Image

    distinct = 50 if SHORT else 500
    config = DigitScenesConfig(
        target="detection", size=SIDE, count=SplitCounts(train=distinct, validation=1, test=1), objects=(1, 6)
    )
    scenes = load_digit_scenes(config, folder).train[0][:]
    lowest = scenes.min()
    grey = ((scenes[:, 0] - lowest) / (scenes.max() - lowest) * 255).astype(np.uint8)
    random = np.random.default_rng(0)
    for index in range(FILES):
        label = index % CLASSES
        picture = np.repeat(grey[index % distinct][:, :, None], 3, axis=2)
        if label < 3:
            picture[:, :, label] //= 2
        picture += random.integers(0, 8, picture.shape, dtype=np.uint8)  # no two files are equal
        path = folder / f"colour{label}" / f"{index:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path, quality=90)


def reading(which: str, folder: Path) -> dict[str, float]:
    """The seconds of loading the data in this process, and how many cores it kept busy."""
    if which == "one":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    bench = _workbench("torch", folder)
    wall, busy = time.perf_counter(), time.process_time()
    count = sum(len(bench.split(name)[1]) for name in ("train", "validation", "test"))
    seconds = time.perf_counter() - wall
    return {"seconds": seconds, "files_a_second": count / seconds, "busy": (time.process_time() - busy) / seconds}


class TimedBench(Workbench):
    """A workbench that trains for a few steps, and adds up how long the loop waits for its batches."""

    waited = 0.0
    steps = STEPS

    def epochs(self, *arguments: Any, **options: Any) -> Any:
        """The first batches of each epoch, each timed."""
        steps, epoch = super().epochs(*arguments, **options)
        self.steps = min(STEPS, steps)

        def timed(index: int) -> Iterator[Batch]:
            batches = epoch(index)
            for _ in range(self.steps):
                began = time.perf_counter()
                batch = next(batches)
                self.waited += time.perf_counter() - began
                yield batch

        return self.steps, timed


def epoch(backend: str, folder: Path) -> dict[str, float]:
    """What a step of the training takes, and its batch's loading of that."""
    bench = _workbench(backend, folder)
    model = bench.build()
    count = len(bench.split("train")[1])
    plan = plan_training(bench.spec.baseline, on_labels(bench))  # type: ignore[arg-type]  # the spec has one
    train(bench, model, plan, salt=0)  # the first steps allocate what later ones use again
    bench.waited = 0.0
    began = time.perf_counter()
    train(bench, model, plan, salt=0)
    seconds = time.perf_counter() - began
    return {
        "milliseconds_a_step": 1000 * seconds / bench.steps,
        "milliseconds_of_loading": 1000 * bench.waited / bench.steps,
        "share": bench.waited / seconds,
        "epoch_seconds": seconds / bench.steps * (count // BATCH),
    }


def _workbench(backend: str, folder: Path) -> TimedBench:
    manager = Manager.discover()
    augment = {"flip": "horizontal", "crop": {"padding": 4}}
    spec = load_spec(
        {
            "version": 1,
            "name": "bench-loading",
            "task": {"kind": "classification"},
            "data": {"kind": "image_folder", "directory": str(folder), "size": [SIZE, SIZE], "split": SHARES},
            "model": {"kind": "zoo", "name": "resnet20", "num_classes": CLASSES, "input_size": [SIZE, SIZE]},
            "baseline": {"epochs": 1, "batch_size": BATCH, "augment": augment},
            "deploy": {"runtime": {"kind": "onnxruntime"}},
        },
        manager.registry,
    )
    return TimedBench(manager, backend, spec, RunContext(seed=0, device="cpu"))


def _in_a_new_process(part: str, which: str, folder: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, part, which, folder],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    print(json.dumps({"reading": reading, "epoch": epoch}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))))
