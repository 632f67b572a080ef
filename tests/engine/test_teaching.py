"""Teachers, soft labels and taps, decided in core: no framework is needed to find out that something does not fit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from helpers import PRUNE, small_spec
from onnx import TensorProto, helper

from paredown.algorithms import initialization
from paredown.algorithms.batches import epoch_order
from paredown.contracts import BackendInfo, Measurements, RunContext
from paredown.engine.given import GivenWorkbench
from paredown.engine.networks import cache_directory
from paredown.engine.stepping import StepInput
from paredown.engine.teaching.onnx_file import OnnxFile
from paredown.engine.teaching.preparing import prepare_lessons, require_lessons
from paredown.engine.teaching.soft_labels import soft_labels
from paredown.engine.teaching.taps import Networks, planned_taps, require_comparable, require_layers
from paredown.engine.teaching.teachers import _title, make_teacher, require_outputs
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, BackendFailed, ModelError, UnsupportedError
from paredown.files import write_state
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.plan import PlannedLoss, PlannedTap
from paredown.spec.loader import load_spec
from paredown.spec.teachers import ArtifactTeacher, BaselineTeacher, EnsembleTeacher, OnnxTeacher, ZooTeacher

TRAIN = {"epochs": 2, "batch_size": 32, "optimizer": {"kind": "sgd", "lr": 0.1}}
TAPS = {
    "cnn": {"layer1": (8, 4, 4), "layer1.conv": (8, 4, 4), "layer2": (16, 2, 2), "pool": (16, 1, 1), "fc": (10,)},
    "resnet20": {"layer1": (12, 4, 4), "layer2": (16, 2, 2), "tokens": (7, 16), "fc": (10,)},
}


class Toy:
    """Networks of one Linear layer, as dictionaries of arrays; `asked` counts the images that they saw."""

    asked = 0

    @hookimpl
    def register_backend(self):
        return BackendInfo("toy", "Toy", (), "nothing", tuple(TAPS), ("toy", "Toy"))

    @hookimpl
    def load_model(self, backend, source, run):
        return {"name": source.name, "w": np.ones((source.num_classes, 64), np.float32)}

    @hookimpl
    def save(self, backend, model):
        return {"w": model["w"].copy()}

    @hookimpl
    def restore(self, backend, model, state):
        return {**model, "w": np.array(state["w"])}

    @hookimpl
    def evaluate(self, backend, model, images):
        type(self).asked += len(images)
        return images.reshape(len(images), -1) @ model["w"].T

    @hookimpl
    def measure(self, backend, model, request):
        return Measurements(taps=TAPS[model["name"]])


@pytest.fixture
def manager():
    manager = Manager.discover()
    manager.register(Toy(), "toy")
    return manager


@pytest.fixture
def bench(manager, tmp_path, monkeypatch):
    """A run of one distillation on the toy, its cache and its files of its own."""
    monkeypatch.setenv("PAREDOWN_CACHE", str(tmp_path / "cache"))

    def bench(**step):
        losses = step.pop("losses", [{"kind": "kl"}, {"kind": "hard_label"}])
        spec = small_spec(steps=[{"kind": "distill", "losses": losses, "train": TRAIN, **step}], backends=["toy"])
        return Workbench(manager, "toy", load_spec(spec, manager.registry), RunContext(base_dir=tmp_path))

    return bench


def lessons_of(bench):
    model = bench.build()
    given = StepInput(model, bench.state(model), 0, bench.context.base_dir)
    return prepare_lessons(bench, bench.spec.steps[0], given)


def write_network(path, shape=("n", 1, 8, 8), classes=10, inputs=1):
    """An ONNX file that multiplies the flattened image by a matrix."""
    weight = np.random.default_rng(0).standard_normal((int(np.prod(shape[1:])), classes)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits"]),
    ]
    given = [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(shape))]
    given += [helper.make_tensor_value_info(f"more{index}", TensorProto.FLOAT, [1]) for index in range(inputs - 1)]
    out = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "net", given, out, [onnx.numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return weight


@pytest.mark.parametrize("batch", ["n", 1])
def test_an_onnx_file_teaches_by_its_first_output(bench, tmp_path, batch):
    weight = write_network(tmp_path / "teacher.onnx", (batch, 1, 8, 8))
    lessons = lessons_of(bench(teacher={"kind": "onnx", "path": "teacher.onnx"}))
    images = np.random.default_rng(1).standard_normal((5, 1, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(lessons.answers(images), images.reshape(5, 64) @ weight, rtol=1e-4, atol=1e-5)
    assert (lessons.title, lessons.teacher, lessons.labels) == ("onnx teacher.onnx", None, None)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        (None, "is missing"),
        ({}, "cannot be read as ONNX"),
        ({"inputs": 2}, "does not take one input"),
        ({"shape": ("n", 3, 8, 8)}, "does not take the images"),
        ({"shape": (4, 1, 8, 8)}, "does not take the images"),
        ({"classes": 7}, "outputs are not the student's"),
    ],
    ids=["missing", "broken", "two inputs", "other channels", "fixed batch", "other classes"],
)
def test_a_file_that_cannot_teach_is_refused_before_any_training(bench, tmp_path, written, what):
    if written == {}:
        (tmp_path / "teacher.onnx").write_bytes(b"no network")
    elif written is not None:
        write_network(tmp_path / "teacher.onnx", **written)
    with pytest.raises(ModelError, match=what) as caught:
        require_lessons(bench(teacher={"kind": "onnx", "path": "teacher.onnx"}))
    (problem,) = caught.value.problems
    assert problem.where.startswith("steps[0].teacher")
    assert problem.expected
    assert problem.remedy


def test_an_artifact_that_is_none_is_refused_before_any_training(bench):
    with pytest.raises(ArtifactError, match="the teacher cannot be loaded") as caught:
        require_lessons(bench(teacher={"kind": "artifact", "path": "nowhere"}))
    assert caught.value.problems[0].where == "steps[0].teacher.path"


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 5)], ids=["maps", "positions"])
def test_an_onnx_file_teaches_what_the_students_first_output_is(tmp_path, shape):
    path = tmp_path / "maps.onnx"
    weight = onnx.numpy_helper.from_array(np.ones((64, int(np.prod(shape))), np.float32), "w")
    sizes = onnx.numpy_helper.from_array(np.array([-1, *shape]), "sizes")
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["rows"]),
        helper.make_node("Reshape", ["rows", "sizes"], ["y"]),
    ]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1, 8, 8))]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", *shape))]
    graph = helper.make_graph(nodes, "net", given, out, [weight, sizes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    assert OnnxFile(path, "here", (1, 8, 8)).run(np.ones((2, 1, 8, 8), np.float32)).shape == (2, *shape)


def test_a_teacher_of_other_classes_is_refused_unless_only_features_are_compared(bench):
    teacher = {"kind": "zoo", "name": "resnet20", "num_classes": 7, "train": {"epochs": 1}}
    with pytest.raises(ModelError, match="outputs are not the student's"):
        require_lessons(bench(teacher=teacher))
    require_lessons(bench(teacher=teacher, losses=[{"kind": "similarity", "taps": [{"student": "layer1"}]}]))


def test_members_of_an_ensemble_may_be_of_any_kind_and_their_mean_teaches(bench, tmp_path):
    weight = write_network(tmp_path / "one.onnx")
    chosen = bench()
    config = EnsembleTeacher(members=(OnnxTeacher(path="one.onnx"), BaselineTeacher()))
    state = {"w": np.full((10, 64), 0.5, np.float32)}
    teacher = make_teacher(chosen, config, state, "here")
    images = np.random.default_rng(1).standard_normal((5, 1, 8, 8)).astype(np.float32)
    flat = images.reshape(5, 64)
    expected = (flat @ weight + flat @ state["w"].T) / 2
    np.testing.assert_allclose(teacher.outputs(images), expected, rtol=1e-4, atol=1e-4)
    assert teacher.outputs(images).dtype == np.float32
    assert teacher.title == "mean of onnx one.onnx, baseline"


def test_an_ensemble_tells_which_member_does_not_fit(bench, tmp_path):
    members = [{"kind": "baseline"}, {"kind": "onnx", "path": "nowhere.onnx"}]
    with pytest.raises(ModelError) as caught:
        require_lessons(bench(teacher={"kind": "ensemble", "members": members}))
    assert caught.value.problems[0].where == "steps[0].teacher.members[1].path"


def test_soft_labels_are_computed_once_and_come_with_the_batches_by_index(bench):
    chosen = bench(soft_labels="cache")
    count = len(chosen.split("train")[1])
    Toy.asked = 0
    lessons = lessons_of(chosen)
    assert Toy.asked == count + 2 + 2  # the images, and twice two black ones to learn the classes
    assert isinstance(lessons.labels, np.memmap)
    assert (lessons.labels.dtype, lessons.labels.shape) == (np.float16, (count, 10))
    Toy.asked = 0
    again = lessons_of(bench(soft_labels="cache"))
    assert Toy.asked == 4
    np.testing.assert_array_equal(again.labels, lessons.labels)
    _, epoch = chosen.epochs(32, 3, lessons.labels)
    for index, (images, _, taught) in enumerate(epoch(1)):
        chosen_now = epoch_order(count, 3, 1)[32 * index : 32 * index + 32]
        np.testing.assert_array_equal(taught, lessons.labels[chosen_now].astype(np.float32))
        np.testing.assert_allclose(taught, images.reshape(32, 64).sum(axis=1)[:, None] @ np.ones((1, 10)), rtol=2e-3)


def test_soft_labels_of_another_teacher_are_others(bench, tmp_path):
    write_network(tmp_path / "one.onnx")
    lessons_of(bench(soft_labels="cache"))
    lessons_of(bench(soft_labels="cache", teacher={"kind": "onnx", "path": "one.onnx"}))
    assert len(list((cache_directory() / "soft-labels").glob("*.npy"))) == 2


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), lambda path: np.save(path, np.zeros(3))])
def test_damaged_soft_labels_are_computed_again(bench, damage):
    expected = np.array(lessons_of(bench(soft_labels="cache")).labels)
    (path,) = (cache_directory() / "soft-labels").glob("*.npy")
    damage(path)
    np.testing.assert_array_equal(lessons_of(bench(soft_labels="cache")).labels, expected)


def test_soft_labels_that_cannot_be_kept_are_held_in_memory(bench, tmp_path):
    chosen = bench(soft_labels="cache")
    notes = []
    chosen.report = lambda event, **fields: notes.append(fields["text"])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "soft-labels").write_text("a file")
    labels = lessons_of(chosen).labels
    assert not isinstance(labels, np.memmap)
    assert labels.shape == (len(chosen.split("train")[1]), 10)
    assert "not kept" in notes[-1]


def test_outputs_beyond_half_precision_are_cut_and_those_that_are_no_numbers_refused(bench):
    chosen = bench(soft_labels="cache")
    teacher = make_teacher(chosen, BaselineTeacher(), {"w": np.full((10, 64), 1e6, np.float32)}, "here")
    assert np.isfinite(soft_labels(chosen, teacher, (10,), "here")).all()
    broken = make_teacher(chosen, BaselineTeacher(), {"w": np.full((10, 64), np.nan, np.float32)}, "here")
    with pytest.raises(BackendFailed, match="not finite"):
        soft_labels(chosen, broken, (10,), "here")


def test_soft_labels_of_a_callers_loader_are_refused(manager):
    spec = load_spec(small_spec(backends=["toy"]), manager.registry)
    chosen = GivenWorkbench(manager, "toy", spec, RunContext())
    with pytest.raises(UnsupportedError, match="known order"):
        soft_labels(chosen, None, (10,), "steps[0]")


def test_an_unknown_tap_is_told_with_the_nearest_and_the_shapes(bench):
    losses = [{"kind": "attention", "taps": [{"student": "leyer1"}, {"student": "layer1", "teacher": "layr2"}]}]
    with pytest.raises(ModelError) as caught:
        require_lessons(bench(losses=losses, teacher={"kind": "zoo", "name": "resnet20", "train": {"epochs": 1}}))
    first, second, third = caught.value.problems
    assert first.where == "steps[0].losses[0].taps[0].student"
    assert first.remedy == "did you mean `layer1`?"
    assert "`layer1` 8x4x4" in first.expected
    assert second.where == "steps[0].losses[0].taps[0].teacher"
    assert third.where == "steps[0].losses[0].taps[1].teacher"
    assert third.remedy == "did you mean `layer2`?"


@pytest.mark.parametrize(
    ("pair", "what"),
    [({"student": "fc", "teacher": "layer1"}, "different ranks"), ({"student": "layer1", "teacher": "tokens"}, "rank")],
)
def test_taps_of_different_ranks_are_refused(bench, pair, what):
    losses = [{"kind": "similarity", "taps": [pair]}]
    with pytest.raises(ModelError, match=what):
        require_lessons(bench(losses=losses, teacher={"kind": "zoo", "name": "resnet20", "train": {"epochs": 1}}))


TWICE = {"head": (8, 4, 4), "head:1": (8, 2, 2)}


def test_every_call_of_a_shared_layer_is_a_tap():
    networks = Networks(TWICE, {"head": (12, 4, 4), "head:1": (12, 2, 2)})
    (loss,) = load_losses({"kind": "feature_l2", "taps": [{"student": "head"}]})
    require_layers([loss], networks, "steps[0]")
    first, second = planned_taps(loss, networks)
    assert (first.student, first.teacher, second.student, second.teacher) == ("head", "head", "head:1", "head:1")
    assert first.projection == second.projection == (12, 8, 1, 1)
    with pytest.raises(ModelError, match="different numbers of times"):
        require_layers([loss], Networks(TWICE, {"head": (8, 4, 4)}), "steps[0]")


def test_flows_do_not_go_across_the_calls_of_a_shared_layer():
    (loss,) = load_losses({"kind": "fsp", "taps": [{"student": "stem"}, {"student": "head"}]})
    networks = Networks({"stem": (8, 8, 8), **TWICE}, {"stem": (8, 8, 8), **TWICE})
    with pytest.raises(ModelError, match="called 2 times") as caught:
        require_layers([loss], networks, "steps[0]")
    assert caught.value.problems[0].where == "steps[0].losses[0].taps[1]"


def test_a_call_is_no_layer_of_its_own():
    (loss,) = load_losses({"kind": "feature_l2", "taps": [{"student": "head:1"}]})
    with pytest.raises(ModelError, match="no layer or block of this name"):
        require_layers([loss], Networks(TWICE, TWICE), "steps[0]")


def load_losses(*losses):
    """The losses of a distillation, as the spec's models."""
    step = small_spec()["steps"][1] | {"losses": list(losses)}
    return load_spec(small_spec(steps=[PRUNE, step]), Manager.discover().registry).steps[1].losses


