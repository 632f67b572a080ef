"""Whether a deployed file computes what the network computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paredown.contracts import Runtime
from paredown.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paredown.contracts import Images, Outputs

TOLERANCE = 1e-4
"""The greatest difference between a float file and its network, relative to the greatest output."""


def run_file(runtime: Runtime, path: Path, images: Images, *, batch_size: int = 64) -> Outputs:
    """The outputs of a deployed file for all images, on one thread: those of `run_batches`, joined.

    Returns:
        float32, one row an image, in the images' order; of a network with several outputs a tuple.

    Raises:
        DeployError: As `run_batches`.
    """
    from paredown.algorithms.outputs import concatenated

    return concatenated(list(run_batches(runtime, path, images, batch_size=batch_size)))


def run_batches(runtime: Runtime, path: Path, images: Images, *, batch_size: int = 64) -> Iterator[Outputs]:
    """The outputs of a deployed file for all images, batch by batch in their order, on one thread.

    Args:
        runtime: The runtime that the file is for.
        path: The file.
        images: float32, NCHW.
        batch_size: How many images run at once.

    Raises:
        DeployError: The runtime refuses the file, gives another number of rows than it got images, or the file answers
            with NaN or infinity.
    """
    from paredown.algorithms.batches import in_order
    from paredown.algorithms.outputs import fault, shapes

    session = runtime.load(path, threads=1)
    for batch in in_order(images, batch_size):
        outputs = session.run(batch)
        wrong = next((shape[0] for shape in shapes(outputs) if shape[0] != len(batch)), None)
        if wrong is not None:
            raise DeployError("the file loses images", where=path.name, value=wrong, expected=f"{len(batch)} rows")
        if (found := fault(outputs)) is not None:
            raise DeployError(
                "the file answers with numbers that are none",
                where=path.name,
                value=found,
                expected="finite outputs",
                remedy="train with a lower learning rate, or quantize to a wider type: float16 ends at 65504",
            )
        yield outputs


def require_equal_outputs(deployed: Outputs, framework: Outputs, path: Path, *, tolerance: float = TOLERANCE) -> float:
    """Compares a float file's outputs with the network's; see `OutputDifference`.

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
    difference = OutputDifference(path)
    difference.update(deployed, framework)
    return difference.require(tolerance)


class OutputDifference:
    """How far a float file's outputs are from the network's, batch by batch."""

    def __init__(self, path: Path) -> None:
        """Begins with nothing seen; `path` is the file, for errors."""
        from paredown.algorithms.outputs import Differences

        self._path = path
        self._seen = Differences()

    def update(self, deployed: Outputs, framework: Outputs) -> None:
        """Takes in the outputs of both for a batch.

        Raises:
            DeployError: Their shapes differ.
        """
        from paredown.algorithms.outputs import shapes

        given, expected = shapes(deployed), shapes(framework)
        if given != expected:
            raise DeployError(
                "the exported file gives outputs of another shape",
                where=self._path.name,
                value=", ".join(map(str, given)),
                expected=", ".join(map(str, expected)),
            )
        self._seen.update(deployed, framework)

    def require(self, tolerance: float = TOLERANCE) -> float:
        """The greatest difference over all outputs, each relative to its greatest absolute value over all batches.

        Raises:
            DeployError: An output is not finite, or the difference is beyond the tolerance.
        """
        relative = self._seen.relative().tolist()
        # Written so that NaN counts as wrong.
        wrong = [index for index, one in enumerate(relative) if not one <= tolerance]
        if wrong:
            index = wrong[0]
            which = f"output {index} differs" if len(relative) > 1 else "outputs differ"
            raise DeployError(
                "the exported file is not the network that was compressed",
                where=self._path.name,
                value=f"{which} by {self._seen.greatest[index]:.3g}, {relative[index]:.3g} of the greatest value"
                f" {self._seen.scales[index]:.3g}",
                expected=f"at most {tolerance:g} of the greatest output",
                remedy="look for layers that behave differently in evaluation mode, or that the exporter rewrites",
            )
        return max(relative, default=0.0)
