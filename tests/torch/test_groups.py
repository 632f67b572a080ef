"""The groups that core finds on the exported graph are those that torch-pruning finds in the network."""

from __future__ import annotations

import pytest

from paredown.errors import UnsupportedError


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet20", 12), ("mobilenet_v2_small", 19), ("mobilenet_v3_small", 27), ("concatenation", 2)],
)
def test_core_and_torch_pruning_couple_the_same_channels(name, count, build, groups_of, core_groups):
    # mobilenet_v3_small: 26 of convolutions, as in the facts, and one between its two Linear layers.
    model = build(name)
    found, reference = core_groups(model, size=64).groups, groups_of(model, size=64)

    assert len(reference) == count
    assert [group.name for group in found] == [group.name for group in reference]
    for one, other in zip(found, reference, strict=True):
        assert one == other


def test_a_network_that_torch_pruning_cannot_trace_says_so(build, groups_of):
    with pytest.raises(UnsupportedError, match="torch-pruning cannot trace"):
        groups_of(build("shufflenet_v2_x1_0"))


def test_layers_that_are_frozen_are_found_and_stay_frozen(build, groups_of):
    model = build("cnn").requires_grad_(False)

    assert len(groups_of(model)) == 3
    assert not any(parameter.requires_grad for parameter in model.parameters())