def zoo(tmp_path):
    """A teacher of another width whose weights are given, so that nobody trains it."""
    from paredown import files

    files.write_state(tmp_path / "given.safetensors", {"w": np.ones((10, 64), np.float32)})
    return {"kind": "zoo", "name": "resnet20", "weights": "given.safetensors"}


def test_channels_that_differ_are_projected_and_start_the_same_everywhere(bench, tmp_path):
    losses = [
        {"kind": "feature_l2", "taps": [{"student": "layer1"}, {"student": "layer2"}]},
        {"kind": "cwd", "taps": [{"student": "layer1"}]},
    ]
    lessons = lessons_of(bench(losses=losses, teacher=zoo(tmp_path)))
    assert [tap.projection for tap in lessons.losses[0].taps] == [(12, 8, 1, 1), None]
    assert {place: array.shape for place, array in lessons.projections.items()} == {
        (0, 0): (12, 8, 1, 1),
        (1, 0): (12, 8, 1, 1),
    }
    again = lessons_of(bench(losses=losses, teacher=zoo(tmp_path)))
    assert all(np.array_equal(array, again.projections[place]) for place, array in lessons.projections.items())
    assert not np.array_equal(lessons.projections[0, 0], lessons.projections[1, 0])


@pytest.mark.parametrize(
    "loss",
    [
        {"kind": "feature_l2", "projection": False, "taps": [{"student": "layer1"}]},
        {"kind": "fsp", "taps": [{"student": "layer1"}, {"student": "layer2"}]},
        {"kind": "attention", "taps": [{"student": "pool", "teacher": "layer2"}]},
    ],
    ids=["no projection", "flows", "one position"],
)
def test_what_a_loss_cannot_compare_is_refused_before_training(bench, tmp_path, loss):
    distillation = bench(losses=[loss], teacher=zoo(tmp_path))
    for check in (lessons_of, require_lessons):
        with pytest.raises(ModelError) as caught:
            check(distillation)
        (problem,) = caught.value.problems
        assert problem.where == "steps[0].losses[0]"
        assert problem.remedy


