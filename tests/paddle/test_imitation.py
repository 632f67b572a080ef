"""Features imitated where the teacher detects objects, through the loop of the backend."""

from __future__ import annotations

import pytest
from guided_training import TAPS, first_loss

from paredown_paddle.framework import paddle
from paredown_paddle.taps import captured


# What Paddle says of each BatchNorm that trains.
@pytest.mark.filterwarnings("ignore:When training, we now always track global mean:UserWarning")
def test_the_loop_gives_the_loss_what_the_teacher_detects(tmp_path):
    def watched(model, images, training):
        (model.train if training else model.eval)()
        with captured(model, TAPS) as found, paddle.no_grad():
            outputs = model(paddle.to_tensor(images))
        return tuple(one.numpy() for one in outputs), [found[name].numpy() for name in TAPS]

    pytest.importorskip("pycocotools")
    found, expected = first_loss("paddle", watched, tmp_path)
    assert found == pytest.approx(expected, rel=1e-5)
