"""The reference pages are complete: what is public stands in them, and what stands in them is public."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import emco_store
from emco_store import errors
from emco_store.cli.arguments import VERBS
from emco_store.cli.exits import MEANINGS

PAGES = Path(__file__).parents[2] / "docs" / "reference"
ERRORS = [getattr(errors, name) for name in emco_store.__all__ if hasattr(errors, name) and name != "StoreError"]


def words(*pages):
    """Return all words that stand in code style on the pages, however they are used there."""
    spans = [span for page in pages for span in re.findall(r"`([^`\n]+)`|```(.*?)```", _text(page), re.DOTALL)]
    return {word for pair in spans for span in pair for word in re.findall(r"[A-Za-z_]\w*", span)}


def section(page, heading):
    """Return the text of one section of a page; empty where there is none."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", _text(page), re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def public(kind):
    """Return the public names that a class defines; the methods of a store stand in two classes."""
    bases = kind.__mro__ if kind in {emco_store.Store, emco_store.AsyncStore} else (kind,)
    return {name for base in bases for name in vars(base) if not name.startswith("_")}


def attributes(kind):
    """Return the names of what an instance of a class has, fields without a value on the class included."""
    return {*dir(kind), *getattr(kind, "__annotations__", {}), *getattr(kind, "__slots__", ())}


def _text(page):
    return (PAGES / f"{page}.md").read_text("utf-8")


def test_every_public_name_is_in_the_reference():
    """A name that ``emco_store`` exports stands in the reference."""
    assert set() == set(emco_store.__all__) - words(
        "models", "store", "lifecycles", "leases", "supervision", "feed", "consumers", "relays", "segments", "errors"
    )


@pytest.mark.parametrize("kind", [emco_store.Store, emco_store.Transaction])
def test_every_public_method_is_in_its_section(kind):
    """A public method of a store or a transaction stands in the section of its class."""
    text = section("store", kind.__name__)

    assert set() == {name for name in public(kind) if not re.search(rf"`{name}\b", text)}


def test_every_method_in_the_table_is_one_of_the_store():
    """The table names no method that is not there."""
    named = re.findall(r"^\| `(\w+)\(", section("store", "Store"), re.MULTILINE)

    assert set() == set(named) - public(emco_store.Store)


def test_every_attribute_of_a_value_is_one_of_its_class():
    """What the page lists as an attribute of a value exists."""
    entries = re.findall(r"^`(\w+)[^`]*`\n: (.*(?:\n  .*)*)", section("store", "Values"), re.MULTILINE)
    named = {(name, word) for name, text in entries for word in re.findall(r"`([a-z]\w*)(?:\(\))?`", text)}
    absent = {(name, word) for name, word in named if word not in attributes(getattr(emco_store, name))}

    assert named
    assert set() == absent


def test_async_classes_have_the_same_methods():
    """What the reference says of the blocking classes holds for the asyncio ones; ``close`` is ``aclose`` there."""
    assert public(emco_store.Store) - {"close"} == public(emco_store.AsyncStore) - {"aclose"}
    assert public(emco_store.Transaction) == public(emco_store.AsyncTransaction)


def test_errors_page_has_one_section_for_each_code():
    """A code has a section, and a section a code."""
    headings = re.findall(r"^## (\S+)$", _text("errors"), re.MULTILINE)

    assert sorted(error.code for error in ERRORS) == sorted(headings)


@pytest.mark.parametrize("error", ERRORS)
def test_error_section_names_class_and_fields_and_retry(error):
    """A section says which class has the code, which fields it has, and whether it can be repeated."""
    text = section("errors", error.code)
    fields = public(error) - {"code", "retryable"}

    assert set() == {name for name in fields | {error.__name__} if f"`{name}`" not in text}
    assert error.retryable == ("Retryable: yes" in text)
    assert error.retryable != ("Retryable: no" in text)


def test_command_line_page_names_every_verb():
    """A verb of the command line has a line in the table of verbs, and no other has."""
    named = re.findall(r"^\| `(\w+)", section("command-line", "Verbs"), re.MULTILINE)

    assert sorted(VERBS) == sorted(named)


def test_command_line_page_has_the_exit_codes_of_the_help():
    """The page and ``emco-store --help`` say the same about exit codes."""
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section("command-line", "Exit codes"), re.MULTILINE)

    assert {int(code): meaning for code, meaning in MEANINGS.items()} == {int(code): text for code, text in rows}


def test_command_line_page_names_every_option():
    """An option of any verb stands on the page."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for verb in VERBS.values():
        verb.fill(parser)
    options = {option for action in parser._actions for option in action.option_strings}

    assert set() == {option for option in options if option not in _text("command-line")}
