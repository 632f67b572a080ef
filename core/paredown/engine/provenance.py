"""What a result came from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paredown.contracts import BackendInfo, Runtime
from paredown.results import Provenance
from paredown.spec.models import RunConfig

OURS = ("paredown", "numpy", "onnx", "onnxruntime", "onnxslim")


def versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution; what is not installed is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def thread_count(run: RunConfig) -> int:
    """How many threads to train with: the number given, or every core that this process may use."""
    if run.threads != "auto":
        return run.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def distributions(info: BackendInfo, kind: str) -> tuple[str, ...]:
    """The packages of a backend, and those of the library that its networks of this kind of `model` are of."""
    return (*info.distributions, *info.libraries.get(kind, ()))


def gather(
    involved: Iterable[str],
    runtime: Runtime,
    *,
    spec_hash: str,
    device: str,
    threads: int,
    baseline_digest: str | None = None,
    trained_on: str | None = None,
) -> Provenance:
    """The provenance of a run on this machine.

    `involved` are its packages besides core's; `trained_on` is the backend that trained the baseline,
    `baseline_digest` that of the baseline's arrays.
    """
    return Provenance(
        versions={**versions([*OURS, *involved]), **runtime.versions()},
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        spec_hash=spec_hash,
        device=device,
        threads=threads,
        trained_on=trained_on,
        baseline_digest=baseline_digest,
    )


def cpu_features(fields: Mapping[str, str] | None = None) -> tuple[str, ...] | None:
    """Which of AVX2, AVX-512 and VNNI this processor has; None where that is not known, or it is no x86.

    `fields` are those of a processor in /proc/cpuinfo, by default of the last one.
    """
    flags = (_cpu_fields() if fields is None else fields).get("flags")
    if flags is None:
        return None
    return tuple(flag for flag in ("avx2", "avx512f", "avx_vnni", "avx512_vnni") if flag in flags.split())


def _cpu() -> str:
    fields = _cpu_fields()
    if not fields:
        return platform.processor() or "unknown"
    name = fields.get("model name", "unknown")
    features = cpu_features(fields)
    return f"{name} ({', '.join(features)})" if features else name


def _cpu_fields() -> Mapping[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
