"""Files appear whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from paredown import files
from paredown.errors import ArtifactError, WeightsError


def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError):
        files.write_atomically(path, fail)
    assert files.read_json(path) == {"a": 1}
    assert [child.name for child in tmp_path.iterdir()] == ["a.json"]


def test_equal_arrays_give_equal_bytes_whatever_their_order(tmp_path):
    one, two = np.arange(3, dtype=np.float32), np.ones((2, 2), dtype=np.float32)
    files.write_state(tmp_path / "a", {"x": one, "y": two})
    files.write_state(tmp_path / "b", {"y": two, "x": one})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    np.testing.assert_array_equal(files.read_state(tmp_path / "a")["y"], two)


def test_missing_and_damaged_weights_name_the_file(tmp_path):
    with pytest.raises(WeightsError, match=r"gone\.safetensors"):
        files.read_state(tmp_path / "gone.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        files.read_state(tmp_path / "bad.safetensors")


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        files.write_text(tmp_path / "file" / "below", "x")
