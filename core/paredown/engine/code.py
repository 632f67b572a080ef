"""The user's own code that a spec names: found without importing it, imported where trusted, and called."""

from __future__ import annotations

import ast
import copy
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from paredown.contracts import BackendInfo, Model, ModelSource
from paredown.engine.code_digests import code_digest
from paredown.engine.locating import importable, locate
from paredown.engine.trust import Trust, require_trusted, untrusted
from paredown.errors import ModelError, ParedownError, Problem, TrustError
from paredown.spec.models import BuilderModel, Spec
from paredown.spec.nearest import nearest
from paredown.spec.trainings import trainers


def require_code(spec: Spec, backends: Sequence[str], trust: Trust) -> None:
    """Refuses code that is not trusted, or is nowhere, for all backends at once; nothing of it runs to find out.

    Raises:
        TrustError: Naming every function of the spec that is not trusted, or that lies in a package which is not.
        ModelError: Naming every function that is nowhere; where only running a module tells, that is left for later.
    """
    backends = [*backends, *trainers(spec, backends)]
    require_trusted(spec, backends, trust)
    if not isinstance(spec.model, BuilderModel):
        return
    named = {name: reference for name, reference in spec.model.references().items() if name in backends}
    outer = [_outer(f"model.{name}", reference, trust) for name, reference in named.items()]
    if any(outer):
        raise TrustError.of([problem for problem in outer if problem is not None])
    missing = [_missing(f"model.{name}", reference, trust) for name, reference in named.items()]
    if any(missing):
        raise ModelError.of([problem for problem in missing if problem is not None])


def builder_source(model: BuilderModel, info: BackendInfo, trust: Trust) -> ModelSource:
    """What a backend builds the spec's network from: the trusted function, imported, behind `build`.

    Raises:
        TrustError: The module, or the one that the function comes from, is not trusted.
        ModelError: The module cannot be imported, or has no such function; or there is none for this backend.
    """
    where = f"model.{info.name}"
    reference = model.references().get(info.name)
    if reference is None:
        raise ModelError(
            f"the spec names no function that builds the network on `{info.name}`",
            where=where,
            expected="`package.module:function`",
            remedy=f"add `{info.name}` to `model`, or choose another backend",
        )
    function = _function(where, reference, trust)
    return ModelSource(
        reference,
        model.num_classes,
        model.in_channels,
        model.input_size,
        kind="builder",
        build=lambda: _built(where, reference, function, model, info, trust),
        content=code_digest(reference, model, trust),
    )


def _function(where: str, reference: str, trust: Trust) -> Callable[..., Any]:
    module_name, _, name = reference.partition(":")
    if not trust.allows(reference):
        raise untrusted(where, reference, module_name, trust)
    outer = _outer(where, reference, trust)
    if outer is not None:
        raise TrustError.of([outer])
    problem = _missing(where, reference, trust)
    if problem is not None:
        raise ModelError.of([problem])
    with importable(trust):
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # a module runs whatever it holds
            _require_beside(where, reference, error, trust)
            raise _failed(where, f"the module `{module_name}` cannot be imported", error) from error
    if not hasattr(module, name):
        raise ModelError.of([_no_function(where, reference, dir(module))])
    function = getattr(module, name)
    if not callable(function):
        raise ModelError(
            f"`{reference}` is no function",
            where=where,
            value=type(function).__name__,
            expected="a function, or a class of networks",
            remedy="name the function that returns the network",
        )
    # What a trusted module merely imports, such as a function of `os`, is not code that the user has read.
    home = str(getattr(function, "__module__", ""))
    if reference not in trust.packages and not trust.covers(home):
        raise untrusted(where, reference, home, trust)
    return function  # type: ignore[no-any-return]  # callable says so


def _built(
    where: str, reference: str, function: Callable[..., Any], model: BuilderModel, info: BackendInfo, trust: Trust
) -> Model:
    try:
        with importable(trust):
            # A copy: a function may give the same object twice, and a run changes what it is given.
            network = copy.deepcopy(function(**model.options))
    except ParedownError:
        raise
    except Exception as error:
        _require_beside(where, reference, error, trust)
        raise _failed(where, f"`{reference}` failed", error, remedy="mend the function, or `model.options`") from error
    module, base = info.base_class
    kind = getattr(sys.modules.get(module), base, None)
    if kind is None or not isinstance(network, kind):
        raise ModelError(
            f"`{reference}` returns no network of {info.title}",
            where=where,
            value=f"{type(network).__module__}.{type(network).__qualname__}",
            expected=f"an instance of {module}.{base}",
            remedy="return the network itself, built and not called",
        )
    return network


def _require_beside(where: str, reference: str, error: Exception, trust: Trust) -> None:
    """Raises `TrustError` where code beside the spec found no module since the one that lies there is not trusted."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    is_beside = locate(reference.partition(":")[0], trust).beside
    if name is None or not is_beside or trust.loads(name) or not locate(name, trust).beside:
        return
    raise TrustError(
        f"the code of `{reference}` imports `{name}`, which lies beside the spec and is not trusted",
        where=where,
        value=f"module `{name}`; trusted: {', '.join(trust.packages)}",
        expected="a module that you trust, or one that is installed",
        remedy=f'read that code; then add `--trust {name}`, in Python `trust=["{name}"]`',
    ) from error


def _missing(where: str, reference: str, trust: Trust) -> Problem | None:
    """What is wrong with a reference as far as files tell."""
    module_name, _, name = reference.partition(":")
    if module_name in sys.modules:
        return None
    found = locate(module_name, trust).module
    if found is None:
        place = f" and in {trust.directory}" if trust.directory is not None else ""
        return Problem(
            f"there is no module `{module_name}`",
            where,
            reference,
            f"a module that is installed, or a file beside the spec; looked for in Python's path{place}",
            "check the name; put the file beside the spec, or install its package",
        )
    names = _names(found)
    return None if names is None or name in names else _no_function(where, reference, sorted(names))


def _no_function(where: str, reference: str, names: Sequence[str]) -> Problem:
    module, _, name = reference.partition(":")
    public = [one for one in names if not one.startswith("_")]
    near = nearest(name, public)
    return Problem(
        f"the module `{module}` has no function `{name}`",
        where,
        reference,
        f"a function of `{module}` that returns the network",
        f"did you mean `{module}:{near}`?" if near else "check the name",
    )


def _outer(where: str, reference: str, trust: Trust) -> Problem | None:
    """The first package beside the spec that nobody trusts and whose own code runs when a module in it is imported."""
    module = reference.partition(":")[0]
    found = locate(module, trust)
    running = [name for name, one in found.packages.items() if found.beside and one.origin is not None]
    package = next((name for name in running if not trust.covers(name)), None)
    if package is None:
        return None
    return Problem(
        f"importing `{module}` runs the package `{package}`, which is not trusted",
        where,
        f"`{reference}`; trusted: {', '.join(trust.packages)}",
        f"trust in `{package}` too, or no `__init__.py` in it",
        f'read {package}/__init__.py; then add `--trust {package}`, in Python `trust=["{package}"]`',
    )


def _names(module: ModuleSpec) -> set[str] | None:
    """The names that a module's top level gives; None where only running it would tell."""
    if module.origin is None or not module.origin.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(module.origin).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif not isinstance(node, ast.Expr):
            return None
    return None if "*" in names or "__getattr__" in names else names


def _failed(where: str, what: str, error: Exception, remedy: str = "mend the module") -> ModelError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{what}: {reason}",
        where=where,
        value=type(error).__name__,
        expected="a module that imports, and a function that returns the network",
        remedy=f"{remedy}; the log of the run holds the traceback",
    )
