"""Builds models from the static ones: fields marked `Slot` become unions, decided by `kind`, of what is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from paredown.errors import PluginError
from paredown.spec.base import Slot

_KEPT = ("alias", "title", "description", "examples", "discriminator", "json_schema_extra", "default_factory")


class KindUnion:
    """A union that `kind` decides, of any number of models: pydantic's own needs two."""

    def __init__(self, models: Mapping[str, type[BaseModel]]) -> None:
        self.models = dict(models)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        choices = {kind: handler.generate_schema(model) for kind, model in self.models.items()}
        if not choices:
            return core_schema.no_info_plain_validator_function(_refuse_every_kind)
        return core_schema.tagged_union_schema(choices=choices, discriminator="kind")

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if not self.models:
            return {"not": {}, "discriminator": {"propertyName": "kind", "mapping": {}}}
        return handler(schema)


def _refuse_every_kind(_: object) -> object:
    raise PydanticCustomError("union_tag_invalid", "no kind is installed")


def find_slots(annotation: Any) -> set[str]:
    """The components of all slots in a type, or in the fields of a model and what they hold."""
    if isinstance(annotation, Slot):
        return {annotation.component}
    if isinstance(annotation, FieldInfo):
        return find_slots(annotation.annotation).union(*map(find_slots, annotation.metadata))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return set().union(*map(find_slots, annotation.model_fields.values()))
    parts = (*get_args(annotation), *getattr(annotation, "__metadata__", ()))
    return set().union(*map(find_slots, parts)) if parts else set()


class Rebuilder:
    """Rebuilds models, each once.

    Args:
        kinds: Gives the models of a slot by kind.
    """

    def __init__(self, kinds: Callable[[str], Mapping[str, type[BaseModel]]]) -> None:
        self._kinds = kinds
        self._models: dict[type[BaseModel], type[BaseModel]] = {}
        self._unions: dict[str, KindUnion] = {}
        self._open: list[str] = []

    def model(self, original: type[BaseModel]) -> type[BaseModel]:
        """The model with its slots filled: a subclass of the same name, or the model itself when it has no slots."""
        if original not in self._models:
            fields = {name: self._field(field) for name, field in original.model_fields.items() if find_slots(field)}
            self._models[original] = self._subclass(original, fields) if fields else original
        return self._models[original]

    def _subclass(self, original: type[BaseModel], fields: Mapping[str, Any]) -> type[BaseModel]:
        rebuilt: type[BaseModel] = create_model(
            original.__name__, __base__=original, __module__=original.__module__, __doc__=original.__doc__, **fields
        )
        return rebuilt

    def _field(self, field: FieldInfo) -> tuple[Any, Any]:
        annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        kept = {name: getattr(field, name) for name in _KEPT if getattr(field, name) is not None}
        if not field.is_required() and "default_factory" not in kept:
            default = field.default
            kept["default"] = default.model_dump() if isinstance(default, BaseModel) else default
        return self._type(annotation), Field(**kept)

    def _type(self, annotation: Any) -> Any:
        if not find_slots(annotation):
            return annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self.model(annotation)
        if get_origin(annotation) is Annotated:
            inner, *metadata = get_args(annotation)
            slot = next((mark for mark in metadata if isinstance(mark, Slot)), None)
            rest = [mark for mark in metadata if mark is not slot]
            filled = self._fill(inner, slot) if slot else self._type(inner)
            return Annotated[(filled, *rest)] if rest else filled
        parts = tuple(self._type(part) for part in get_args(annotation))
        origin = get_origin(annotation)
        return Union[parts] if origin in (Union, UnionType) else origin[parts]  # noqa: UP007  # parts are values here

    def _fill(self, inner: Any, slot: Slot) -> Any:
        union = Annotated[Any, self._union(slot.component)]
        return union | None if type(None) in get_args(inner) else union

    def _union(self, slot: str) -> KindUnion:
        if slot in self._open:
            chain = " > ".join((*self._open, slot))
            raise PluginError(
                f"components of kind `{slot}` hold each other without end",
                value=chain,
                expected="components whose slots are of other kinds",
                remedy="give the component's option a type of its own in place of the slot",
            )
        if slot not in self._unions:
            self._open.append(slot)
            models = {kind: self.model(model) for kind, model in self._kinds(slot).items()}
            self._open.pop()
            self._unions[slot] = KindUnion(models)
        return self._unions[slot]
