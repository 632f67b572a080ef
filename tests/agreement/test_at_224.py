"""At the size that networks are deployed at, equal weights give equal int8 files too (`make agreement`)."""

from __future__ import annotations

import pytest
from agreement.networks import AT_224, FRAMEWORKS
from agreement.test_files import require_equal_files
from backend_processes import ask_all

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module")
def deployed(tmp_path_factory, processes):
    """By backend, the directory that `at_224.py` filled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in FRAMEWORKS}
    ask_all(processes, "agreement.at_224", directories)
    return directories


@pytest.mark.parametrize("network", AT_224)
@pytest.mark.parametrize("file", ["fp32.onnx", "int8.onnx"])
def test_deployed_files_are_equal_and_answer_bit_for_bit(deployed, network, file):
    require_equal_files([deployed[backend] / network / file for backend in FRAMEWORKS])


@pytest.mark.parametrize("network", AT_224)
def test_the_plans_are_equal(deployed, network):
    torch, paddle = (deployed[backend] / network / "plan-quantize.json" for backend in FRAMEWORKS)
    assert torch.read_bytes() == paddle.read_bytes()