def test_a_teacher_is_named_with_its_width(manager):
    teacher = ZooTeacher(name="resnet20", width=0.5)
    assert _title(teacher) == "zoo resnet20 at width 0.5"
    assert _title(teacher.model_copy(update={"width": 1.0})) == "zoo resnet20"


def test_weight_schedule_and_taps_are_no_options_of_a_planned_loss(bench, tmp_path):
    schedule = {"kind": "linear", "start": 0.0, "end": 1.0}
    losses = [{"kind": "cwd", "temperature": 2.0, "weight": 0.5, "schedule": schedule, "taps": [{"student": "layer1"}]}]
    (loss,) = lessons_of(bench(losses=losses, teacher=zoo(tmp_path))).losses
    assert (loss.options, loss.weight, loss.schedule.end) == ({"temperature": 2.0}, 0.5, 1.0)


def test_a_peer_has_the_students_shapes_and_other_weights(bench):
    chosen = bench(way="online")
    lessons = lessons_of(chosen)
    assert lessons.peer["w"].shape == (10, 64)
    assert not np.array_equal(lessons.peer["w"], chosen.build()["w"])
    assert (lessons.title, lessons.teacher, lessons.way) == (None, None, "online")


def test_a_network_that_answers_with_no_numbers_has_no_metrics(bench):
    chosen = bench()
    with pytest.raises(ModelError, match="numbers that are none"):
        chosen.metrics({"w": np.full((10, 64), np.nan, np.float32)}, "validation")


