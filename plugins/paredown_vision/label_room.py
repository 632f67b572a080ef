"""Labels are kept in memory: those that are too large are refused before any room is taken."""

from __future__ import annotations

from paredown.errors import DataError

MOST_BYTES = 4 * 2**30
"""Labels of more bytes are refused."""


def require_label_room(count: int, size: int, what: str) -> None:
    """Refuses labels that are too large for memory.

    Args:
        count: How many pictures have labels.
        size: Of one picture's labels, in bytes.
        what: What they are, such as `class maps of 512 x 512`.

    Raises:
        DataError: Together they take more than `MOST_BYTES`.
    """
    needed = count * size
    if needed > MOST_BYTES:
        raise DataError(
            "the labels are too large for memory",
            where="data",
            value=f"{needed / 2**30:.1f} GiB: {what} in each of {count} pictures",
            expected=f"at most {MOST_BYTES / 2**30:.0f} GiB",
            remedy="lower `data.limit` or `data.size`",
        )
