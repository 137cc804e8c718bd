"""YAML as emcoctl reads it, and nothing more: plain data, no duplicate keys, no surprise in how a value is typed.

emcoctl reads YAML 1.2 with a library (Go's ``yaml.v3``) that takes only ``true`` and ``false`` for booleans. What
YAML 1.1 would turn into something else stays text here too: ``yes``, ``12:34:56``, ``0755``, ``2024-01-01``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from yaml.scanner import ScannerError

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


_BREAKS = "\r\n\x85\u2028\u2029"
_ENDS = f"\0 \t{_BREAKS}"
_FLOAT = r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"


class _Loader(yaml.SafeLoader):
    """A safe loader without YAML 1.1's implicit types and without duplicate keys, whose scanner is as free as Go's.

    A tab separates tokens as a space does, except where it would indent a block, and a ``?`` inside a word of a flow
    collection is a letter like others.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    if TYPE_CHECKING:  # untyped in the stubs
        flow_level: int
        allow_simple_key: bool
        indent: int
        column: int

        def peek(self, index: int = 0) -> str: ...
        def prefix(self, length: int = 1) -> str: ...
        def forward(self, length: int = 1) -> None: ...
        def get_mark(self) -> yaml.Mark: ...
        def scan_line_break(self) -> str: ...

    def scan_to_next_token(self) -> None:
        """Skip white space and comments."""
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            while self.peek() in " \t":
                self.forward()
            super().scan_to_next_token()

    def scan_plain(self) -> yaml.ScalarToken:
        """Read text that stands without quotes."""
        chunks: list[str] = []
        spaces: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        while self.peek() != "#" and (length := self._word_length()):
            self.allow_simple_key = False
            chunks += [*spaces, self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            spaces = self._spaces(indent, start)
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(chunks), True, start, end)  # noqa: FBT003 - PyYAML's own

    def _word_length(self) -> int:
        length = 0
        while (letter := self.peek(length)) not in _ENDS:
            after = self.peek(length + 1)
            if letter == ":" and after in (f"{_ENDS},[]{{}}" if self.flow_level else _ENDS):
                break
            if self.flow_level and (letter in ",[]{}" or (letter == "?" and after in _ENDS)):
                break
            length += 1
        return length

    def _spaces(self, indent: int, start: yaml.Mark) -> list[str]:
        """Read the white space after a word: what it stands for, or nothing where the text ends."""
        length = 0
        while self.peek(length) in " \t":
            length += 1
        blank = self.prefix(length)
        self.forward(length)
        if self.peek() not in _BREAKS:
            return [blank] if blank else []
        first: str = self.scan_line_break()
        self.allow_simple_key = True
        more: list[str] = []
        while not self._is_document_end() and self.peek() in f" \t{_BREAKS}":
            if self.peek() == "\t" and not self.flow_level and self.column < indent:
                raise ScannerError(
                    "while scanning text without quotes", start, "a tab cannot indent it", self.get_mark()
                )
            if self.peek() in " \t":
                self.forward()
            else:
                more.append(self.scan_line_break())
        if self._is_document_end():
            return []
        return more if first == "\n" and more else [" " if first == "\n" else first, *more]

    def _is_document_end(self) -> bool:
        return self.column == 0 and self.prefix(3) in {"---", "..."} and self.peek(3) in _ENDS


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
