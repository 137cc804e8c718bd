"""Examples: values of many types, with which a field's type is tried when a class is defined.

An example that the type accepts, and that comes back from JSON as another value, shows that not every value of the type
could be stored. A type that is validated by code of the model's author is not tried: that code may do anything.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, ValidationError

from emco_store.core.documents import decode, problems_in
from emco_store.core.enumerations import values_of
from emco_store.core.likeness import is_alike
from emco_store.core.schema_parts import Schema, all_parts_of, choices_of

_TEXTS = (
    "a", "", "1", "1.5", "2020-01-01", "2020-01-01T00:00:00", "01:00:00", "P1D", "true", "1.2.3.4", "::1", "1.2.3.0/24",
    "http://example.org/", "/a", str(UUID(int=1)),
)  # fmt: skip
_SINGLE = (
    1, 1.5, True, None, b"a", Decimal(1), Decimal("1.5"), UUID(int=1), date(2020, 1, 1),
    datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1), time(1), timedelta(1),  # noqa: DTZ001 - one without a zone
)  # fmt: skip
_SEVERAL: tuple[Any, ...] = (
    ["a"], [1], [], ("a",), (1,), (), {1}, {"a"}, set[Any](), frozenset({"a"}), deque([1]), {"a": 1}, {"a": "a"}, {},
)  # fmt: skip
_EXAMPLES: tuple[Any, ...] = (*_TEXTS, *_SINGLE, *_SEVERAL)
_TRUSTED = {"emco_store", "ipaddress", "operator", "pydantic", "pydantic_core", "re"}
"""The packages whose functions are called when a class is defined."""


class Trial:
    """One type, and what becomes of its values in JSON.

    Args:
        schema: The core schema of the type.
        definitions: The schemas that it may refer to.
    """

    def __init__(self, schema: Schema, definitions: Sequence[Schema]) -> None:
        compiled: Any = _closed(schema, definitions)
        self._read = SchemaValidator(compiled, _use_prebuilt=False)
        self._write = SchemaSerializer(compiled, _use_prebuilt=False)

    def accepted(self, examples: Iterable[Any]) -> Iterator[Any]:
        """Yield what the type makes of each example that it accepts."""
        for example in examples:
            with suppress(Exception):  # whatever a library makes of an example that it does not accept
                yield self._read.validate_python(example, by_alias=False, by_name=True)

    def read(self, texts: Iterable[bytes]) -> Iterator[Any]:
        """Yield what the type makes of each JSON text that it accepts."""
        for text in texts:
            with suppress(ValidationError):
                yield self._read.validate_json(text, by_alias=False, by_name=True)

    def text(self, value: Any) -> bytes:
        """Write a value."""
        return self._write.to_json(value, by_alias=False, round_trip=True, warnings="none")

    def problem(self, value: Any) -> str | None:
        """Say what would become of a value; None if it comes back."""
        try:
            back = self._read.validate_json(self.text(value), by_alias=False, by_name=True)
        except (PydanticSerializationError, ValidationError):
            return f"a value such as {value!r:.80} could not be read back"
        if is_alike(value, back):
            return None
        found = f"{back!r:.80}" if repr(value) != repr(back) else "another one"
        return f"a value such as {value!r:.80} would come back as {found}"


def is_trusted(schema: Schema) -> bool:
    """Return whether nothing but libraries takes part in the validation of a type."""
    return all(_is_from_library(part) for part in all_parts_of(schema))


def problem_of(schema: Schema, definitions: Sequence[Schema]) -> str | None:
    """Say which values of a type would not come back from JSON; None if no example shows one."""
    trial = Trial(schema, definitions)
    if schema["type"] != "union":
        return _first(map(trial.problem, trial.accepted(_EXAMPLES)))
    choices = choices_of(schema)
    trials = [Trial(choice, definitions) for choice in choices]
    values = [
        value
        for choice, own in zip(choices, trials, strict=True)
        for value in own.accepted((*(values_of(choice) or ()), *_EXAMPLES, *_instances(choice, definitions)))
    ]
    problem = _first(map(trial.problem, values))
    if problem is not None:
        return problem
    # What one choice writes, and another one reads too, is a value of both.
    texts = {trial.text(value) for value in values}
    return _first(trial.problem(value) for own in trials for value in own.read(sorted(texts)))


def problem_of_keys(schema: Schema, definitions: Sequence[Schema]) -> str | None:
    """Say which keys of a map would not come back from JSON; None if no example shows one."""
    trial = Trial({"type": "dict", "keys_schema": schema, "values_schema": {"type": "int"}}, definitions)
    maps = list(trial.accepted({key: 0} for key in _EXAMPLES if _is_hashable(key)))
    problem = _first(map(trial.problem, maps))
    if problem is not None:
        return problem
    refused = [problem for found in maps for problem in problems_in({"": decode(trial.text(found))})]
    return refused[0].removeprefix(": ") if maps and len(refused) == len(maps) else None


def _closed(schema: Schema, definitions: Sequence[Schema]) -> Schema:
    return {"type": "definitions", "schema": schema, "definitions": list(definitions)} if definitions else schema


def _first(problems: Iterable[str | None]) -> str | None:
    return next(filter(None, problems), None)


def _instances(schema: Schema, definitions: Sequence[Schema]) -> Iterator[dict[str, Any]]:
    """Yield the fields of an instance, where the type is a model that needs no others than the examples can give."""
    while schema["type"] in {"definition-ref", "function-after", "model"}:
        if schema["type"] == "definition-ref":
            schema = next(found for found in definitions if found["ref"] == schema["schema_ref"])
        else:
            schema = schema["schema"]
    if schema["type"] != "model-fields":
        return
    fields: dict[str, Any] = {}
    for name, field in schema["fields"].items():
        if field["schema"]["type"] != "default":
            known = values_of(field["schema"]) or ()
            found = next(Trial(field["schema"], definitions).accepted((*known, *_EXAMPLES)), _EXAMPLES)
            if found is _EXAMPLES:
                return
            fields[name] = found
    yield fields


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_from_library(schema: Schema) -> bool:
    if schema.get("post_init") or schema.get("custom_init"):
        return False
    validate = schema["function"]["function"] if schema["type"].startswith("function-") else None
    functions = (validate, schema.get("serialization", {}).get("function"), schema.get("default_factory"))
    return all(function is None or _is_safe(function) for function in functions)


def _is_safe(function: Callable[..., Any]) -> bool:
    """Return whether a function may be called with examples; the one that imports what a text names may not."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__name__", "")
    return (module.partition(".")[0] in _TRUSTED and name != "import_string") or function in {dict, list, set}
