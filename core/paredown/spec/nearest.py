"""The nearest right name, for messages about names that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name` (case aside), or of its words' first letters; None when none is near."""
    from difflib import get_close_matches

    by_lower = {option.lower(): option for option in known}
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if matches:
        return by_lower[matches[0]]
    words = name.lower().split("_")
    return by_lower.get("".join(word[:1] for word in words)) if len(words) > 1 else None


def listed(names: Iterable[str]) -> str:
    """The names between backticks and commas."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def one_of(names: Iterable[str], what: str) -> str:
    """What is expected where any of the names would do; `what` says what they are, should there be none."""
    options = tuple(names)
    return f"one of {listed(options)}" if options else f"a {what} that is installed, and none is"


def suggestion(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest right one, or all there are."""
    options = tuple(known)
    near = nearest(name, options)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"choose one of {listed(options)}" if options else "nothing of this kind is installed: `paredown plugins`"
