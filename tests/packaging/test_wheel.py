"""The wheel: what is in it, what is not, and that it works alone, without any framework."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from helpers import QUICKSTART, ROOT

BIN = Path(sys.executable).parent
UV = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
PLUGINS = ("torch", "paddle", "vision", "onnxruntime", "openvino", "paddle_inference")
FRAMEWORKS = (
    *("torch", "torchvision", "torch_pruning", "onnxscript"),
    *("paddlepaddle", "paddleslim", "paddle2onnx"),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built with the hatchling that is installed: nothing is downloaded."""
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(contents):
    return message_from_bytes(next(data for name, data in contents.items() if name.endswith(".dist-info/METADATA")))


def test_it_holds_every_file_of_the_packages_and_no_other(contents):
    tops = {name.partition("/")[0] for name in contents if ".dist-info/" not in name}
    assert tops == {"paredown", *(f"paredown_{name}" for name in PLUGINS)}
    homes = [ROOT / "core", ROOT / "backends", ROOT / "plugins"]
    sources = {
        str(path.relative_to(home))
        for home in homes
        for path in home.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources == {name for name in contents if ".dist-info/" not in name}


def test_it_holds_what_is_no_python(contents):
    assert "paredown/py.typed" in contents
    assert "paredown/report/templates/report.html.j2" in contents
    assert "paredown_paddle/layer_names.json" in contents
    assert any(name.endswith("licenses/LICENSE") for name in contents)


def test_its_plugins_are_entry_points_as_a_strangers_would_be(contents):
    points = configparser.ConfigParser()
    points.read_string(next(data.decode() for name, data in contents.items() if name.endswith("entry_points.txt")))
    assert dict(points["paredown"]) == {name: f"paredown_{name}.plugin" for name in PLUGINS}
    assert dict(points["console_scripts"]) == {"paredown": "paredown.cli:main"}


def test_no_file_knows_the_machine_that_built_it(contents):
    places = [str(ROOT).encode(), str(Path.home()).encode(), os.uname().nodename.encode()]
    found = [name for name, data in contents.items() if any(len(place) > 5 and place in data for place in places)]
    assert found == []


def test_its_extras_are_those_that_are_documented(metadata):
    assert set(metadata.get_all("Provides-Extra")) == {
        "torch",
        "paddle",
        "openvino",
        "timm",
        "vision",
        "all",
        "testing",
    }
    needed = metadata.get_all("Requires-Dist")
    assert [
        line for line in needed if "extra ==" not in line and line.startswith(("torch", "paddle", "openvino"))
    ] == []
    assert metadata["Requires-Python"] == "<3.13,>=3.11"


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory) -> dict[str, str]:
    """The environment of a process that has the wheel and what core needs, and no framework.

    Core's dependencies are taken from this environment by links, so that nothing is downloaded; its checkout of
    paredown and every framework stay behind.
    """
    site = tmp_path_factory.mktemp("site")
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(site), str(wheel)],
        check=True,
        env=UV,
    )
    links = tmp_path_factory.mktemp("dependencies")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        name = path.name.partition("-")[0].partition(".")[0].lower()
        if name in ("pip", "setuptools", "_paredown", "paredown", "paddle", "torchgen", "functorch", *FRAMEWORKS):
            continue
        if path.suffix != ".pth" and not name.startswith(("__editable__", "nvidia", "__pycache__")):
            (links / path.name).symlink_to(path)
    return {"PYTHONPATH": os.pathsep.join((str(site), str(links)))}


def bare(alone: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command from the wheel; `-S` keeps this environment's own packages out."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "paredown", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=alone["PYTHONPATH"].partition(os.pathsep)[0],
        env={**os.environ, **alone},
    )


def test_without_a_framework_doctor_says_the_exact_commands(alone):
    done = bare(alone, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["missing"] == []
    assert found["backends"]["torch"]["missing"] == ["torch", "torchvision", "torch-pruning", "onnxscript"]
    assert found["backends"]["torch"]["install"] == 'pip install "paredown[torch]"'
    assert found["backends"]["paddle"]["install"] == 'pip install "paredown[paddle]"'


def test_without_a_framework_specs_are_checked_all_the_same(alone):
    done = bare(alone, "validate", QUICKSTART)
    assert done.returncode == 0, done.stderr
    listed = json.loads(bare(alone, "plugins", "--json").stdout)
    assert listed["failed"] == {}
    assert set(listed["plugins"]) == {"core", *PLUGINS}


def test_without_a_framework_a_run_exits_with_3_and_says_the_command(alone, tmp_path):
    done = bare(alone, "run", QUICKSTART, "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: the backend `torch` is not installed")
    assert 'remedy: pip install "paredown[torch]"' in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_extras_resolve_together(wheel, tmp_path):
    requirements = tmp_path / "requirements.in"
    requirements.write_text(f"paredown[all,openvino,timm,testing] @ {wheel.as_uri()}\n")
    done = subprocess.run(
        ["uv", "pip", "compile", "--quiet", "--no-header", "--python", sys.executable, str(requirements)],
        capture_output=True,
        text=True,
        env=UV,
        timeout=120,
    )
    if done.returncode and any(
        text in done.stderr for text in ("Failed to fetch", "error sending", "Connection", "dns")
    ):
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    pinned = {line.partition("==")[0] for line in done.stdout.splitlines() if "==" in line}
    assert pinned >= {"torch", "torchvision", "torch-pruning", "paddlepaddle", "paddleslim", "paddle2onnx", "onnx"}
