"""Whose code a spec may name: that of modules which the user trusts, outside of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paredown.errors import TrustError
from paredown.spec.models import BuilderModel, Spec


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user trusts, and the directory that modules are looked up in at last.

    `packages` are names of modules and packages, and of single functions (`module:function`). They come from the
    command line or from Python, never from a spec. `directory` is searched behind everything that is installed, so that
    a stranger's file never stands in for an installed module of the same name.
    """

    packages: tuple[str, ...] = ()
    directory: Path | None = None

    def covers(self, module: str) -> bool:
        """Whether a module is trusted by itself or within a package: `a.b` covers `a.b` and `a.b.c`, never `a.bc`."""
        return any(module == package or module.startswith(f"{package}.") for package in self.packages)

    def allows(self, reference: str) -> bool:
        """Whether a function is trusted, alone or with all of its module."""
        return reference in self.packages or self.covers(module_of(reference))

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules and packages, those of single functions among them."""
        return tuple(dict.fromkeys(module_of(name) for name in self.packages))

    def loads(self, module: str) -> bool:
        """Whether a module may be imported from beside a spec: it is trusted, or a function in it is."""
        return self.covers(module) or module in self.modules


def module_of(reference: str) -> str:
    """The module of `module:function`; a module's name is its own."""
    return reference.partition(":")[0]


def trusting(packages: Sequence[str], directory: Path) -> Trust:
    """Trust in modules, packages and functions by name.

    Raises:
        TrustError: One of them is no such name.
    """
    wrong = [name for name in packages if not _is_name(name)]
    if wrong:
        raise TrustError(
            f"`{wrong[0]}` is no name of a module, a package or a function",
            where="trust",
            value=wrong[0],
            expected="a name as in `import NAME` (`networks`, `package.networks`), or `networks:function`",
            remedy="leave out `.py` and everything that is no name",
        )
    return Trust(tuple(dict.fromkeys(packages)), directory)


def _is_name(name: str) -> bool:
    module, separator, function = name.partition(":")
    parts = module.split(".")
    is_module = all(part.isidentifier() for part in parts) and parts[-1] != "py"
    return is_module and (not separator or function.isidentifier())


def require_trusted(spec: Spec, backends: Sequence[str], trust: Trust) -> None:
    """Refuses a spec that names, for some backends, code of a module which is not trusted; nothing is imported.

    Raises:
        TrustError: With one problem for each such function.
    """
    if not isinstance(spec.model, BuilderModel):
        return
    found = [
        untrusted(f"model.{backend}", reference, module_of(reference), trust).problems[0]
        for backend, reference in spec.model.references().items()
        if backend in backends and not trust.allows(reference)
    ]
    if found:
        raise TrustError.of(found)


def untrusted(where: str, reference: str, module: str, trust: Trust) -> TrustError:
    """The refusal of code of a module that nobody trusts."""
    known = ", ".join(trust.packages) or "nothing"
    return TrustError(
        f"the spec names code that is not trusted: `{reference}`",
        where=where,
        value=f"module `{module}`; trusted: {known}",
        expected="a function or module that you trust, on the command line or in Python",
        remedy=f'read that code; then add `--trust {reference}`, in Python `trust=["{reference}"]`;'
        f" `--trust {module}` lets the spec call any function of `{module}` with any arguments",
    )
