"""The glossary: in order, and with every word of the port, on which code and decisions lean."""

from __future__ import annotations

import re
from inspect import isclass
from pathlib import Path

import pytest

from emco_store.core import rules
from emco_store.ports import replies, requests

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "glossary.md"
TERM = re.compile(r"^([a-z][a-z, ]*)\n: ", re.MULTILINE)
WORDS = {
    "batcher",
    "guard",
    "hint",
    "hold",
    "optimistic",
    "outcome retention",
    "queue",
    "tombstone",
    "transport",
    "waiter",
}


def test_terms_are_in_order_and_once():
    """A term is found where the alphabet puts it."""
    terms = TERM.findall(PAGE.read_text("utf-8"))

    assert sorted(set(terms)) == terms


@pytest.mark.parametrize("module", [requests, replies])
def test_every_request_and_reply_of_the_port_is_explained(module):
    """A new request or reply needs a word that a reader can look up."""
    names = {
        name
        for name, value in vars(module).items()
        if isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }

    text = PAGE.read_text("utf-8")

    assert {"Request"} >= {name for name in names if not re.search(rf"`{name}`|^{name.lower()}\n", text, re.MULTILINE)}


def test_delete_rules_and_words_of_the_code_are_explained():
    """Each delete rule that a model can declare, and each word that replaced another, has its entry."""
    text = PAGE.read_text("utf-8")

    assert [] == [str(rule) for rule in rules.Rule if not rule.selects and f"`{rule}`" not in text]
    assert WORDS <= set(TERM.findall(text))
