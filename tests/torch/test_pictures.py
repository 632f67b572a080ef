"""A run on picture files: one that cannot be read is left out and named in the result; training augments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import small_spec
from PIL import Image

from paredown.contracts import RunContext
from paredown.engine.baseline import prepare_baseline
from paredown.engine.networks import digest
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown_vision.digits import digit_parts


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three hundred digits as PNG files, and one file that is none."""
    monkeypatch.setenv("PAREDOWN_CACHE", str(tmp_path / "cache"))
    images, labels = digit_parts()[0]
    for index, (image, label) in enumerate(zip(images[:300, 0], labels[:300], strict=True)):
        folder = tmp_path / "digits" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "digits" / "3" / "broken.png").write_bytes(b"broken")
    return tmp_path


def bench(folder: Path) -> Workbench:
    data = {"kind": "image_folder", "directory": "digits", "size": [8, 8], "channels": 1, "on_error": "skip"}
    augment = {"crop": {"padding": 1}}
    manager = Manager.discover()
    baseline = {"epochs": 6, "batch_size": 16, "augment": augment}
    spec = load_spec(small_spec(data=data, baseline=baseline, steps=[]), manager.registry)
    return Workbench(manager, "torch", spec, RunContext(base_dir=folder))


def test_a_baseline_learns_from_picture_files(pictures: Path) -> None:
    run = bench(pictures)
    assert "3/broken.png is no picture that can be read" in run.data.notes[0]
    model, _ = prepare_baseline(run)
    assert run.metrics(model, "validation")["top1"] > 0.5


def test_the_content_of_files_decides_what_the_cache_knows(pictures: Path) -> None:
    def known() -> str:
        images, labels = bench(pictures).split("train")
        return digest({"images": images, "labels": labels})

    before = known()
    assert known() == before
    Image.new("L", (8, 8), 77).save(next((pictures / "digits" / "1").glob("*.png")))
    assert known() != before
