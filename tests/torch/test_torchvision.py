"""torchvision's networks for pixels leave torch as files that answer like them, whole and cut, and its refused ones."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import CARRIED_OUT, PRUNINGS, workbench
from torchvision.models import list_models

from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.engine import coupling, exporting, pruning
from paredown.manager import Manager
from paredown.twins import TORCH_DETECTORS, TORCH_PIXELS
from paredown_torch.zoo import NAMES
from paredown_torch.zoo.refused import REFUSED

LIGHT = "lraspp_mobilenet_v3_large"
"""The one that every run of the tests exports: the others, on resnet50, take as long again each."""

# torch.export marks its own use of pytree and of the exporter's registries as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == LIGHT else [pytest.mark.matrix]) for name in TORCH_PIXELS]
)
def test_the_exported_file_answers_as_the_network_and_its_channels_are_cut(name, tmp_path):
    bench = workbench(Manager.discover(), "torch", name, (3, 32, 48))
    model = bench.build_lively()
    outputs, state = bench.outputs(model, "test"), bench.state(model)
    assert outputs.shape == (16, 10, 32, 48)
    found = coupling.find(bench, tmp_path, state)
    file = tmp_path / exporting.BASELINE
    require_equal_outputs(run_file(bench.runtime, file, bench.split("test")[0]), outputs, file)
    assert set(found.left_whole.values()) == {"its outputs are the network's"}
    step = bench.spec.steps[list(PRUNINGS).index(CARRIED_OUT)]
    cut = bench.cut(model, pruning.decide(bench, step, model, state, found).plan).model
    assert sum(map(np.size, bench.state(cut).values())) < 0.3 * sum(map(np.size, state.values()))


def test_every_detector_of_torchvision_is_refused_and_none_that_is_built():
    from torchvision.models import detection

    assert {*REFUSED, *TORCH_DETECTORS} == set(list_models(module=detection))
    assert not set(REFUSED) & set(NAMES)
