"""`run.amp`: who can and who cannot is said before anything is trained."""

from __future__ import annotations

import dataclasses

import pytest
from helpers import small_spec

from paredown.contracts import TrainingRun
from paredown.engine import preflight
from paredown.errors import UnsupportedError
from paredown.manager import Manager
from paredown.spec.loader import load_spec


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


def problems(manager, backend, **run):
    return preflight.problems(manager, load_spec(small_spec(run=run), manager.registry), backend)


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu"])
def test_torch_takes_it_on_every_device(manager, device):
    assert problems(manager, "torch", device=device, amp=True) == ()


def test_paddle_takes_it_where_there_may_be_a_gpu(manager):
    assert problems(manager, "paddle", device="gpu", amp=True) == ()
    assert problems(manager, "paddle", device="auto", amp=True) == ()
    assert problems(manager, "paddle", device="cpu", amp=True) == (
        "it trains in mixed precision on gpu alone, and `run.amp` asks for it",
    )


def test_a_backend_that_does_not_announce_it_is_refused(manager, monkeypatch):
    plain = dataclasses.replace(manager.backend("torch"), amp=())
    monkeypatch.setattr(Manager, "backend", lambda self, name: plain)
    assert problems(manager, "torch", amp=True) == ("it trains in mixed precision nowhere, and `run.amp` asks for it",)


def test_it_excludes_float64():
    with pytest.raises(UnsupportedError, match="exclude each other"):
        TrainingRun(lambda epoch: iter(()), 1, lambda step: 0.1, (), dtype="float64", amp=True)
