"""Whose code a spec may name: that of modules which the user trusts, outside of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paredown.errors import TrustError
from paredown.spec.models import BuilderModel, Spec


@dataclass(frozen=True, slots=True)
class Trust:
    """The modules and packages that the user trusts, and the directory that modules are looked up in at last.

    `packages` come from the command line or from Python, never from a spec. `directory` is searched behind everything
    that is installed, so that a stranger's file never stands in for an installed module of the same name.
    """

    packages: tuple[str, ...] = ()
    directory: Path | None = None

    def covers(self, module: str) -> bool:
        """Whether a module is trusted by itself or within a package: `a.b` covers `a.b` and `a.b.c`, never `a.bc`."""
        return any(module == package or module.startswith(f"{package}.") for package in self.packages)


def trusting(packages: Sequence[str], directory: Path) -> Trust:
    """Trust in modules and packages by name.

    Raises:
        TrustError: One of them is no name of a module.
    """
    wrong = [name for name in packages if not all(part.isidentifier() for part in name.split("."))]
    if wrong:
        raise TrustError(
            f"`{wrong[0]}` is no name of a module or package",
            where="trust",
            value=wrong[0],
            expected="a name as in `import NAME`: `networks` or `package.networks`",
            remedy="leave out `.py`, the function and everything that is no module",
        )
    return Trust(tuple(dict.fromkeys(packages)), directory)


def require_trusted(spec: Spec, backends: Sequence[str], trust: Trust) -> None:
    """Refuses a spec that names, for some backends, code of a module which is not trusted; nothing is imported.

    Raises:
        TrustError: With one problem for each such function.
    """
    if not isinstance(spec.model, BuilderModel):
        return
    found = [
        untrusted(f"model.{backend}", reference, reference.partition(":")[0], trust).problems[0]
        for backend, reference in spec.model.references().items()
        if backend in backends and not trust.covers(reference.partition(":")[0])
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
        expected="a module that you trust, on the command line or in Python",
        remedy=f'read that code; then add `--trust {module}`, in Python `trust=["{module}"]`',
    )
