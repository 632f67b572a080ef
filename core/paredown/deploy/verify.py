"""Whether a deployed file computes what the network computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paredown.contracts import Runtime
from paredown.errors import DeployError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, Images

TOLERANCE = 1e-4
"""The greatest difference between a float file and its network, relative to the greatest output."""


def run_file(runtime: Runtime, path: Path, images: Images, *, batch_size: int = 64) -> FloatArray:
    """The outputs of a deployed file for all images, on one thread.

    Args:
        runtime: The runtime that the file is for.
        path: The file.
        images: float32, NCHW.
        batch_size: How many images run at once.

    Returns:
        float32, one row an image, in the images' order.

    Raises:
        DeployError: The runtime refuses the file, or gives another number of rows than it got images.
    """
    import numpy as np

    session = runtime.load(path, threads=1)
    rows = [session.run(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    outputs = np.concatenate(rows)
    if len(outputs) != len(images):
        raise DeployError("the file loses images", where=path.name, value=len(outputs), expected=f"{len(images)} rows")
    return outputs


def require_equal_outputs(
    deployed: FloatArray, framework: FloatArray, path: Path, *, tolerance: float = TOLERANCE
) -> float:
    """Compares a float file's outputs with the network's.

    Args:
        deployed: The file's outputs.
        framework: The network's outputs for the same images.
        path: The file, for errors.
        tolerance: The greatest difference allowed, relative to the greatest absolute output of the network.

    Returns:
        The greatest difference, relative to the greatest absolute output.

    Raises:
        DeployError: Shapes differ, an output is not finite, or the difference is beyond the tolerance.
    """
    import numpy as np

    if framework.shape != deployed.shape:
        raise DeployError(
            "the exported file gives outputs of another shape",
            where=path.name,
            value=str(deployed.shape),
            expected=str(framework.shape),
        )
    difference = float(np.max(np.abs(framework.astype(np.float64) - deployed)))
    scale = float(np.max(np.abs(framework)))
    relative = difference / scale if scale > 0 else difference
    if not relative <= tolerance:
        raise DeployError(
            "the exported file is not the network that was compressed",
            where=path.name,
            value=f"outputs differ by {difference:.3g}, {relative:.3g} of the greatest output {scale:.3g}",
            expected=f"at most {tolerance:g} of the greatest output",
            remedy="look for layers that behave differently in evaluation mode, or that the exporter rewrites",
        )
    return relative
