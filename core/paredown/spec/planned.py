"""What the grammar will hold and does not yet: refused by name, so that nobody takes it for a typing error.

Keys are a model's name and its field. What a plugin supplies under a planned name works: this table is asked only about
names that nothing installed knows.
"""

from __future__ import annotations

from typing import Any

PLANNED_VALUES: dict[tuple[str, str], tuple[Any, ...]] = {}

PLANNED_FIELDS: dict[str, tuple[str, ...]] = {
    "FinetuneStep": ("soft_labels",),
    "Spec": ("backend_options",),
}


def is_planned_value(model: str, field: str, value: object) -> bool:
    """Whether a value of a field is planned; `True` is not taken for 1."""
    return any(type(value) is type(planned) and value == planned for planned in PLANNED_VALUES.get((model, field), ()))


def is_planned_field(model: str, field: str) -> bool:
    """Whether a field of a model is planned."""
    return field in PLANNED_FIELDS.get(model, ())
