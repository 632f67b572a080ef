"""`make bench-calibration`: what observers cost beside one plain pass of the float network, in time and in memory.

For each network and each observer, pairs that take turns: a plain pass over drawn images in ONNX Runtime, and
calibration over the same, both on one thread and in batches of 64, in seconds of the processor, so that other
processes do not count. Then, in fresh processes, the peak memory of calibrating few and many images. Resumable: every
finished row is a file in out/bench-calibration and is not measured again. Writes benchmarks/results/calibration.json;
returns 1 when a bound is missed.

`--pairs`, `--images` and `--many` make it shorter; `--only resnet20,minmax` measures a part and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import onnx
from drawn_networks import mobilenet_v2, resnet20

from paredown import files
from paredown.deploy.calibrate import calibrate
from paredown.manager import Manager

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
OUT = ROOT / "out" / "bench-calibration"
NETWORKS: dict[str, tuple[Callable[[int], onnx.ModelProto], int]] = {
    "resnet20": (resnet20, 32),
    "mobilenet_v2": (mobilenet_v2, 64),
}
BOUNDS = {"minmax": 1.5, "moving_average": 1.5, "percentile": 3.0, "histogram": 3.0, "entropy": 5.0}
MEMORY_BOUND = 1.05
"""Peak memory of many images by the greatest of three times few; the rest is the allocator's noise."""
BATCH, POOL, FEW = 64, 8, 100
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def main() -> int:
    """Measures, writes the results, prints them."""
    given = _arguments()
    if given.memory:
        print(json.dumps(one_calibration(*given.memory.split(","))))
        return 0
    chosen = given.only.split(",") if given.only else []
    rows = []
    for network in NETWORKS:
        for observer in BOUNDS:
            if not chosen or {network, observer} & set(chosen) == set(chosen):
                rows.append(_row(network, observer, given, keep=not chosen))
                print(json.dumps({key: value for key, value in rows[-1].items() if key != "pairs"}), flush=True)
    results = {
        "versions": {name: version(name) for name in ("paredown", "onnxruntime", "onnx", "numpy")},
        "machine": {"cpu": _cpu(), "python": platform.python_version(), "threads": 1},
        "batch_size": BATCH,
        "rows": rows,
        "bounds": {"time": BOUNDS, "memory": MEMORY_BOUND},
    }
    if not chosen:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    kept = [row["ratio"]["mean"] <= BOUNDS[row["observer"]] and row["memory"]["ratio"] <= MEMORY_BOUND for row in rows]
    return 0 if all(kept) else 1


def _row(network: str, observer: str, given: argparse.Namespace, *, keep: bool) -> dict[str, Any]:
    """A row as an earlier run left it, or measured now."""
    path = OUT / f"{network}-{observer}-{given.images}-{given.pairs}-{given.many}.json"
    if keep and path.is_file():
        found: dict[str, Any] = files.read_json(path)
        return found
    row = measured(network, observer, given)
    if keep:
        files.write_json(path, row)
    return row


def measured(network: str, observer: str, given: argparse.Namespace) -> dict[str, Any]:
    """One row: the ratio of the times with its 95% interval, and the peaks of memory."""
    pairs = timed(network, observer, given.images, given.pairs)
    ratios = [one["ratio"] for one in pairs]
    middle, spread = mean(ratios), T_975[given.pairs - 1] * stdev(ratios) / given.pairs**0.5
    few = max((_in_fresh_process(network, observer, FEW) for _ in range(3)), key=lambda one: one["peak_mb"])
    many = _in_fresh_process(network, observer, given.many)
    return {
        "commit": _commit(),
        "network": network,
        "input_size": NETWORKS[network][1],
        "observer": observer,
        "images": given.images,
        "ratio": {"mean": middle, "median": median(ratios), "interval": [middle - spread, middle + spread]},
        "plain_seconds": median(one["plain"] for one in pairs),
        "memory": {
            "few": {"images": FEW, **few},
            "many": {"images": given.many, **many},
            "ratio": many["peak_mb"] / few["peak_mb"],
        },
        "pairs": pairs,
    }


def timed(network: str, observer: str, images: int, pairs: int) -> list[dict[str, float]]:
    """Processor seconds of a plain pass and of calibration over the same images; who goes first alternates."""
    model, session, make = _model(network), _plain_session(network), _factory(observer)
    pool = _pool(network)
    for batch in pool:
        session.run(None, {"images": batch})
    acts: dict[str, Callable[[], object]] = {
        "plain": lambda: [session.run(None, {"images": batch}) for batch in _batches(pool, images)],
        "calibration": lambda: calibrate(model, _batches(pool, images), make),
    }
    found = []
    for turn in range(pairs):
        seconds = {}
        for name in acts if turn % 2 == 0 else reversed(acts):
            start = time.process_time()
            acts[name]()
            seconds[name] = time.process_time() - start
        found.append({**seconds, "ratio": seconds["calibration"] / seconds["plain"]})
    return found


def one_calibration(network: str, observer: str, images: str) -> dict[str, float]:
    """Calibrates once; the processor seconds, and the greatest memory that this process held, in MB."""
    pool = _pool(network)
    start = time.process_time()
    calibrate(_model(network), _batches(pool, int(images)), _factory(observer))
    return {"seconds": time.process_time() - start, "peak_mb": _resident("VmHWM") / 1e6}


def _in_fresh_process(network: str, observer: str, images: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory", f"{network},{observer},{images}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _model(network: str) -> onnx.ModelProto:
    build, size = NETWORKS[network]
    return build(size)


def _plain_session(network: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        _model(network).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _factory(observer: str) -> Callable[[], Any]:
    registry = Manager.discover().registry
    config = registry.components["observer", observer].config
    assert config is not None
    implementation, options = registry.implementation("observer", observer), config(kind=observer)
    return lambda: implementation(options, bits=8, symmetric=False)


def _pool(network: str) -> list[np.ndarray[Any, Any]]:
    """A few batches of drawn images that are used in turn, so that the images themselves need constant memory."""
    size, random = NETWORKS[network][1], np.random.default_rng(0)
    return [random.standard_normal((BATCH, 3, size, size), np.float32) * (1 + 0.1 * one) for one in range(POOL)]


def _batches(pool: list[np.ndarray[Any, Any]], images: int) -> Iterator[np.ndarray[Any, Any]]:
    for start in range(0, images, BATCH):
        yield pool[start // BATCH % POOL][: images - start]


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--memory", default="")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
