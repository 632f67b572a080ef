"""The Paddle backend, through the public door."""

from __future__ import annotations

from paredown.testing import BackendConformance


class TestPaddle(BackendConformance):
    backend = "paddle"
