"""Features imitated where the teacher detects objects, through the loop of the backend."""

from __future__ import annotations

import pytest
import torch
from guided_training import TAPS, first_loss

from paredown_torch.taps import captured


def test_the_loop_gives_the_loss_what_the_teacher_detects(tmp_path):
    def watched(model, images, training):
        with captured(model.train(training), TAPS) as found, torch.no_grad():
            outputs = model(torch.from_numpy(images))
        return tuple(one.numpy() for one in outputs), [found[name].numpy() for name in TAPS]

    pytest.importorskip("pycocotools")
    found, expected = first_loss("torch", watched, tmp_path)
    assert found == pytest.approx(expected, rel=1e-5)