def test_a_peer_starts_as_the_network_does(bench, monkeypatch):
    monkeypatch.setattr(initialization, "INITIAL_BIASES", {"cnn": {"w": 0.5}})
    assert (lessons_of(bench(way="online")).peer["w"] == 0.5).all()


def test_a_teacher_that_does_not_take_the_images_is_refused(bench, manager, monkeypatch):
    chosen = bench()
    teacher = make_teacher(chosen, BaselineTeacher(), {"w": np.ones((10, 9), np.float32)}, "here")
    with pytest.raises(ModelError, match="does not take the images"):
        require_outputs(chosen, teacher, (10,), "here")


def test_a_relative_path_starts_from_the_specs_directory(bench, tmp_path):
    (tmp_path / "below").mkdir()
    write_network(tmp_path / "below" / "teacher.onnx")
    teacher = make_teacher(bench(), OnnxTeacher(path="below/teacher.onnx"), {}, "here")
    assert teacher.title == "onnx teacher.onnx"
    with pytest.raises(ArtifactError):
        make_teacher(bench(), ArtifactTeacher(path="below"), {}, "here")


def test_another_file_of_the_same_name_makes_another_run(bench, tmp_path):
    from paredown.engine.given_files import given_files

    spec = bench(teacher={"kind": "onnx", "path": "teacher.onnx"}).spec
    assert given_files(spec, tmp_path) is None
    write_network(tmp_path / "teacher.onnx")
    first = given_files(spec, tmp_path)
    write_network(tmp_path / "teacher.onnx", classes=7)
    assert first != given_files(spec, tmp_path)


