"""Whether a deployed file computes what the network computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paredown.contracts import Runtime
from paredown.errors import DeployError

if TYPE_CHECKING:
    from paredown.contracts import Images, Outputs

TOLERANCE = 1e-4
"""The greatest difference between a float file and its network, relative to the greatest output."""


def run_file(runtime: Runtime, path: Path, images: Images, *, batch_size: int = 64) -> Outputs:
    """The outputs of a deployed file for all images, on one thread.

    Args:
        runtime: The runtime that the file is for.
        path: The file.
        images: float32, NCHW.
        batch_size: How many images run at once.

    Returns:
        float32, one row an image, in the images' order; of a network with several outputs a tuple.

    Raises:
        DeployError: The runtime refuses the file, gives another number of rows than it got images, or the file answers
            with NaN or infinity.
    """
    from paredown.algorithms.outputs import concatenated, fault, shapes

    session = runtime.load(path, threads=1)
    rows = [session.run(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    outputs = concatenated(rows)
    counts = [shape[0] for shape in shapes(outputs)]
    if counts != [len(images)] * len(counts):
        wrong = next(count for count in counts if count != len(images))
        raise DeployError("the file loses images", where=path.name, value=wrong, expected=f"{len(images)} rows")
    if (found := fault(outputs)) is not None:
        raise DeployError(
            "the file answers with numbers that are none",
            where=path.name,
            value=found,
            expected="finite outputs",
            remedy="train with a lower learning rate, or quantize to a wider type: float16 ends at 65504",
        )
    return outputs


def require_equal_outputs(deployed: Outputs, framework: Outputs, path: Path, *, tolerance: float = TOLERANCE) -> float:
    """Compares a float file's outputs with the network's.

    Args:
        deployed: The file's outputs.
        framework: The network's outputs for the same images.
        path: The file, for errors.
        tolerance: The greatest difference allowed, relative to the greatest absolute value of that output.

    Returns:
        The greatest difference over all outputs, each relative to its greatest absolute value.

    Raises:
        DeployError: Shapes differ, an output is not finite, or the difference is beyond the tolerance.
    """
    import numpy as np

    from paredown.algorithms.outputs import as_tuple, relative_differences, shapes

    given, expected = shapes(deployed), shapes(framework)
    if given != expected:
        raise DeployError(
            "the exported file gives outputs of another shape",
            where=path.name,
            value=", ".join(map(str, given)),
            expected=", ".join(map(str, expected)),
        )
    relative = relative_differences(deployed, framework)
    # Written so that NaN counts as wrong.
    wrong = [index for index, one in enumerate(relative) if not one <= tolerance]
    if wrong:
        index = wrong[0]
        which = f"output {index} differs" if len(relative) > 1 else "outputs differ"
        scale = float(np.max(np.abs(as_tuple(framework)[index])))
        difference = relative[index] * (scale or 1.0)
        raise DeployError(
            "the exported file is not the network that was compressed",
            where=path.name,
            value=f"{which} by {difference:.3g}, {relative[index]:.3g} of the greatest value {scale:.3g}",
            expected=f"at most {tolerance:g} of the greatest output",
            remedy="look for layers that behave differently in evaluation mode, or that the exporter rewrites",
        )
    return max(relative)
