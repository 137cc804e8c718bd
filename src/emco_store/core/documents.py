"""Documents: the JSON form of a resource, its limits, and how a delete rule edits one without knowing its model.

A document is UTF-8 JSON text. Every backend stores that text as it is, so a value that went in comes out the same
everywhere, and a service that never imported a model can still null or remove a reference in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Set as AbstractSet
from typing import Any

from pydantic_core import from_json, to_json

MAX_DEPTH = 64
"""Levels of nesting in one document."""
MAX_BYTES = 1 << 20
"""Bytes of one document, unless the store is opened with another limit."""
LARGEST_MAX_BYTES = 8 << 20
"""The highest limit that a store may be opened with."""
_INT64 = 1 << 63


def problems_in(value: Any, *, keys: AbstractSet[str] = frozenset()) -> list[str]:
    """List what in a JSON value is beyond the limits that hold on every backend.

    Args:
        value: A JSON value.
        keys: Keys of maps that are references; a name in one may hold a dot.

    Rules: BAD-2 to BAD-5.
    """
    problems: list[str] = []
    _walk(value, "", 1, keys, problems)
    return problems


def _walk(value: Any, path: str, depth: int, keys: AbstractSet[str], problems: list[str]) -> None:  # noqa: C901 - one table
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]  # a value is of any type by nature
    if kind is str:
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            problems.append(f"{path or 'value'}: text with a lone surrogate has no UTF-8 form")
    elif kind is dict:
        if depth > MAX_DEPTH:
            problems.append(f"{path}: nested deeper than {MAX_DEPTH} levels")
            return
        for key, inner in value.items():
            if (key.startswith("$") or "." in key or "\0" in key) and key not in keys:
                problems.append(
                    f"{path}: the key {key!r:.80} begins with '$' or holds '.' or NUL; Opaque takes such data"
                )
            _walk(inner, f"{path}.{key:.40}" if path else key[:40], depth + 1, keys, problems)
    elif kind is list:
        if depth > MAX_DEPTH:
            problems.append(f"{path}: nested deeper than {MAX_DEPTH} levels")
            return
        for index, inner in enumerate(value):
            _walk(inner, f"{path}[{index}]", depth + 1, keys, problems)
    elif kind is int:
        if not -_INT64 <= value < _INT64:
            problems.append(f"{path}: the integer does not fit 64 bits")
    elif kind is float and not math.isfinite(value):
        problems.append(f"{path}: {value} has no JSON form")


def encode(document: Any) -> bytes:
    """Write a document as JSON text."""
    return to_json(document, inf_nan_mode="constants")


def decode(data: bytes) -> Any:
    """Read a document from JSON text.

    Raises:
        ValueError: It is not JSON.
    """
    return from_json(data)


def canonical(document: Any) -> str:
    """Write a document with sorted keys, for exports that are compared byte for byte."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sort_set(values: Iterable[Any], document: list[Any]) -> list[tuple[Any, Any]]:
    """Put the JSON form of a set into its canonical order, in place, and give values and forms in that order."""
    pairs = sorted(zip(values, document, strict=True), key=lambda pair: canonical(pair[1]))
    document[:] = [form for _, form in pairs]
    return pairs
