"""`paredown zoo`: every network with what it costs and who builds it, without a framework."""

from __future__ import annotations

import json

from paredown.manager import Manager


def test_every_network_is_listed_with_its_costs_and_its_backends(command):
    done = command("zoo", "--json")
    assert done.returncode == 0, done.stderr
    found = {network["name"]: network for network in json.loads(done.stdout)["networks"]}
    models = Manager.discover().registry.backend_models()
    assert set(found) >= {*models["torch"], *models["paddle"]}
    for name in {*models["torch"], *models["paddle"]}:
        assert set(found[name]["backends"]) >= {backend for backend in ("torch", "paddle") if name in models[backend]}
        assert found[name]["params"] > 0
        assert found[name]["macs"] > 0
        assert found[name]["tasks"]
    assert (found["resnet18"]["twin"], found["vit_b_16"]["twin"]) == (True, False)
    assert (found["resnet18"]["params"], found["resnet18"]["macs"]) == (11689512, 1814073344)  # as torchvision has it
    assert found["mobilenet_v1"]["widths"] == {"least": 0.03125, "most": None, "parts": 0}
    assert found["resnet18"]["widths"] == {"least": 0.0, "most": None, "parts": 8}


def test_the_table_says_the_same_to_people(command):
    done = command("zoo")
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("resnet18 "))
    assert row.split()[:6] == ["resnet18", "11.69", "M", "1.81", "G", "3x224x224"]
    assert "paddle, torch" in row
    assert "in steps of 1/8" in row
