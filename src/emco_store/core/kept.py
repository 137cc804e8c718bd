"""Kept values: a resource that was read before is given again while its record is the same.

The record comes from the backend each time, so nothing can be stale. What is saved is the validation of its document.
Only values of models that are immutable throughout are kept, because all who read one get the same object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from emco_store.core.codec import load, meta_of
from emco_store.core.records import Record
from emco_store.core.refs import as_ref
from emco_store.core.resource import Resource
from emco_store.core.schema_parts import Schema, all_parts_of

R = TypeVar("R", bound=Resource)


class Kept:
    """The values that one store keeps, least recently used first; for any number of threads.

    Args:
        most: Maximum number of values (>= 0).
    """

    __slots__ = ("_most", "_suits", "_values")

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._suits: dict[type[Resource], bool] = {}
        # Texts and classes hash without Python code, so each call of the dict is one step for other threads.
        self._values: OrderedDict[tuple[type[Resource], str], tuple[bytes, Any]] = OrderedDict()

    def load(self, record: Record, model: type[R]) -> R:
        """Read a record with its model, or give what reading it has given before; see :func:`.codec.load`.

        Rules: ID-24.
        """
        if not self._most or not self._is_suited(model):
            return load(record, model)
        place = (model, record.key.text)
        document, value = self._values.get(place, (b"", None))
        if value is None or not is_same(document, value, record):
            value = load(record, model)
            self._values[place] = (record.document, value)
        with suppress(KeyError):  # another thread has made room
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            self._values.move_to_end(place)
        return cast("R", value)

    def _is_suited(self, model: type[Resource]) -> bool:
        suits = self._suits.get(model)
        if suits is None:
            suits = self._suits[model] = is_immutable(model)
        return suits


def is_same(document: bytes, value: Resource, record: Record) -> bool:
    """Return whether reading a record would give a value that was read from a document before.

    Versions are not enough: manual edits and restored backups change a document without them.
    """
    return document == record.document and value.meta == meta_of(record)


def is_immutable(model: type[Resource]) -> bool:
    """Return whether nothing in the values of a model can change, and nothing but the record says what they are."""
    model.__emco__.complete()
    schema = cast("Schema", model.__pydantic_core_schema__)
    return all(_is_immutable(part, model) for part in all_parts_of(schema))


def _is_immutable(part: Schema, model: type[Resource]) -> bool:
    look = _LOOKS.get(part["type"])
    return look is not None and look(part, model)


def _always(_: Schema, __: type[Resource]) -> bool:
    return True


def _is_frozen_model(part: Schema, _: type[Resource]) -> bool:
    cls: type[BaseModel] = part["cls"]
    return (
        cls.model_config.get("frozen") is True
        and cls.model_config.get("extra") != "allow"
        and not cls.__private_attributes__
        and not any(part.get(name) for name in ("custom_init", "post_init"))
        and not any(isinstance(one, cached_property) for base in cls.__mro__ for one in vars(base).values())
    )


_LOOKS: Mapping[str, Callable[[Schema, type[Resource]], bool]] = {
    **dict.fromkeys(
        ("bool", "bytes", "date", "datetime", "decimal", "definition-ref", "definitions", "enum", "float", "frozenset",
         "int", "literal", "model-field", "model-fields", "none", "nullable", "str", "time", "timedelta", "tuple",
         "tagged-union", "union", "uuid"),
        _always,
    ),
    "default": lambda part, _: "default_factory" not in part,
    "function-after": lambda part, model: part["function"]["function"] in model.__emco__.checks,
    "function-plain": lambda part, _: part["function"]["function"] is as_ref,
    "model": _is_frozen_model,
}  # fmt: skip
"""For each form of a schema whose values may be immutable, what else must be so."""