@pytest.mark.parametrize("loss", ["kl", "mse"])
def test_a_teacher_with_all_of_its_weights_from_a_file_teaches_by_its_outputs(bench, tmp_path, loss):
    weight = np.random.default_rng(0).standard_normal((10, 64)).astype(np.float32)
    write_state(tmp_path / "t.safetensors", {"w": weight})
    teacher = {"kind": "zoo", "name": "resnet20", "weights": "t.safetensors"}
    chosen = bench(teacher=teacher, losses=[{"kind": loss}])
    require_lessons(chosen)
    np.testing.assert_array_equal(lessons_of(chosen).teacher["w"], weight)


def test_a_teacher_that_detects_nothing_cannot_guide(bench):
    tap = PlannedTap(student="a", teacher="a")
    options = {"least_score": 0.3, "background": 0.1, "image_size": [8, 8]}
    planned = PlannedLoss(kind="box_imitation", options=options, weight=1.0, taps=(tap,), guided=True)
    networks = Networks({"a": (8, 4, 4)}, {"a": (8, 4, 4)}, np.zeros((2, 10), np.float32))
    with pytest.raises(ModelError, match="not those of a detector") as caught:
        require_comparable(bench(), (planned,), networks, "steps[0]")
    (problem,) = caught.value.problems
    assert (problem.where, problem.value) == ("steps[0].teacher", "(2, 10)")
    assert "[batch, 4, 5]" in problem.expected


def test_a_teacher_whose_head_nobody_trained_teaches_by_its_features_alone(bench):
    teacher = {"kind": "zoo", "name": "resnet20", "weights": "pretrained"}
    with pytest.raises(ModelError, match=r"outputs would be random: .*initialised anew"):
        require_lessons(bench(teacher=teacher))
    require_lessons(bench(teacher=teacher | {"train": {"epochs": 1}}))
    require_lessons(bench(teacher=teacher, losses=[{"kind": "similarity", "taps": [{"student": "layer1"}]}]))
