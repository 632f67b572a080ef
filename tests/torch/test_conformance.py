"""The PyTorch backend, through the public door."""

from __future__ import annotations

from paredown.testing import BackendConformance


class TestTorch(BackendConformance):
    backend = "torch"
