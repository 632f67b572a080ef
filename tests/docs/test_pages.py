"""What all pages hold: specs that validate, Python that compiles, links that lead somewhere, commands that exist."""

from __future__ import annotations

import functools
import inspect
import json
import re
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest
import yaml
from docs_pages import PAGES, anchors, blocks, links, prose, rows, sections
from helpers import QUICKSTART, ROOT

import paredown
from paredown import twins
from paredown.cli.arguments import build_parser
from paredown.contracts import ChannelSlices
from paredown.manager import Manager
from paredown.spec.loader import load_text

ROOT_PARSER, COMMANDS = build_parser()


@functools.cache
def installed():
    """What is installed here."""
    return Manager.discover().registry


def name_of(block):
    return f"{block.page.name}:{block.text.splitlines()[0][:40]}"


def test_the_spec_of_the_readme_is_the_quickstart():
    first = next(block for block in blocks("yaml") if block.page.name == "README.md")
    assert first.text == QUICKSTART.read_text(encoding="utf-8")


@pytest.mark.parametrize("block", blocks("yaml", "json"), ids=name_of)
def test_every_spec_validates_alone_or_in_the_quickstart(block):
    data = yaml.safe_load(block.text)
    if "version" not in data:
        data = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8")) | data
        load_text(json.dumps(data), installed(), is_json=True)
    else:
        load_text(block.text, installed(), is_json=block.language == "json")


@pytest.mark.parametrize("block", blocks("python"), ids=name_of)
def test_python_compiles_and_names_what_exists(block):
    compile(block.text, str(block.page), "exec")
    imported = re.findall(r"^from (paredown[\w.]*) import (.+)$", block.text, re.MULTILINE)
    for module, names in imported:
        for name in names.split(","):
            assert hasattr(__import__(module, fromlist=["_"]), name.strip())
    assert set(re.findall(r"\bparedown\.(\w+)", re.sub(r'"[^"]*"|^from .*$', "", block.text, flags=re.M))) <= set(
        paredown.__all__
    )


def test_the_plugin_of_the_readme_works(monkeypatch):
    text = next(b.text for b in blocks("python") if b.page.name == "README.md" and "hookimpl" in b.text)
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 20
    module = types.ModuleType("my_package.plugin")
    monkeypatch.setitem(sys.modules, "my_package", types.ModuleType("my_package"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, "README.md", "exec"), vars(module))
    manager = Manager.discover()
    manager.register(module, "mine")
    spec = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))
    spec["steps"][0]["criterion"] = {"kind": "lp", "p": 3.0}
    options = load_text(json.dumps(spec), manager.registry, is_json=True).steps[0].criterion
    weights = (np.array([[1.0, -2.0], [3.0, 0.0]]),)
    slices = ChannelSlices(group="conv.weight", parameters=("conv.weight",), roles=("output",), weights=weights)
    scores = manager.registry.implementation("criterion", "lp")(slices, options)
    np.testing.assert_array_equal(scores, [9, 27])


@pytest.mark.parametrize("block", blocks("toml"), ids=name_of)
def test_toml_is_toml(block):
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_that_are_named_exist(page):
    named = re.findall(r"`((?:core|backends|plugins|tests|examples|docs|changes)/[\w/.-]+)`", prose(page))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)paredown ([a-z]+)\b", text, re.MULTILINE))
    assert named <= set(COMMANDS)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def options_of(parser):
    return {option for option in parser._option_string_actions if option.startswith("--")}


def test_every_command_is_documented():
    documented = rows(sections(ROOT / "docs" / "command.md")["The command"])
    assert {name.split()[1] for name in documented if name.startswith("paredown ")} == set(COMMANDS)


def test_every_option_is_documented_with_the_commands_that_have_it():
    documented = rows(sections(ROOT / "docs" / "command.md")["The command"])
    options = set().union(*map(options_of, COMMANDS.values())) - {"--help"}
    assert {name for name in documented if name.startswith("--")} == options | options_of(ROOT_PARSER)
    for option in options:
        having = {name for name, parser in COMMANDS.items() if option in options_of(parser)}
        assert set(documented[option][0].split(", ")) == having, option


def test_every_public_name_is_documented_with_its_arguments():
    documented = set(rows(sections(ROOT / "docs" / "python.md")["Python"]))
    assert documented == {f"paredown.{name}{arguments_of(getattr(paredown, name))}" for name in paredown.__all__}


def arguments_of(value):
    """The arguments of a function as the page writes them; nothing for a class or a decorator's object."""
    if not inspect.isfunction(value):
        return ""
    parameters = inspect.signature(value).parameters.values()
    keywords = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    names = [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
    return f"({', '.join([*names, *(['*'] if keywords else []), *keywords])})"


def test_every_environment_variable_is_documented():
    text = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    sources = [path for part in ("core", "backends", "plugins") for path in (ROOT / part).rglob("*.py")]
    used = {name for path in sources for name in re.findall(r'"(PAREDOWN_\w+)"', path.read_text(encoding="utf-8"))}
    assert {name for name in used if f"`{name}`" not in text} == set()


def test_the_zoo_is_documented():
    documented = {*rows(sections(ROOT / "docs" / "frameworks.md")["The zoo"])}
    registry = installed()
    assert documented == set(registry.backend_models()["torch"])
    torch_alone = {*twins.TORCH_ONLY, *twins.TORCH_PIXELS, *twins.TORCH_DETECTORS}
    assert documented - torch_alone == set(registry.backend_models()["paddle"])


def test_the_picture_of_the_report_is_small():
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 200_000


def test_no_page_names_a_place_of_one_machine():
    for page in (*PAGES, ROOT / "CHANGELOG.md", *(ROOT / "changes").glob("*.md")):
        assert not re.search(r"/(?:home|root|work|tmp)/", page.read_text(encoding="utf-8")), page.name


def test_a_change_has_a_fragment_of_a_known_kind():
    kinds = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]["fragment"]
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != "README.md"]
    assert all(Path(path.stem).suffix.lstrip(".") in kinds and path.suffix == ".md" for path in fragments)
