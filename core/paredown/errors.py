"""Every error that paredown raises: one root, each with what, where, the value, what was expected, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in the parts that a person needs to mend it."""

    what: str
    where: str | None = None
    value: str | None = None
    expected: str | None = None
    remedy: str | None = None

    def render(self) -> str:
        """The problem as text: the place and the fault on one line, then an indented line for each other part."""
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        for label, text in (("got", self.value), ("expected", self.expected), ("remedy", self.remedy)):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class ParedownError(Exception):
    """The root of all errors. `exit_code` is what the command line returns for it."""

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        value: object = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        shown = None if value is None else value if isinstance(value, str) else repr(value)
        self.problems: tuple[Problem, ...] = (Problem(what, where, shown, expected, remedy),)
        super().__init__(what)

    def __str__(self) -> str:
        return "\n".join(problem.render() for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, so that a worker process can hand its error to the process that started it."""
        return {"type": type(self).__name__, "problems": [asdict(problem) for problem in self.problems]}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> ParedownError:
        """The error that `to_dict` wrote; a class unknown here comes back as the root."""
        known = {cls.__name__: cls for cls in _descendants(ParedownError)}
        cls = known.get(str(data.get("type")), ParedownError)
        return cls.of([Problem(**problem) for problem in data["problems"]])

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ParedownError:
        """An error that carries several problems found together."""
        error = cls(problems[0].what)
        error.problems = tuple(problems)
        return error


class SpecError(ParedownError):
    """The spec is not one that can be run."""


class DataError(ParedownError):
    """The data is missing, or is not what the spec says."""


class ModelError(ParedownError):
    """The network cannot be built or is not what the step needs."""


class WeightsError(ParedownError):
    """Weights are missing or do not fit the network."""


class TrustError(ParedownError):
    """A spec names code of a module that the user does not trust."""


class PlanError(ParedownError):
    """A plan does not fit the network that it is replayed on."""


class TargetUnreachable(PlanError):
    """No permitted cut brings the network down to the share that was asked for."""


class ArtifactError(ParedownError):
    """A directory of results is missing a part, or holds another run."""


class PluginError(ParedownError):
    """A plugin broke the contract of the hooks, or two plugins claim one name."""


class UnsupportedError(ParedownError):
    """The backend or the runtime cannot do what the spec asks."""


class NoEffectError(ParedownError):
    """A step ran and changed nothing."""

    exit_code = 3


class DeployError(ParedownError):
    """The exported file is not the network that was compressed."""

    exit_code = 3


class BackendMissing(ParedownError):
    """A backend that was asked for is not installed."""

    exit_code = 3


class ComponentMissing(ParedownError):
    """A component that was asked for needs packages that are not installed."""

    exit_code = 3


class BackendFailed(ParedownError):
    """A backend that was asked for stopped before it was done."""

    exit_code = 3


class HookFailed(BackendFailed):
    """A hook of a backend raised what is no error of ours; the cause is chained."""


class TrainingDiverged(BackendFailed):
    """The loss or a weight is no longer a finite number."""


def _descendants(cls: type[ParedownError]) -> list[type[ParedownError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _descendants(child))]
