"""Storable: whether every value of a model can come back from its document, judged when the class is defined.

What cannot is refused once, with its field and the reason, and not with each resource. Where the author of a model has
code of their own, nobody can tell before there is a value; then each write proves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from emco_store.core.enumerations import NoForm, readable, readable_key, values_of
from emco_store.core.examples import is_trusted, problem_of, problem_of_keys
from emco_store.core.refs import as_ref
from emco_store.core.schema_parts import Schema, parts_of
from emco_store.core.stored_form import PARSERS

_UNREADABLE: Mapping[str, str] = {
    "callable": "a function has no JSON form",
    "generator": "an iterator is used up when it is looked at; a list or a tuple is not",
    "is-instance": "JSON cannot be read as an instance of {}",
    "is-subclass": "a class has no JSON form",
}
_TRIED = {"custom-error", "function-plain", "json-or-python", "lax-or-strict", "union"}
"""The forms whose JSON may say less than their values."""
_NO_KEYS = {"dataclass", "frozenset", "model", "named-tuple", "tuple"}
_NOT_READ = {"python_schema", "strict_schema"}
"""The slots that have no part in reading JSON."""


def storage_problems(stored: Schema) -> list[str]:
    """List what in the stored form of a model could not come back from a document, each after its field.

    Rules: BAD-9.
    """
    found = _Judge(stored.get("definitions", [])).problems(stored, (), is_parsed=False)
    return list(dict.fromkeys(f"{'.'.join(path)}: {problem}" for path, problem in found))


class _Judge:
    def __init__(self, definitions: Sequence[Schema]) -> None:
        self._definitions = definitions

    def problems(
        self, schema: Schema, path: tuple[str, ...], *, is_parsed: bool
    ) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield what could not come back, with the path to it.

        Args:
            schema: The part that is looked at.
            path: The names of the fields that lead to it.
            is_parsed: Whether it stands below a validator that may read any form.
        """
        problem = self._problem(schema, is_parsed=is_parsed)
        if problem is not None:
            yield path, problem
            return
        below = is_parsed or schema["type"] in PARSERS or "serialization" in schema
        for number, (part, slot, name) in enumerate(parts_of(schema)):
            if slot in _NOT_READ or (slot == "steps" and number):
                continue
            at = (*path, name) if slot == "fields" else path
            if slot == "definitions":
                at = (part["cls"].__name__,) if "cls" in part else ()
            problem = None if below or slot != "keys_schema" else self._problem_of_keys(part)
            if problem is not None:
                yield at, problem
            else:
                yield from self.problems(part, at, is_parsed=below)

    def _problem(self, schema: Schema, *, is_parsed: bool) -> str | None:
        kind = schema["type"]
        if schema.get("serialization", {}).get("type") == "any":
            return "SerializeAsAny writes fields of subclasses, and nothing could read them back; use a union"
        if is_parsed:
            return None
        if kind in _UNREADABLE:
            return _UNREADABLE[kind].format(schema.get("cls_repr") or getattr(schema.get("cls"), "__name__", ""))
        if kind == "model-field":
            return _problem_of_field(schema)
        if kind == "model":
            return _problem_of_defaults(schema)
        return self._problem_of_values(schema)

    def _problem_of_values(self, schema: Schema) -> str | None:
        if values_of(schema) is not None:
            return _problem_of_form(schema, as_key=False)
        if schema["type"] in _TRIED and not _is_reference(schema) and is_trusted(schema):
            return problem_of(schema, self._definitions)
        return None

    def _problem_of_keys(self, schema: Schema) -> str | None:
        while schema["type"] == "definition-ref":
            schema = next(found for found in self._definitions if found["ref"] == schema["schema_ref"])
        if schema["type"] in _NO_KEYS:
            return "the keys of a map are texts in JSON, and no text could be read as one of these keys"
        if schema["type"] in {"any", "str"} or _is_reference(schema) or not is_trusted(schema):
            return None
        if values_of(schema) is not None:
            return _problem_of_form(schema, as_key=True)
        return problem_of_keys(schema, self._definitions)


def _is_reference(schema: Schema) -> bool:
    return schema["type"] == "function-plain" and schema["function"]["function"] is as_ref


def _problem_of_form(schema: Schema, *, as_key: bool) -> str | None:
    try:
        _ = readable_key(schema) if as_key else readable(schema)
    except NoForm as problem:
        return str(problem)
    return None


def _problem_of_field(schema: Schema) -> str | None:
    if any(name.startswith("serialization_exclude") for name in schema):
        return "exclude=True would leave it out of what is stored; for that, use a private attribute"
    return None


def _problem_of_defaults(schema: Schema) -> str | None:
    """Name the defaults that are members of enums, where members are turned into their values."""
    config = schema["cls"].model_config
    if not config.get("use_enum_values") or config.get("validate_default"):
        return None
    fields: Mapping[str, Any] = schema["schema"].get("fields", {})
    names = [
        name
        for name, field in fields.items()
        if isinstance(field["schema"].get("default"), Enum) and not field["schema"].get("validate_default")
    ]
    if not names:
        return None
    return f"use_enum_values keeps the default of {', '.join(names)} a member; write the value, or set validate_default"
