"""Latency and peak memory of a deployed file, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from paredown.contracts import Runtime
from paredown.errors import DeployError, ParedownError, PluginError
from paredown.spec.base import ComponentConfig, Frozen

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class RuntimeReference(Frozen):
    """A runtime that another process can build: `module:attribute` of its class and of its options' model."""

    implementation: str
    config_class: str
    config: dict[str, Any]

    @classmethod
    def of(cls, runtime: Runtime) -> RuntimeReference:
        """The reference to a runtime, which keeps the options that it was built from as `config`.

        Raises:
            PluginError: It does not keep them.
        """
        config = getattr(runtime, "config", None)
        if not isinstance(config, ComponentConfig):
            raise PluginError(
                "a runtime that is measured must keep its options as `config`",
                where=_import_path(type(runtime)),
                remedy="set self.config in the runtime's constructor",
            )
        return cls(
            implementation=_import_path(type(runtime)),
            config_class=_import_path(type(config)),
            config=config.model_dump(mode="json"),
        )


class LatencyRequest(Frozen):
    """A candidate against a reference, for images of `input_shape` (channels, height, width), one at a time."""

    kind: Literal["latency"] = "latency"
    runtime: RuntimeReference
    candidate: str
    reference: str
    input_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    warmup: PositiveInt = 5
    pairs: PositiveInt = 200
    seconds: Annotated[float, Field(gt=0)] = 1.0


class MemoryRequest(Frozen):
    """One file and one batch."""

    kind: Literal["memory"] = "memory"
    runtime: RuntimeReference
    path: str
    input_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    batch_size: PositiveInt = 1


class Request(Frozen):
    """What a measuring process is asked, as JSON on its standard input."""

    request: Annotated[LatencyRequest | MemoryRequest, Field(discriminator="kind")]


class Latency(Frozen):
    """Milliseconds for one image on one thread, medians over pairs; `ratio` is the median of candidate/reference."""

    candidate_ms: float
    reference_ms: float
    ratio: float
    pairs: int


class Memory(Frozen):
    """The greatest resident memory of a process that loads the file and runs a batch, in MB (2**20 bytes)."""

    peak_memory_mb: float


def measure_latency(runtime: Runtime, candidate: Path, reference: Path, input_shape: tuple[int, int, int]) -> Latency:
    """Measures a candidate in alternating pairs with the reference.

    Raises:
        DeployError: The runtime refuses a file, or the measuring process dies.
    """
    request = LatencyRequest(
        runtime=RuntimeReference.of(runtime),
        candidate=str(candidate.resolve()),
        reference=str(reference.resolve()),
        input_shape=input_shape,
    )
    return Latency.model_validate(_ask(request))


def peak_memory_mb(runtime: Runtime, path: Path, input_shape: tuple[int, int, int], *, batch_size: int = 1) -> float:
    """The peak memory of loading one file and running one batch of images, in MB (2**20 bytes).

    It counts the whole process, the interpreter and the runtime included.

    Raises:
        DeployError: The runtime refuses the file, or the measuring process dies.
    """
    request = MemoryRequest(
        runtime=RuntimeReference.of(runtime), path=str(path.resolve()), input_shape=input_shape, batch_size=batch_size
    )
    return Memory.model_validate(_ask(request)).peak_memory_mb


def _import_path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _ask(request: LatencyRequest | MemoryRequest) -> dict[str, Any]:
    """Runs a request in a fresh process, on one thread."""
    answer = subprocess.run(  # our own interpreter and module
        [sys.executable, "-m", "paredown.deploy.measure_process"],
        input=Request(request=request).model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")},
    )
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or not lines:
        raise DeployError(
            "the measuring process died",
            where=getattr(request, "candidate", getattr(request, "path", None)),
            value=f"exit status {answer.returncode}: {answer.stderr.strip()[-500:]}",
        )
    reply: dict[str, Any] = json.loads(lines[-1])
    if "error" in reply:
        raise ParedownError.from_dict(reply["error"])
    result: dict[str, Any] = reply["result"]
    return result
