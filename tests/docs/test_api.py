"""The generated API reference is complete: every public name has its place in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import emco_store
import emco_store.contracts.suite
import emco_store.emco
import emco_store.fastapi
import emco_store.otel
import emco_store.ports

PAGES = Path(__file__).parents[2] / "docs" / "reference" / "api"


def documented(text: str) -> set[str]:
    """Return the full names that the directives of a page document."""
    module, found = "", set[str]()
    for directive, argument, more in re.findall(r"^\.\. ([a-z]+):: (\S+)((?:\n {10}\w+)*)", text, re.MULTILINE):
        names = [argument, *more.split()]
        if directive == "currentmodule":
            module = argument
        else:
            found |= {name if "." in name else f"{module}.{name}" for name in names}
    return found


def documented_everywhere() -> set[str]:
    """Return the full names that all pages document."""
    return set().union(*(documented(page.read_text("utf-8")) for page in PAGES.glob("*.md")))


@pytest.mark.parametrize(
    "module",
    [emco_store, emco_store.emco, emco_store.fastapi, emco_store.otel, emco_store.contracts.suite, emco_store.ports],
)
def test_every_public_name_is_in_the_api_reference(module):
    """A name that a public module exports is documented, there or where ``emco_store`` exports it too."""
    elsewhere = {name for name in emco_store.__all__ if getattr(module, name, None) is getattr(emco_store, name)}
    wanted = {f"{'emco_store' if name in elsewhere else module.__name__}.{name}" for name in module.__all__}

    assert set() == wanted - documented_everywhere()


def test_every_api_page_is_reachable():
    """A page of the API reference stands in its table of contents."""
    entries = set((PAGES / "index.md").read_text("utf-8").split())

    assert set() == {page.stem for page in PAGES.glob("*.md")} - {"index"} - entries


def test_name_that_is_not_documented_is_seen():
    """The rule above bites: a directive counts with its module, and prose does not."""
    text = "Key\n.. currentmodule:: a.b\n\n.. autoclass:: Ref\n.. data:: X\n          Y\n.. autoclass:: c.Z\n"

    assert {"a.b.Ref", "a.b.X", "a.b.Y", "c.Z"} == documented(text)
