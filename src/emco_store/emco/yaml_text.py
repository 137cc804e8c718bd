"""YAML as emcoctl reads it, and nothing more: plain data, no duplicate keys, no surprise in how a value is typed.

emcoctl reads YAML 1.2 with a library (Go's ``yaml.v3``) that takes only ``true`` and ``false`` for booleans. What
YAML 1.1 would turn into something else stays text here too: ``yes``, ``12:34:56``, ``0755``, ``2024-01-01``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from emco_store.emco.json_data import is_list, is_map

_MAX_DEPTH = 64
_MAX_VALUES = 100_000
"""Values in one document once its aliases are expanded: a few nested aliases could stand for billions."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document.

    Attributes:
        number: Its position in its text, from 1; empty documents count.
        line: The line that it begins at, from 1.
        value: Its data; None where there are problems.
        problems: What is wrong with it, as pairs of field and reason.
    """

    number: int
    line: int
    value: Any = None
    problems: tuple[tuple[str, str], ...] = ()


_FLOAT = r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"


class _Loader(yaml.SafeLoader):
    """A safe loader without YAML 1.1's implicit types, and without duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))  # pyright: ignore[reportUnknownMemberType]  # untyped in the stubs


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, yaml.Node] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r:.80} is there twice", key.start_mark
                )
            seen[key.value] = key
    loader.flatten_mapping(node)
    return yaml.constructor.BaseConstructor.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_documents(text: str) -> Iterator[Document]:
    """Read the documents of a text, one by one; empty ones are left out.

    A syntax error ends the text: what comes after it cannot be told apart. A document that is well-formed but not
    acceptable does not stop the others.
    """
    number, line = 0, 1
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()) is not None:
            number += 1
            line = node.start_mark.line + 1
            document = _construct(loader, node, number, line)
            if document.value is not None or document.problems:
                yield document
    except yaml.reader.ReaderError as problem:  # found before the first document is told apart
        line = text.count("\n", 0, problem.position) + 1
        yield Document(number + 1, line, problems=(("", f"the text cannot be read: {problem.reason}"),))
    except (yaml.YAMLError, RecursionError) as problem:
        yield Document(number + 1, _line(problem, line), problems=(("", _reason(problem)),))


def _construct(loader: _Loader, node: yaml.Node, number: int, line: int) -> Document:
    try:
        value = loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType]  # untyped in the stubs
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        return Document(number, _line(problem, line), problems=(("", _reason(problem)),))
    budget = [_MAX_VALUES]
    problems = tuple(_problems(value, "", 1, budget))
    return Document(number, line, None if problems else value, problems)


def _problems(value: Any, path: str, depth: int, budget: list[int]) -> Iterator[tuple[str, str]]:
    """Yield what is no JSON data."""
    budget[0] -= 1
    if budget[0] <= 0 or depth > _MAX_DEPTH:
        if budget[0] == 0 or depth > _MAX_DEPTH:
            yield path, f"nested deeper than {_MAX_DEPTH} levels, or more than {_MAX_VALUES:,} values"
        return
    if is_map(value):
        yield from _key_problems(value, path)
        for key, inner in value.items():
            yield from _problems(inner, f"{path}.{key}" if path else str(key), depth + 1, budget)
    elif is_list(value):
        for index, inner in enumerate(value):
            yield from _problems(inner, f"{path}[{index}]", depth + 1, budget)
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"{value} has no JSON form"
    elif value is not None and not isinstance(value, str | int | float | bool):
        yield path, f"a value of the type {type(value).__name__} has no JSON form"


def _key_problems(value: Iterable[object], path: str) -> Iterator[tuple[str, str]]:
    for key in value:
        if not isinstance(key, str):
            yield path, f"the key {key!r:.80} is not text; put it in quotes"


def _line(problem: Exception, line: int) -> int:
    mark = getattr(problem, "problem_mark", None)
    return mark.line + 1 if mark is not None else line


def _reason(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deep to be read"
    return str(getattr(problem, "problem", None) or problem)


def write_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Write documents as one text, keys in the order given."""
    return yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, allow_unicode=True, width=120)
