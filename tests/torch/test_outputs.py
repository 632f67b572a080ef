"""Networks that return several tensors, or what is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from paredown.contracts import MeasureRequest
from paredown.errors import ModelError
from paredown_torch import plugin
from paredown_torch.outputs import targets


class Returns(nn.Module):
    """A layer whose output is returned in the given form."""

    def __init__(self, form) -> None:
        super().__init__()
        self.layer, self.form = nn.Conv2d(1, 2, 1), form

    def forward(self, x):
        return self.form(self.layer(x))


IMAGES = np.ones((3, 1, 2, 2), np.float32)
NONE_OF_OURS = [lambda y: {"out": y}, lambda y: (y, None), lambda y: ()]


def test_several_outputs_are_a_tuple_in_the_networks_order():
    model = Returns(lambda y: [y, y.sum(1)])
    found = plugin.evaluate("torch", model, IMAGES)
    assert isinstance(found, tuple)
    assert [one.shape for one in found] == [(3, 2, 2, 2), (3, 2, 2)]
    np.testing.assert_allclose(found[0].sum(1), found[1], rtol=1e-6)
    assert plugin.measure("torch", model, MeasureRequest("layers", (1, 2, 2))).layers[0].is_output


def test_a_tuple_of_one_is_one_output():
    assert isinstance(plugin.evaluate("torch", Returns(lambda y: (y,)), IMAGES), np.ndarray)


@pytest.mark.parametrize("form", NONE_OF_OURS, ids=["dict", "none", "empty"])
def test_what_is_no_tuple_of_tensors_is_refused(form):
    with pytest.raises(ModelError, match="neither a tensor nor a tuple"):
        plugin.evaluate("torch", Returns(form), IMAGES)


def test_structured_labels_stay_in_numpy_and_numbers_follow_the_loop():
    labels, like = np.zeros(2, [("classes", np.int64, (3,))]), torch.zeros(1, dtype=torch.float64)
    assert targets(labels, like) is labels
    assert targets(np.arange(2, dtype=np.int32), like).dtype == torch.int64
    assert targets(np.zeros(2, np.float32), like).dtype == torch.float64
