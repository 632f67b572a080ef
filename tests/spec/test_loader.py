from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paredown.errors import SpecError
from paredown.registry import Registry
from paredown.spec.components import HardLabelLoss, KlLoss, L2Criterion
from paredown.spec.loader import load_spec, load_text, require_complete
from paredown.spec.models import DistillStep, PruneStep, QuantizeStep, Spec


def test_the_quickstart_loads_and_its_kinds_are_the_ones_installed(registry: Registry, quickstart_file: Path) -> None:
    spec = load_spec(quickstart_file, registry)
    prune, distill, quantize = spec.steps
    assert isinstance(spec, Spec)
    assert isinstance(prune, PruneStep)
    assert isinstance(prune.criterion, L2Criterion)
    assert isinstance(distill, DistillStep)
    assert distill.losses == (KlLoss(weight=0.7), HardLabelLoss(weight=0.3))
    assert isinstance(quantize, QuantizeStep)
    assert quantize.calibration.batch_size == 64
    assert spec.deploy.prefer == "size"


def test_a_mapping_json_and_a_spec_mean_the_same_as_the_file(
    registry: Registry, quickstart_file: Path, quickstart: dict[str, Any], tmp_path: Path
) -> None:
    spec = load_spec(quickstart_file, registry)
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(quickstart, indent="\t"), "utf-8")
    assert load_spec(str(file), registry) == load_spec(quickstart, registry) == load_spec(spec, registry) == spec


def test_a_spec_written_with_the_static_models_loads(registry: Registry, quickstart: dict[str, Any]) -> None:
    written = Spec(
        version=1,
        name="python",
        task={"kind": "classification"},
        steps=(PruneStep(criterion=L2Criterion(), ratio=0.25),),
        deploy={"runtime": {"kind": "onnxruntime"}},
    )
    loaded = load_spec(written, registry)
    assert isinstance(loaded.steps[0], PruneStep)
    assert isinstance(loaded.steps[0].criterion, L2Criterion)
    mixed = load_spec({**quickstart, "steps": written.steps}, registry)
    assert mixed.steps == loaded.steps


def test_yaml_is_read_by_the_core_schema_of_1_2(registry: Registry, quickstart_file: Path) -> None:
    text = quickstart_file.read_text("utf-8").replace("lr: 0.05", "lr: 5e-2").replace("samples: 256", "samples: 0x100")
    text = text.replace("name: quickstart", "name: &name yes").replace(
        "\n  - {kind: prune", "\n  - &prune {kind: prune"
    )
    spec = load_text(text, registry)
    assert spec.name == "yes"
    assert spec.steps[1].train.optimizer.lr == 0.05
    assert spec.steps[2].calibration.samples == 256


def test_an_alias_stands_for_its_anchor(registry: Registry, quickstart_file: Path) -> None:
    text = quickstart_file.read_text("utf-8")
    text = text.replace("  - {kind: prune", "  - &cut {kind: prune").replace(
        "  - {kind: distill", "  - *cut\n  - {kind: distill"
    )
    spec = load_text(text, registry)
    assert spec.steps[0] == spec.steps[1]


def test_several_mistakes_are_told_at_once_in_the_order_of_the_fields(
    registry: Registry, quickstart: dict[str, Any]
) -> None:
    quickstart["deploy"]["prefer"] = "siez"
    quickstart["steps"][0]["ratio"] = 2
    with pytest.raises(SpecError) as caught:
        load_spec(quickstart, registry)
    assert [problem.where for problem in caught.value.problems] == ["steps[0].ratio", "deploy.prefer"]


def test_a_network_of_another_framework_does_not_hide_the_other_mistakes(
    registry: Registry, quickstart: dict[str, Any]
) -> None:
    quickstart["model"] = {"kind": "timm", "name": "resnet18"}
    quickstart["steps"][1]["techer"] = {"kind": "baseline"}
    with pytest.raises(SpecError) as caught:
        load_spec(quickstart, registry)
    assert [problem.where for problem in caught.value.problems] == ["steps[1].techer"]
    del quickstart["steps"][1]["techer"]
    quickstart["deploy"]["runtime"] = {"kind": "onnxruntime"}
    with pytest.raises(SpecError) as caught:
        load_spec(quickstart, registry)
    assert [problem.where for problem in caught.value.problems] == ["model.kind"]


def test_a_network_without_a_kind_is_one_of_the_zoo(registry: Registry, quickstart: dict[str, Any]) -> None:
    del quickstart["model"]["kind"]
    assert load_spec(quickstart, registry).model.kind == "zoo"


@pytest.mark.parametrize("missing", ["model", "data", "baseline"])
def test_compress_can_do_without_what_run_needs(registry: Registry, quickstart: dict[str, Any], missing: str) -> None:
    del quickstart[missing]
    spec = load_spec(quickstart, registry)
    with pytest.raises(SpecError, match=f"`{missing}` is missing") as caught:
        require_complete(spec)
    assert f"add `{missing}: " in (caught.value.problems[0].remedy or "")


def test_a_complete_spec_is_complete(registry: Registry, quickstart: dict[str, Any]) -> None:
    require_complete(load_spec(quickstart, registry))


def test_python_values_that_are_no_plain_data_are_named(registry: Registry, quickstart: dict[str, Any]) -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value, what in (
        (object(), "no plain data"),
        ({1: 2}, "a key that is not text"),
        (endless, "levels of nesting"),
    ):
        with pytest.raises(SpecError, match=what) as caught:
            load_spec({**quickstart, "seeds": value}, registry)
        assert (caught.value.problems[0].where or "").startswith("seeds")


def test_reading_and_validating_imports_no_framework_no_numpy_and_no_rich() -> None:
    code = (
        "import sys\n"
        "from paredown.manager import Manager\n"
        "from paredown.spec.loader import load_text\n"
        "from paredown.spec.template import TEMPLATE\n"
        "from paredown.errors import SpecError\n"
        "try: load_text(TEMPLATE, Manager.discover().registry)\n"
        "except SpecError: pass\n"
        "heavy = {'torch', 'paddle', 'numpy', 'rich', 'onnx', 'onnxruntime', 'sklearn'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
