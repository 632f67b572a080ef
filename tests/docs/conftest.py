"""Lets the tests of this directory import their helper: pytest's importlib mode adds no directory by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
