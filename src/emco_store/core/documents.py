"""Documents: the JSON form of a resource, its limits, and how a delete rule edits one without knowing its model.

A document is UTF-8 JSON text. Every backend stores that text as it is, so a value that went in comes out the same
everywhere, and a service that never imported a model can still null or remove a reference in it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from typing import Any

from pydantic_core import from_json, to_json

MAX_DEPTH = 64
"""Levels of nesting in one document."""
MAX_BYTES = 1 << 20
"""Bytes of one document, unless the store is opened with another limit."""
LARGEST_MAX_BYTES = 8 << 20
"""The highest limit that a store may be opened with."""
INT64 = 1 << 63
"""The least integer that is too large for 64 bits."""
_INT64_DIGITS = b"0" * len(str(INT64))
_ALIKE = bytes.maketrans(b"123456789[", b"000000000{")
"""Makes all digits one, and what opens a list or a map."""
_BACKSLASH, _DOLLAR = b"\\$"
"""As numbers, because for bytes Python first raises an error and catches it: they are no numbers."""
_REFUSED_KEY = re.compile(r"^\$|\0")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
canonical: Callable[[Any], str] = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False
).encode
"""Writes a document with sorted keys, so that equal ones have one text."""


def is_plain(data: bytes) -> bool:
    """Tell quickly that JSON text, as a model writes it, is within the limits; False means that one must look."""
    alike = data.translate(_ALIKE)
    return has_plain_texts(data) and not (
        b"NaN" in data or b"Infinity" in data or _INT64_DIGITS in alike or alike.count(b"{") > MAX_DEPTH
    )


def has_plain_texts(data: bytes) -> bool:
    """Tell quickly that the texts in JSON text are within the limits; False means that one must look.

    Without a backslash, every quote in it begins or ends a text, and nothing in it is NUL.
    """
    return not (_BACKSLASH in data or (_DOLLAR in data and b'"$' in data))


def problems_in(value: Mapping[str, Any], *, keys: AbstractSet[str] = frozenset()) -> list[str]:
    """List what in a JSON object is beyond the limits that hold on every backend.

    Args:
        value: A JSON object.
        keys: Keys of maps that are references.

    Rules: BAD-2 to BAD-5.
    """
    problems: list[str] = []
    _walk(value.items(), (), keys, problems, in_map=True)
    return problems


def _walk(  # noqa: C901 - one table
    entries: Iterable[tuple[Any, Any]], path: tuple[Any, ...], keys: AbstractSet[str], problems: list[str], *,
    in_map: bool,
) -> None:  # fmt: skip
    """Look at the entries of a map or a list; the path becomes text only where there is a problem."""
    if len(path) >= MAX_DEPTH:
        problems.append(f"{_place(path)}: nested deeper than {MAX_DEPTH} levels")
        return
    for key, inner in entries:
        if in_map and _REFUSED_KEY.search(key) and key not in keys:
            problems.append(f"{_place(path)}: the key {key!r:.80} begins with '$' or holds NUL; Opaque takes such data")
        kind = type(inner)  # pyright: ignore[reportUnknownVariableType]  # a value is of any type by nature
        if kind is str:
            if not inner.isascii() and _LONE_SURROGATE.search(inner):
                problems.append(f"{_place((*path, key))}: text with a lone surrogate has no UTF-8 form")
        elif kind is int:
            if not -INT64 <= inner < INT64:
                problems.append(f"{_place((*path, key))}: the integer does not fit 64 bits")
        elif kind is dict:
            _walk(inner.items(), (*path, key), keys, problems, in_map=True)
        elif kind is list:
            _walk(enumerate(inner), (*path, key), keys, problems, in_map=False)  # pyright: ignore[reportUnknownArgumentType]  # see kind
        elif kind is float and not math.isfinite(inner):
            problems.append(f"{_place((*path, key))}: {inner} has no JSON form")


def _place(path: tuple[Any, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step:.40}" for step in path)
    return text.removeprefix(".")


def encode(document: Any) -> bytes:
    """Write a document as JSON text."""
    return to_json(document, inf_nan_mode="constants")


def decode(data: bytes) -> Any:
    """Read a document from JSON text.

    Raises:
        ValueError: It is not JSON.
    """
    return from_json(data)
