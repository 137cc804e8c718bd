"""The rules in docs/contracts.md, the tests of the suite and the docstrings of the source name the same things."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from emco_store.contracts.rules import names_by_rule, proofs_of, rules_of
from emco_store.contracts.suite import Conformance

ROOT = Path(__file__).parents[2]
RULES = re.findall(r"^- \*\*([A-Z]+-\d+)\*\* ", (ROOT / "docs/contracts.md").read_text("utf-8"), re.MULTILINE)
_NAMED = re.compile(r"([A-Z]+)-(\d+)(?:\s+to\s+(?:\1-)?(\d+))?")


def expand(text: str) -> list[str]:
    """Return every rule that a text names; ``DEL-1 to DEL-3`` names three."""
    return [
        f"{family}-{number}"
        for family, first, last in _NAMED.findall(text)
        for number in range(int(first), int(last or first) + 1)
    ]


def rules_in(path: Path) -> list[str]:
    """Return the rules that the docstrings of a file name behind ``Rules:``."""
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = [ast.get_docstring(node) or "" for node in nodes]
    return [rule for text in docstrings for part in text.split("Rules:")[1:] for rule in expand(part)]


def test_rules_are_numbered_without_a_gap():
    """Each family of rules counts from 1, and no id stands twice."""
    families = dict.fromkeys(rule.split("-")[0] for rule in RULES)

    assert [f"{family}-{at + 1}" for family in families for at in range(_size(family))] == RULES


def test_every_rule_has_a_test():
    """No rule without a test."""
    assert [] == [rule for rule in RULES if rule not in names_by_rule(Conformance)]


def test_every_rule_named_by_a_test_exists():
    """No test without a rule that is written down."""
    assert [] == [rule for rule in names_by_rule(Conformance) if rule not in RULES]


def test_every_test_of_the_suite_names_its_rules():
    """Each test carries its rules; its docstring, where it names rules, names no others."""
    unmarked = [name for name, test in proofs_of(Conformance) if not rules_of(test)]
    other = [
        name for name, test in proofs_of(Conformance) if not set(expand(test.__doc__ or "")) <= set(rules_of(test))
    ]

    assert ([], []) == (unmarked, other)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src/emco_store").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_rules_named_in_the_source_exist(path):
    """What a docstring says under ``Rules:`` is written down."""
    assert [] == [rule for rule in rules_in(path) if rule not in RULES]


def test_rules_are_named_in_the_source():
    """The rule above looks at something."""
    assert {"DEL-9", "ATM-5"} <= set(rules_in(ROOT / "src/emco_store/_aio/store.py"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("DEL-1 to DEL-3, ATM-2.", ["DEL-1", "DEL-2", "DEL-3", "ATM-2"]),
        ("BAD-2 to 4", ["BAD-2", "BAD-3", "BAD-4"]),
        ("HB-1", ["HB-1"]),
        ("UTF-8 is no rule, but looks like one", ["UTF-8"]),
    ],
)
def test_range_of_rules_is_expanded(text, named):
    """A range names each rule in it."""
    assert named == expand(text)


def _size(family: str) -> int:
    return sum(rule.startswith(f"{family}-") for rule in RULES)
