"""People's checkpoints: the arrays within wrappers and prefixes, and how their names fit a network's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paredown.contracts import Array, State
from paredown.errors import WeightsError
from paredown.spec.nearest import listed, nearest

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
"""What checkpoints call the part that holds a network's arrays, the likeliest first."""

_DEPTH = 16
"""How many mappings within each other are opened, which is more than anybody wraps a network in."""

_SHOWN = 12
"""How many problems of a kind an error names one by one."""


def unwrapped(content: Any, is_array: Callable[[Any], bool]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arrays of a checkpoint by name, and notes on where in it they were and what was left.

    Args:
        content: What the file holds: plain containers and arrays.
        is_array: Tells the arrays of the framework from everything else.

    Raises:
        WeightsError: It holds no arrays under names.
    """
    notes: list[str] = []
    passed: set[int] = set()
    for _ in range(_DEPTH):
        if not isinstance(content, Mapping):
            break
        passed.add(id(content))
        holding = [name for name, value in content.items() if _holds(value, is_array, passed)]
        arrays = {str(name): value for name, value in content.items() if is_array(value)}
        inner = [name for name in WRAPPERS if name in holding] or ([] if arrays else holding[:1])
        if not inner:
            if not arrays:
                break
            rest = [str(name) for name in content if str(name) not in arrays]
            return arrays, (*notes, f"left out what is no array: {listed(rest)}") if rest else tuple(notes)
        rest = [str(name) for name in content if name != inner[0]]
        notes.append(f"took `{inner[0]}`" + (f", left {listed(rest)}" if rest else ""))
        content = content[inner[0]]
    raise WeightsError(
        "the file holds no arrays under names",
        value=type(content).__name__,
        expected="a state dict, alone or under a name such as `state_dict`",
        remedy="save the network's state dict alone",
    )


def _holds(content: Any, is_array: Callable[[Any], bool], passed: Collection[int]) -> bool:
    """Whether there are arrays in a mapping or the mappings within it; what was `passed`, by identity, is not entered.

    Without recursion: a file may nest as deeply as it likes, or hold itself.
    """
    waiting, entered = [content], set(passed)
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping) and id(one) not in entered:
            if any(is_array(value) for value in one.values()):
                return True
            entered.add(id(one))
            waiting.extend(one.values())
    return False


def without_prefix(arrays: Mapping[str, Any], known: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arrays without the prefixes that all of their names have and none of the network's, and notes on them.

    `module.` is what data-parallel training puts there, `_orig_mod.` a compiled network, `model.` a training framework.
    """
    found, notes = dict(arrays), []
    roots = {name.partition(".")[0] for name in known}
    while found:
        heads = {name.partition(".")[0] for name in found}
        head = next(iter(heads))
        if len(heads) > 1 or head in roots or any("." not in name for name in found):
            break
        found = {name.partition(".")[2]: values for name, values in found.items()}
        notes.append(f"removed the prefix `{head}.` from every name")
    return found, tuple(notes)


@dataclass(frozen=True, slots=True)
class Fit:
    """How given arrays fit a network: names that fit, and those that do not, each with what a person needs to know.

    `anew` are arrays of the head with another number of classes. `missing` are the network's, `unknown` the file's.
    `misshapen` says of each what the file and the network hold. `nearest` has for names of both sides the likeliest
    counterpart.
    """

    matched: tuple[str, ...]
    anew: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: Mapping[str, str]
    nearest: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether everything fits, but for a head with another number of classes."""
        return not (self.missing or self.unknown or self.misshapen)


def fit(given: State, own: State, head: Collection[str]) -> Fit:
    """Compares given arrays with a network's, by name, shape and type; integers that the network lacks are no matter.

    Args:
        given: The arrays of a file.
        own: Those of the network.
        head: The names of its last layer's, which may be of another size.
    """
    shared = [name for name in own if name in given]
    other = {
        name: f"{_shown(given[name])} in the file, {_shown(own[name])} in the network"
        for name in shared
        if given[name].shape != own[name].shape or given[name].dtype.kind != "f"
    }
    anew = tuple(name for name in other if name in head and given[name].dtype.kind == "f")
    missing = tuple(name for name in own if name not in given)
    unknown = tuple(name for name in given if name not in own and given[name].dtype.kind == "f")
    pairs = [(name, nearest(name, unknown)) for name in missing[:_SHOWN]]
    pairs += [(name, nearest(name, missing)) for name in unknown[:_SHOWN]]
    return Fit(
        matched=tuple(name for name in shared if name not in other),
        anew=anew,
        missing=missing,
        unknown=unknown,
        misshapen={name: text for name, text in other.items() if name not in anew},
        nearest={name: near for name, near in pairs if near is not None},
    )


def report(found: Fit) -> str:
    """What matched and what did not, in a sentence for each."""
    total = len(found.matched) + len(found.anew) + len(found.missing) + len(found.misshapen)
    parts = [f"{len(found.matched)} of the network's {total} arrays matched"]
    parts += [_part("missing in the file", found.missing, found.nearest)] if found.missing else []
    parts += [_part("unknown to the network", found.unknown, found.nearest)] if found.unknown else []
    if found.misshapen:
        shown = [f"{name} ({text})" for name, text in list(found.misshapen.items())[:_SHOWN]]
        parts.append(f"{len(found.misshapen)} of another shape or type: " + _and_more(shown, len(found.misshapen)))
    if found.anew:
        parts.append(f"the head ({', '.join(found.anew)}) has another number of classes and was initialised anew")
    return "; ".join(parts)


def _part(what: str, names: Sequence[str], near: Mapping[str, str]) -> str:
    shown = [f"{name} (nearest: {near[name]})" if name in near else name for name in names[:_SHOWN]]
    return f"{len(names)} {what}: {_and_more(shown, len(names))}"


def _and_more(shown: Sequence[str], count: int) -> str:
    return ", ".join(shown) + (f" and {count - len(shown)} more" if count > len(shown) else "")


def _shown(values: Array) -> str:
    return f"{values.dtype} {'x'.join(map(str, values.shape)) or 'scalar'}"
