"""Whose code a spec may name, and what is wrong with a function that is no builder of networks."""

from __future__ import annotations

import re
import sys
from importlib.util import spec_from_file_location
from types import SimpleNamespace

import numpy as np
import pytest

from paredown.contracts import BackendInfo
from paredown.engine.code import builder_source, require_code
from paredown.engine.code_digests import code_of_others, package_digest
from paredown.engine.trust import Trust, trusting
from paredown.errors import ModelError, TrustError
from paredown.spec.models import BuilderModel

NETWORKS = """
import pathlib
from os import mkdir
import numpy as np

pathlib.Path(__file__).with_name("imported").touch()
NUMBER = 5
STORE = np.zeros(3)

def array(size=2):
    return np.zeros(size)

def same():
    return STORE

def text():
    return "no network"

def failing():
    raise ValueError("no such width")
"""

INFO = BackendInfo("toy", "Toy", (), "pip install toy", (), ("numpy", "ndarray"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A spec's directory with a module of a name that no other test imports."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(NETWORKS)
    (tmp_path / f"{name}x.py").write_text(NETWORKS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield SimpleNamespace(directory=tmp_path, name=name, marker=tmp_path / "imported")
    for module in [one for one in sys.modules if one.startswith(name)]:
        del sys.modules[module]


def spec_of(**builders):
    return SimpleNamespace(model=BuilderModel(builders=builders), baseline=None, steps=())


def source(place, function, *trusted, **options):
    model = BuilderModel(builders={"toy": f"{place.name}:{function}"}, options=options)
    return builder_source(model, INFO, trusting(trusted or (place.name,), place.directory))


@pytest.mark.parametrize(
    ("module", "is_covered"), [("a.b", True), ("a.b.c", True), ("a.bc", False), ("a", False), ("b", False)]
)
def test_trust_covers_a_module_and_what_lies_within_it(module, is_covered):
    assert Trust(("a.b",)).covers(module) is is_covered


def test_trust_in_a_function_lets_a_spec_name_that_one_alone(place):
    trusted = f"{place.name}:array"
    assert source(place, "array", trusted).build().shape == (2,)
    with pytest.raises(TrustError, match=r"any function of `own_\w+` with any arguments") as caught:
        source(place, "text", trusted)
    assert f"--trust {place.name}:text" in caught.value.problems[0].remedy
    with pytest.raises(TrustError):
        require_code(spec_of(toy=f"{place.name}:text"), ["toy"], trusting([trusted], place.directory))


@pytest.mark.parametrize(
    "name", ["networks.py:build", "networks.py", "a:", "a:b.c", "a/b:c", "own networks", "", "a..b", "./networks"]
)
def test_what_is_no_name_of_a_module_cannot_be_trusted(name, tmp_path):
    with pytest.raises(TrustError, match="is no name of a module"):
        trusting([name], tmp_path)


def test_untrusted_code_is_refused_by_name_and_not_even_imported(place):
    with pytest.raises(TrustError, match=f"not trusted: `{place.name}:array`") as caught:
        require_code(spec_of(toy=f"{place.name}:array"), ["toy"], trusting([f"{place.name}x"], place.directory))
    assert f"--trust {place.name}" in caught.value.problems[0].remedy
    with pytest.raises(TrustError):
        source(place, "array", f"{place.name}x")
    assert not place.marker.exists()


def test_only_the_code_of_the_backends_that_run_needs_trust(place):
    require_code(
        spec_of(toy=f"{place.name}:array", other="elsewhere:f"), ["toy"], trusting([place.name], place.directory)
    )


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("no_such_module_here:f", "there is no module"),
        ("NAME:arrray", "has no function `arrray`"),
        ("NAME.x:f", "no module"),
    ],
)
def test_what_is_nowhere_is_told_before_anything_is_imported(place, reference, what):
    reference = reference.replace("NAME", place.name)
    trust = trusting([reference.partition(":")[0].partition(".")[0]], place.directory)
    with pytest.raises(ModelError, match=what) as caught:
        require_code(spec_of(toy=reference), ["toy"], trust)
    assert not place.marker.exists()
    if "arrray" in reference:
        assert f"did you mean `{place.name}:array`?" in caught.value.problems[0].remedy


def test_a_function_builds_with_its_options_from_the_directory_of_the_spec(place):
    found = source(place, "array", size=7)
    assert (found.name, found.kind) == (f"{place.name}:array", "builder")
    assert found.build().shape == (7,)
    assert str(place.directory) not in sys.path
    assert not (place.directory / "__pycache__").exists()


def test_every_call_gives_a_network_of_its_own(place):
    build = source(place, "same").build
    build()[0] = 5.0
    np.testing.assert_array_equal(build(), np.zeros(3))


@pytest.mark.parametrize(
    ("function", "error", "what"),
    [
        ("mkdir", TrustError, "module `posix`"),
        ("NUMBER", ModelError, "is no function"),
        ("text", ModelError, "returns no network of Toy"),
        ("failing", ModelError, "no such width"),
    ],
)
def test_what_is_no_builder_is_one_clear_error(place, function, error, what):
    with pytest.raises(error) as caught:
        source(place, function).build()
    assert re.search(what, str(caught.value))
    assert caught.value.problems[0].where == "model.toy"


def test_options_that_the_function_does_not_take_are_one_clear_error(place):
    with pytest.raises(ModelError, match="unexpected keyword argument 'colour'"):
        source(place, "array", colour=1).build()


def test_a_module_that_does_not_import_is_one_clear_error(place):
    (place.directory / f"{place.name}_broken.py").write_text(
        "def f():\n    pass\nraise RuntimeError('broken on purpose')\n"
    )
    model = BuilderModel(builders={"toy": f"{place.name}_broken:f"})
    with pytest.raises(ModelError, match="cannot be imported: broken on purpose"):
        builder_source(model, INFO, trusting([f"{place.name}_broken"], place.directory))


def test_changed_code_and_other_options_are_other_content(place):
    first, wider = source(place, "array"), source(place, "array", size=3)
    path = place.directory / f"{place.name}.py"
    path.write_text(NETWORKS.replace("size=2", "size=4"))
    changed = source(place, "array")
    assert len({first.content, wider.content, changed.content}) == 3
    assert source(place, "array").content == changed.content


def test_a_file_beside_the_spec_never_stands_in_for_an_installed_module(place):
    (place.directory / "colorsys.py").write_text("raise RuntimeError\n")
    model = BuilderModel(builders={"toy": "colorsys:rgb_to_hsv"})
    found = builder_source(model, INFO, trusting(["colorsys"], place.directory))
    assert found.name == "colorsys:rgb_to_hsv"


def test_what_an_installed_module_lacks_is_not_taken_from_beside_the_spec(place, tmp_path_factory):
    installed = tmp_path_factory.mktemp("installed")
    text = "try:\n    import NAME_extra\nexcept ImportError:\n    pass\n\ndef f():\n    import NAME_extra\n"
    (installed / f"{place.name}_lib.py").write_text(text.replace("NAME", place.name))
    (place.directory / f"{place.name}_extra.py").write_text(NETWORKS)
    sys.path.append(str(installed))
    model = BuilderModel(builders={"toy": f"{place.name}_lib:f"})
    found = builder_source(model, INFO, trusting([f"{place.name}_lib"], place.directory))
    with pytest.raises(ModelError, match=f"No module named '{place.name}_extra'"):
        found.build()
    assert not place.marker.exists()


def test_what_an_installed_module_lacks_is_not_taken_from_beside_the_spec_when_a_module_there_imports_it(
    place, tmp_path_factory
):
    installed = tmp_path_factory.mktemp("installed")
    text = "try:\n    import NAME_extra\nexcept ImportError:\n    pass\n"
    (installed / f"{place.name}_lib.py").write_text(text.replace("NAME", place.name))
    (place.directory / f"{place.name}_extra.py").write_text(NETWORKS)
    text = "def f():\n    import numpy, NAME_lib\n    return numpy.ones(2)\n"
    (place.directory / f"{place.name}_own.py").write_text(text.replace("NAME", place.name))
    sys.path.append(str(installed))
    model = BuilderModel(builders={"toy": f"{place.name}_own:f"})
    found = builder_source(model, INFO, trusting([f"{place.name}_own"], place.directory))
    assert found.build().shape == (2,)
    assert not place.marker.exists()


@pytest.mark.parametrize("when", ["at once", "when it is called"])
def test_what_a_trusted_module_imports_from_beside_the_spec_needs_trust_too(place, when):
    own, other = f"{place.name}_own", f"{place.name}_other"
    (place.directory / f"{other}.py").write_text(NETWORKS)
    line, late = f"from {other} import array", when == "when it is called"
    text = f"def f():\n    {line}\n    return array()\n" if late else f"{line}\n\ndef f():\n    return array()\n"
    (place.directory / f"{own}.py").write_text(text)
    model = BuilderModel(builders={"toy": f"{own}:f"})
    with pytest.raises(TrustError, match=f"imports `{other}`") as caught:
        builder_source(model, INFO, trusting([own], place.directory)).build()
    assert f"--trust {other}" in caught.value.problems[0].remedy
    assert not place.marker.exists()
    assert builder_source(model, INFO, trusting([own, other], place.directory)).build().shape == (2,)


def test_of_a_bare_directory_beside_the_spec_only_what_is_trusted_is_found(place):
    bare = place.directory / f"{place.name}_bare"
    bare.mkdir()
    (bare / "own.py").write_text(
        "import numpy\n\ndef f():\n    return numpy.ones(2)\n\ndef g():\n    from . import other\n"
    )
    (bare / "other.py").write_text(NETWORKS)
    model = BuilderModel(builders={"toy": f"{bare.name}.own:f"})
    assert builder_source(model, INFO, trusting([f"{bare.name}.own"], place.directory)).build().shape == (2,)
    model = BuilderModel(builders={"toy": f"{bare.name}.own:g"})
    with pytest.raises(ModelError, match="cannot import name 'other'"):
        builder_source(model, INFO, trusting([f"{bare.name}.own"], place.directory)).build()
    assert not (bare / "imported").exists()
    with pytest.raises(ModelError, match="returns no network"):
        builder_source(model, INFO, trusting([bare.name], place.directory)).build()


@pytest.mark.parametrize("depth", [1, 2])
def test_a_package_whose_code_runs_when_a_module_of_it_is_imported_needs_trust_too(place, depth):
    outer, inner = f"{place.name}_a", f"{place.name}_a.b"
    (place.directory / outer / "b").mkdir(parents=True)
    (place.directory / outer / "b" / "c.py").write_text("import numpy\n\ndef f():\n    return numpy.ones(2)\n")
    running = place.directory / outer / ("__init__.py" if depth == 1 else "b/__init__.py")
    running.write_text(NETWORKS)
    package = outer if depth == 1 else inner
    model = BuilderModel(builders={"toy": f"{inner}.c:f"})
    trust = trusting([f"{inner}.c"], place.directory)
    for refuse in (
        lambda: builder_source(model, INFO, trust),
        lambda: require_code(spec_of(**model.builders), ["toy"], trust),
    ):
        with pytest.raises(TrustError, match=f"runs the package `{package}`") as caught:
            refuse()
        assert f"--trust {package}" in caught.value.problems[0].remedy
    assert not (running.parent / "imported").exists()
    running.unlink()
    assert builder_source(model, INFO, trust).build().shape == (2,)


def test_a_directory_of_the_same_name_on_pythons_path_hides_no_file_beside_the_spec(place, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / place.name).mkdir()
    sys.path.insert(0, str(other))
    assert source(place, "array").build().shape == (2,)


def test_a_module_that_an_editable_install_serves_is_found_before_a_file_beside_the_spec(place, tmp_path_factory):
    file = tmp_path_factory.mktemp("editable") / "networks.py"
    file.write_text("import numpy\n\ndef array():\n    return numpy.ones(9)\n")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return spec_from_file_location(name, file) if name == place.name else None

    sys.meta_path.append(Finder)
    try:
        assert source(place, "array").build().shape == (9,)
    finally:
        sys.meta_path.remove(Finder)
    assert not place.marker.exists()


def test_code_that_trains_for_another_backend_is_hashed_without_importing_it(place):
    trust = trusting([place.name], place.directory)
    spec = spec_of(toy=f"{place.name}:array", other=f"{place.name}:array")
    before = code_of_others(spec, ["toy"], trust)
    assert before.keys() == {"toy"}
    assert code_of_others(spec, ["toy"], trust) == before
    # What it may import needs trust.
    helpers = f"{place.name}_helpers"
    (place.directory / f"{helpers}.py").write_text("WIDTH = 3")
    both = trusting([place.name, helpers], place.directory)
    before = code_of_others(spec, ["toy"], both)
    (place.directory / f"{helpers}.py").write_text("WIDTH = 4")
    assert code_of_others(spec, ["toy"], both) != before
    assert not place.marker.exists()


def test_all_modules_of_a_package_that_trains_for_another_backend_are_hashed(place):
    package = place.directory / f"{place.name}_lib"
    (package / "deep").mkdir(parents=True)
    for file in (package / "__init__.py", package / "deep" / "__init__.py", package / "deep" / "nets.py"):
        file.write_text(NETWORKS)
    trust = trusting([package.name], place.directory)
    spec = spec_of(toy=f"{package.name}.deep.nets:array")
    (package / ".#nets.py").symlink_to("an-editor's-lock")
    before = code_of_others(spec, ["toy"], trust)
    (package / "shared.py").write_text("WIDTH = 3")
    assert code_of_others(spec, ["toy"], trust) != before
    assert not list(package.rglob("imported"))


@pytest.mark.parametrize("which", ["its own package", "a trusted module"])
def test_a_module_that_is_imported_only_when_the_function_is_called_is_part_of_the_code(place, which):
    package, other = place.directory / f"{place.name}_lib", f"{place.name}_other"
    package.mkdir()
    (package / "__init__.py").write_text("import numpy\n\ndef f():\n    from . import late\n    return numpy.ones(2)\n")
    (package / "late.py").write_text("WIDTH = 3")
    (place.directory / f"{other}.py").write_text("WIDTH = 3")
    trust = trusting([package.name, other], place.directory)
    model = BuilderModel(builders={"toy": f"{package.name}:f"})
    before = builder_source(model, INFO, trust)
    assert before.build().shape == (2,)
    # What the call loaded makes no other code of it.
    assert builder_source(model, INFO, trust).content == before.content
    (package / "late.py" if which == "its own package" else place.directory / f"{other}.py").write_text("WIDTH = 4")
    assert builder_source(model, INFO, trust).content != before.content


def test_the_code_of_a_package_is_the_same_for_both_backends_and_wherever_it_lies(place, tmp_path_factory):
    spec = spec_of(toy=f"{place.name}:array", other=f"{place.name}:same")
    trust = trusting([place.name], place.directory)
    found = package_digest(spec, "toy", trust)
    assert found == package_digest(spec, "other", trust)
    assert package_digest(spec, "third", trust) is None
    assert package_digest(spec_of(toy="no_such_module_here:f"), "toy", trust) is None
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / f"{place.name}.py").write_text(NETWORKS)
    assert package_digest(spec, "toy", trusting([place.name], elsewhere)) == found
    (elsewhere / f"{place.name}.py").write_text(NETWORKS + "WIDTH = 4")
    assert package_digest(spec, "toy", trusting([place.name], elsewhere)) != found
