"""Replays on one backend what a cell of the other pruned: base network, plan and weights.

    PYTHONPATH=tests python -m matrix.replay BACKEND NETWORK DIRECTORY

DIRECTORY is the other backend's; `replay.json` is put there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matrix.bench import workbench
from matrix.cell import OUTPUTS, PLAN, WEIGHTS
from matrix.cells import Cell
from matrix.checks import Recorder, require

from paredown import files
from paredown.algorithms.outputs import relative_difference
from paredown.engine.journal import read_plan
from paredown.manager import Manager

REPLAY = "replay.json"
TOLERANCE = 1e-4


def main(backend: str, name: str, place: str) -> None:
    """Replays, compares the outputs, and writes the result."""
    recorder, facts, directory = Recorder(), dict[str, Any](), Path(place)
    with recorder.check("replay"):
        bench = workbench(Manager.discover(), Cell(name, backend))
        plan = read_plan(directory / PLAN)
        model = bench.build((plan,), files.read_state(directory / WEIGHTS))
        difference = relative_difference(bench.outputs(model, "test"), np.load(directory / OUTPUTS))
        facts["difference"] = difference
        require(difference <= TOLERANCE, f"outputs differ by {difference:.1e} of the greatest")
    result = {"replay": recorder.outcomes["replay"], **facts, "seconds": recorder.seconds["replay"]}
    files.write_json(directory / REPLAY, result)


if __name__ == "__main__":
    main(*sys.argv[1:])
