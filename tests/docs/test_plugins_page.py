"""docs/plugins.md holds every hook, slot and suite, and every hook is used."""

from __future__ import annotations

import inspect
import re

import pytest
from docs_pages import rows, sections
from helpers import ROOT

from paredown import hookspecs, testing
from paredown.manager import Manager
from paredown.registry import STEP
from paredown.spec.models import Spec
from paredown.spec.rebuild import find_slots

PAGE = ROOT / "docs" / "plugins.md"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "paredown_spec")}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name):
    section = sections(PAGE)[f"`{name}`"]
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
    assert section.strip().startswith(f"`({arguments}) -> ")
    assert ("First result." in section) == bool(HOOKS[name].paredown_spec["firstresult"])


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_implemented_or_called_in_a_test(name):
    used = re.compile(rf"\.{name}\(|def {name}\(")
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "docs"]
    tests += [*(ROOT / "core" / "paredown" / "testing").glob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert any(used.search(path.read_text(encoding="utf-8")) for path in tests)


def test_every_slot_of_the_spec_is_explained():
    assert set(rows(sections(PAGE)["Components"])) == find_slots(Spec) - {STEP} | step_slots()


def step_slots():
    from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep

    return set().union(*map(find_slots, (PruneStep, FinetuneStep, DistillStep, QuantizeStep)))


def test_every_conformance_suite_is_listed():
    assert set(rows(sections(PAGE)["Testing a plugin"])) == set(testing.__all__)


def test_our_backends_answer_every_hook_but_apply_step():
    announcing = {name for name, hook in HOOKS.items() if not hook.paredown_spec["firstresult"]}
    manager = Manager.discover()
    for backend in ("torch", "paddle"):
        assert set(manager.capabilities(backend)) == set(HOOKS) - announcing - {"apply_step"}
