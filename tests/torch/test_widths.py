"""Networks that torch alone builds at other widths, and what published networks say of the rules of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement.networks import CARRIED_OUT, PRUNINGS, workbench
from torchvision import models

from paredown.contracts import ModelSource, RunContext
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.engine import coupling, exporting, pruning
from paredown.manager import Manager
from paredown.twins import TORCH_ONLY, TORCH_PIXELS, WIDTHS
from paredown_torch import plugin
from paredown_torch.model import _build
from paredown_torch.zoo.widths import BUILDERS

PUBLISHED = {
    ("vit_b_16", 0.25): 5_717_416,  # DeiT-Ti
    ("vit_b_16", 0.5): 22_050_664,  # DeiT-S
    ("mnasnet1_0", 0.5): 2_218_512,
    ("mnasnet1_0", 1.3): 6_282_256,
    ("shufflenet_v2_x1_0", 0.5): 1_366_792,
    ("shufflenet_v2_x1_0", 1.5): 3_503_624,
}
"""The parameters of networks that have been published under names of their own."""


def shapes(network: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: values.shape for name, values in network.state_dict().items()}


@pytest.mark.parametrize(("name", "width"), PUBLISHED)
def test_at_some_widths_they_are_networks_that_have_been_published(name, width):
    with torch.device("meta"):
        model = _build(ModelSource(name, 1000, 3, (224, 224), width=width))
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[name, width]


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "regnet_y_400mf"])
def test_what_builds_other_widths_builds_torchvisions_network_at_width_1(name):
    size = {"image_size": 224} if name == "vit_b_16" else {}
    with torch.device("meta"):
        built, known = BUILDERS[name](1.0, num_classes=1000, **size), models.get_model(name, weights=None)
    assert repr(built) == repr(known)
    assert shapes(built) == shapes(known)


def test_so_it_is_of_regnet_whose_widths_torchvision_computes_with_tensors():
    built, known = BUILDERS["regnet_y_400mf"](1.0, num_classes=10), models.regnet_y_400mf(weights=None, num_classes=10)
    assert repr(built) == repr(known)


def test_a_uniform_width_of_concatenations_is_a_smaller_growth_rate():
    with torch.device("meta"):
        built = _build(ModelSource("densenet121", 1000, 3, (224, 224), width=0.5))
        known = models.DenseNet(growth_rate=16, block_config=(6, 12, 24, 16), num_init_features=32)
    assert shapes(built) == shapes(known)


def test_a_uniform_width_above_1_widens():
    with torch.device("meta"):
        whole, wide = (_build(ModelSource("resnet18", 10, 1, (64, 64), width=width)) for width in (1, 1.5))
    changed = {name: (shape, shapes(whole)[name]) for name, shape in shapes(wide).items() if len(shape) == 4}
    assert changed.pop("conv1.weight") == ((96, 1, 7, 7), (64, 1, 7, 7))
    assert all(wider[:2] == (1.5 * plain[0], 1.5 * plain[1]) for wider, plain in changed.values())


@pytest.mark.parametrize("name", [*TORCH_ONLY, *TORCH_PIXELS])
def test_networks_of_torch_alone_answer_at_small_widths(name):
    widths = WIDTHS[name]
    width = 1 / widths.parts if widths.parts else widths.least or 0.01
    source = ModelSource(name, 7, 1, (32, 32), width=width)
    model = plugin.load_model("torch", source, RunContext(device="cpu"))
    answers = plugin.evaluate("torch", model, np.zeros((2, 1, 32, 32), np.float32))
    assert answers.shape == ((2, 7, 32, 32) if name in TORCH_PIXELS else (2, 7))


# torch.export marks its own use of pytree and of the exporter's registries as deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_exported_file_of_another_width_answers_as_the_network_and_its_channels_are_cut(tmp_path):
    bench = workbench(Manager.discover(), "torch", "squeezenet1_1", (3, 32, 48), width=0.5)
    model = bench.build_lively()
    outputs, state = bench.outputs(model, "test"), bench.state(model)
    found = coupling.find(bench, tmp_path, state)
    file = tmp_path / exporting.BASELINE
    require_equal_outputs(run_file(bench.runtime, file, bench.split("test")[0]), outputs, file)
    assert set(found.left_whole.values()) == {"its outputs are the network's"}
    step = bench.spec.steps[list(PRUNINGS).index(CARRIED_OUT)]
    cut = bench.cut(model, pruning.decide(bench, step, model, state, found).plan).model
    assert sum(map(np.size, bench.state(cut).values())) < 0.5 * sum(map(np.size, state.values()))
