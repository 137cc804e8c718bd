"""Conditions: ``region=eu`` on the command line as a condition on a field."""

from __future__ import annotations

import difflib
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from emco_store import F, InvalidCall, Resource, StoreError
from emco_store.core.query import Condition

_PATTERN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*(!=|<=|>=|=|<|>)\s*(.*)", re.DOTALL)
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read_condition(text: str, model: type[Resource] | None) -> Condition:
    """Parse a condition.

    The value has the type of its field. In a nested field, or without a model, it is JSON if it can be parsed as JSON,
    otherwise text; ``null`` is null, and a value in quotes is text.

    Raises:
        InvalidCall: It is not a condition, or its value does not fit the field.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InvalidCall(
            f"{text!r:.100} is not a condition.",
            hint="write FIELD=VALUE, for example region=eu; other operators are != < <= > >= (quote them in a shell).",
        )
    path, sign, value = match.groups()
    field = F
    for step in path.split("."):
        field = getattr(field, step)
    condition: Condition = _SIGNS[sign](field, _operand(path, value, model))
    return condition


def _operand(path: str, text: str, model: type[Resource] | None) -> Any:
    guess = _guess(text)
    field = None if model is None else model.model_fields.get(path)
    if field is None or guess is None:
        return guess
    annotation: Any = field.annotation
    plain = guess if text.startswith('"') and isinstance(guess, str) else text
    try:
        return TypeAdapter[Any](annotation).validate_strings(plain)
    except (ValidationError, StoreError) as problem:
        reasons = [error["msg"] for error in problem.errors()] if isinstance(problem, ValidationError) else problem.why
        raise InvalidCall(
            f"Cannot compare the field {path!r} with {text!r:.100}.",
            why=list(reasons),
            hint="give a value of the type of the field.",
        ) from problem


def _guess(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict | list) else value


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return advice if ``word`` is nearly one of the known words, else None."""
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lower, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(lower[name] for name in near)}?" if near else None
