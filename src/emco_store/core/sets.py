"""Sets in documents: the members stand in the order of their texts, so that equal sets have one document.

A set has no order that lasts: that of texts is another in each process, and may be another in a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Set as AbstractSet
from typing import Any

from pydantic_core import core_schema

from emco_store.core.documents import canonical
from emco_store.core.schema_parts import Schema, with_parts

Orders = dict[int, list[Any]]
"""The members of sets in the order of a document, by the ``id`` of each set."""
_SETS = {"frozenset", "set"}


def with_sets_in_order(schema: Schema) -> Schema:
    """Return the schema by which the members of sets are written in order, except where a serializer is declared.

    A :data:`Orders` that is given as the context of writing takes the order of each set that was written.
    """
    ordered = with_parts(schema, lambda part, _, __: with_sets_in_order(part))
    if ordered["type"] in _SETS and "serialization" not in ordered:
        inner: Any = {name: value for name, value in ordered.items() if name != "ref"}
        ordered["serialization"] = core_schema.wrap_serializer_function_ser_schema(
            _in_order, info_arg=True, schema=inner, when_used="json"
        )
    return ordered


def _in_order(value: Any, write: Callable[[Any], Any], info: core_schema.SerializationInfo[Orders | None]) -> Any:
    forms = write(value)
    if not issubclass(type(value), AbstractSet):  # it was put there around the model
        return forms
    pairs: list[tuple[Any, Any]] = sorted(zip(value, forms, strict=True), key=lambda pair: canonical(pair[1]))
    if info.context is not None:
        info.context[id(value)] = [member for member, _ in pairs]
    return [form for _, form in pairs]
