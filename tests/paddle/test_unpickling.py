"""A `.pdparams` file gives arrays, and runs nothing."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from paredown.algorithms.checkpoints import unwrapped
from paredown.errors import WeightsError
from paredown_paddle.unpickling import read_content, read_pdparams


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_what_paddle_saved_is_read(tmp_path):
    from paredown_paddle.framework import paddle

    state = {"w": paddle.to_tensor(np.arange(6, dtype=np.float32).reshape(2, 3))}
    paddle.save(state, str(tmp_path / "a.pdparams"))
    np.testing.assert_array_equal(read_pdparams(tmp_path / "a.pdparams")["w"], state["w"].numpy())


def test_a_file_that_would_run_something_is_refused_and_nothing_runs(tmp_path):
    path = tmp_path / "bad.pdparams"
    path.write_bytes(pickle.dumps({"w": Malicious(tmp_path / "proof")}))
    with pytest.raises(WeightsError, match=r"bad\.pdparams"):
        read_pdparams(path)
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"w": np.ones(9)})[:-20]])
def test_a_damaged_file_is_an_error_of_ours(tmp_path, content):
    (tmp_path / "cut.pdparams").write_bytes(content)
    with pytest.raises(WeightsError, match=r"cut\.pdparams"):
        read_pdparams(tmp_path / "cut.pdparams")


def test_what_calls_a_permitted_class_in_a_wrong_way_is_an_error_of_ours(tmp_path):
    class Huge:
        def __reduce__(self):
            return np.ndarray, ((2**62, 2**62),)

    (tmp_path / "huge.pdparams").write_bytes(pickle.dumps({"w": Huge()}))
    with pytest.raises(WeightsError, match=r"huge\.pdparams"):
        read_pdparams(tmp_path / "huge.pdparams")


def test_arrays_of_objects_are_left_out(tmp_path):
    (tmp_path / "objects.pdparams").write_bytes(pickle.dumps({"w": np.ones(2), "o": np.array([{}, []], object)}))
    assert list(read_pdparams(tmp_path / "objects.pdparams")) == ["w"]


def test_a_file_that_holds_itself_or_nests_without_end_is_refused_without_a_traceback(tmp_path):
    itself = {"epoch": 1}
    itself["state_dict"] = itself
    deep = b"}" + b"(\x8c\x05model}" * 5000 + b"u" * 5000 + b"."
    (tmp_path / "itself.pdparams").write_bytes(pickle.dumps(itself))
    (tmp_path / "deep.pdparams").write_bytes(deep)
    for name in ("itself", "deep"):
        content = read_content(tmp_path / f"{name}.pdparams")
        with pytest.raises(WeightsError, match="no arrays under names"):
            unwrapped(content, lambda value: isinstance(value, np.ndarray))
