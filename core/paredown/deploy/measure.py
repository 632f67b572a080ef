"""Latency and peak memory of a deployed file, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
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
    """Files in alternation, one image of `input_shape` (channels, height, width) at a time."""

    kind: Literal["latency"] = "latency"
    runtime: RuntimeReference
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    input_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    warmup: PositiveInt = 5
    rounds: PositiveInt = 200
    seconds: Annotated[float, Field(gt=0)] = 2.0


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
    """Of one file: the median of milliseconds for one image on one thread, and of the ratio to the first file.

    The ratio is taken within each round, so that it holds where milliseconds drift.
    """

    latency_ms: float
    ratio: float
    rounds: int


class Latencies(Frozen):
    """A latency for each file, in the order asked."""

    files: tuple[Latency, ...]


class Memory(Frozen):
    """The greatest resident memory of a process that loads the file and runs a batch, in MB (2**20 bytes)."""

    peak_memory_mb: float


def measure_latency(
    runtime: Runtime, paths: Sequence[Path], input_shape: tuple[int, int, int], *, seconds: float = 2.0
) -> tuple[Latency, ...]:
    """Measures files in rounds: each round runs every file once, and where it starts alternates.

    Args:
        runtime: The runtime that the files are for.
        paths: The reference first, then what is compared with it.
        input_shape: (channels, height, width) of an image.
        seconds: When to stop, if 200 rounds are not done before; a few rounds are always done.

    Returns:
        A latency for each file; the reference's ratio is 1.

    Raises:
        DeployError: The runtime refuses a file, or the measuring process dies.
    """
    named = tuple(str(path.resolve()) for path in paths)
    request = LatencyRequest(
        runtime=RuntimeReference.of(runtime), paths=named, input_shape=input_shape, seconds=seconds
    )
    return Latencies.model_validate(_ask(request)).files


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
            where=request.path if isinstance(request, MemoryRequest) else ", ".join(request.paths),
            value=f"exit status {answer.returncode}: {answer.stderr.strip()[-500:]}",
            remedy="the text above is the process's last; check the file with another runtime, and the free memory",
        )
    reply: dict[str, Any] = json.loads(lines[-1])
    if "error" in reply:
        raise ParedownError.from_dict(reply["error"])
    result: dict[str, Any] = reply["result"]
    return result
