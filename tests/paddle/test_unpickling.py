"""A `.pdparams` file gives arrays, and runs nothing."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict

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


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("modules", [b"numpy.core", b"numpy._core"])
def test_what_paddle_saved_is_read_whatever_its_types(protocol, modules, tmp_path):
    from paredown_paddle.framework import paddle

    names = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "bfloat16")
    state = {name: paddle.to_tensor(np.arange(6).reshape(2, 3)).astype(name) for name in names}
    state |= {"scalar": paddle.ones([]), "empty": paddle.zeros([0, 3])}
    path = tmp_path / "a.pdparams"
    paddle.save(state, str(path), protocol=protocol)
    written = path.read_bytes()
    if protocol == 2:
        # As the other NumPy writes it; protocol 4 counts bytes.
        path.write_bytes(written.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", modules))
    found = read_pdparams(path)
    assert found.keys() == state.keys()
    for name, values in found.items():
        expected = state[name].astype("float32").numpy() if name == "bfloat16" else state[name].numpy()
        np.testing.assert_array_equal(values, expected)
        assert values.dtype == expected.dtype


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_of_any_order_and_scalars_are_read(protocol, tmp_path):
    path = tmp_path / "a.pdparams"
    state = {"f": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.arange(3, dtype=">f4"), "s": np.float32(0.5)}
    path.write_bytes(pickle.dumps(OrderedDict(state), protocol=protocol))
    found = read_content(path)
    np.testing.assert_array_equal(found["f"], state["f"])
    np.testing.assert_array_equal(found["b"], state["b"])
    assert found["s"] == 0.5


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


def named(module, name):
    return b"c" + module + b"\n" + name + b"\n"


def dtype(code, state):
    flags = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    return (
        named(b"numpy", b"dtype")
        + b"(X\x01\x00\x00\x00"
        + code
        + b"\x89\x88tR(K\x03X\x01\x00\x00\x00|"
        + flags
        + state
        + b"tb"
    )


def scalar(kind):
    return named(b"numpy.core.multiarray", b"scalar") + kind + b"C\x08" + b"AAAAAAAA" + b"\x86R"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(scalar(dtype(b"O", b"K\x00")), id="an address as an object"),
        pytest.param(scalar(dtype(b"O", b"K?")), id="an object with its flags"),
        pytest.param(
            scalar(
                named(b"numpy", b"dtype") + b"X\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00<NN"
                b"NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
            ),
            id="numbers with the flags of objects",
        ),
        pytest.param(
            named(b"numpy.core.multiarray", b"scalar") + b"}X\x05\x00\x00\x00dtypeNsb", id="attributes of a function"
        ),
        pytest.param(b"N" + b"q\x00r\xff\xff\xff\x7f", id="a memo of 2 billion places"),
        pytest.param(b"}K\x01\x85Ns", id="a tuple as key"),
        pytest.param(b"}" + b")" + b"\x85" * 300_000 + b"Ns", id="300 thousand tuples within each other as key"),
    ],
)
def test_a_file_that_would_crash_the_process_is_refused_by_name(value, tmp_path):
    path = tmp_path / "crash.pdparams"
    path.write_bytes(b"\x80\x03}X\x01\x00\x00\x00w" + value + b"s.")
    with pytest.raises(WeightsError, match=r"crash\.pdparams"):
        read_content(path)


def test_arrays_of_objects_are_refused(tmp_path):
    (tmp_path / "objects.pdparams").write_bytes(pickle.dumps({"w": np.ones(2), "o": np.array([{}, []], object)}))
    with pytest.raises(WeightsError, match="an array of type 'O8'"):
        read_pdparams(tmp_path / "objects.pdparams")


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
