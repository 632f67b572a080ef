"""The process that measures: a JSON request on standard input, a JSON answer on the last line of standard output."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from paredown.contracts import Runtime, Session
from paredown.deploy.measure import Latencies, Latency, LatencyRequest, Memory, MemoryRequest, Request, RuntimeReference
from paredown.errors import ParedownError
from paredown.implementations import import_attribute


def main() -> int:
    """Answers one request. An error of ours is an answer too."""
    request = Request.model_validate_json(sys.stdin.read()).request
    try:
        result = _latency(request) if isinstance(request, LatencyRequest) else _memory(request)
        answer: dict[str, Any] = {"result": result.model_dump()}
    except ParedownError as error:
        answer = {"error": error.to_dict()}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0


def build_runtime(reference: RuntimeReference) -> Runtime:
    """The runtime that a reference tells of."""
    config = import_attribute(reference.config_class, "deploy.runtime").model_validate(reference.config)
    runtime: Runtime = import_attribute(reference.implementation, "deploy.runtime")(config)
    return runtime


def _latency(request: LatencyRequest) -> Latencies:
    """Rounds over all files; each round starts with the next file, so that none always finds warm caches."""
    import numpy as np

    runtime = build_runtime(request.runtime)
    image = np.random.default_rng(0).standard_normal((1, *request.input_shape)).astype(np.float32)
    sessions = [runtime.load(Path(path), threads=1) for path in request.paths]
    for session in sessions:
        for _ in range(request.warmup):
            session.run(image)
    times: list[list[float]] = [[] for _ in sessions]
    end = perf_counter() + request.seconds
    while (done := len(times[0])) < request.rounds and (done < request.warmup or perf_counter() < end):
        for step in range(len(sessions)):
            which = (done + step) % len(sessions)
            times[which].append(_milliseconds(sessions[which], image))
    return Latencies(files=tuple(_summary(own, times[0]) for own in times))


def _summary(own: list[float], reference: list[float]) -> Latency:
    ratios = [mine / theirs for mine, theirs in zip(own, reference, strict=True)]
    return Latency(latency_ms=statistics.median(own), ratio=statistics.median(ratios), rounds=len(own))


def _milliseconds(session: Session, image: Any) -> float:
    start = perf_counter()
    session.run(image)
    return (perf_counter() - start) * 1e3


def _memory(request: MemoryRequest) -> Memory:
    import numpy as np

    session = build_runtime(request.runtime).load(Path(request.path), threads=1)
    session.run(np.zeros((request.batch_size, *request.input_shape), dtype=np.float32))
    return Memory(peak_memory_mb=_peak_bytes() / 2**20)


def _peak_bytes() -> int:
    """The greatest resident memory of this process since it was started.

    On Linux `ru_maxrss` outlives exec and so tells of the parent; VmHWM belongs to the address space, which is new.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())
