"""Messages are grammatical whatever stands in them: no article before a value, no plural after a count."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "emco_store"
_ARTICLE = re.compile(r"(^|\W)an? $", re.IGNORECASE)
_PLURAL = re.compile(r" [a-z]+s\b")
_NO_PLURALS = re.compile(r" (is|was|has|needs|holds|does)\b")


def faults(source: str) -> Iterator[str]:
    """Yield the texts of a module that are wrong for some values."""
    for text in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)):
        for before, after in zip(text.values, text.values[1:], strict=False):
            match before, after:
                case ast.Constant(value=str(words)), ast.FormattedValue() if _ARTICLE.search(words):
                    yield f"{text.lineno}: an article before a value: {ast.unparse(text)}"
                case ast.FormattedValue(value=ast.Call(func=ast.Name(id="len"))), ast.Constant(value=str(words)) if (
                    _PLURAL.match(words) and not _NO_PLURALS.match(words)
                ):
                    yield f"{text.lineno}: use core.wording.count: {ast.unparse(text)}"


def test_messages_are_right_for_every_kind_and_count():
    """A kind may be App, and a key may have one name."""
    found = [
        f"{path.relative_to(SOURCES)}:{fault}"
        for path in sorted(SOURCES.rglob("*.py"))
        for fault in faults(path.read_text("utf-8"))
    ]

    assert [] == found


@pytest.mark.parametrize(
    ("source", "is_wrong"),
    [
        ('f"below a {kind}"', True),
        ('f"A {kind} is a root"', True),
        ('f"it has {len(names)} names"', True),
        ("f\"it has {count(len(names), 'name')}\"", False),
        ('f"the data {kind}"', False),
        ('f"{len(names)} is too many"', False),
    ],
)
def test_wrong_messages_are_found(source, is_wrong):
    """The rule above looks at something."""
    assert is_wrong == bool(list(faults(source)))
