"""Names that could be read as another key, or be seen as another name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emco_store import F, InvalidResource, Key, NotFound
from tests.bad_input.case import Case, World, check
from tests.bad_input.models import Host, Release, Zone

BAD_NAMES: dict[str, Any] = {
    "empty": "",
    "slash": "a/b",
    "backslash": "a\\b",
    "percent": "a%2Fb",
    "dot": ".",
    "two-dots": "..",
    "leading-space": " a",
    "trailing-space": "a ",
    "only-a-space": " ",
    "nul": "a\0b",
    "bell": "a\x07b",
    "delete-character": "a\x7fb",
    "newline-inside": "a\nb",
    "newline-at-the-end": "a\n",
    "tab": "a\tb",
    "next-line": "a\x85b",
    "line-separator": "a\u2028b",
    "paragraph-separator": "a\u2029b",
    "no-break-space-inside": "a\u00a0b",
    "em-space-inside": "a\u2003b",
    "ideographic-space-inside": "a\u3000b",
    "zero-width-space": "a\u200bb",
    "zero-width-joiner": "a\u200db",
    "word-joiner": "a\u2060b",
    "byte-order-mark": "\ufeffa",
    "soft-hyphen": "a\u00adb",
    "right-to-left-mark": "a\u200f",
    "right-to-left-override": "a\u202eb",
    "isolate": "a\u2066b",
    "combining-grapheme-joiner": "a\u034fb",
    "hangul-filler": "a\u3164",
    "half-width-hangul-filler": "a\uffa0",
    "braille-blank": "a\u2800b",
    "variation-selector": "a\ufe0f",
    "variation-selector-supplement": "a\U000e0100",
    "emoji-tags": "\U0001f3f4\U000e0067\U000e007f",
    "high-surrogate": "a\ud800",
    "low-surrogate": "\udc00a",
    "private-use": "a\ue000",
    "private-use-plane": "a\U000f0000",
    "not-a-character": "a\uffff",
    "unassigned": "a\u0378",
    "decomposed": "e\u0301",
    "angstrom-sign": "\u212b",
    "254-characters": "a" * 254,
    "10,000-characters": "a" * 10_000,
    "int": 7,
    "none": None,
    "list": ["a"],
    "true": True,
}

GOOD_NAMES = (
    "a",
    "-",
    "a.b",
    "...",
    "*",
    "~",
    "a b",
    "a+b",
    "$a",
    "{a}",
    "a:b",
    "a?b#c",
    "'\"",
    "\u00e9",
    "\u6771\u4eac",
    "\u0645\u0635\u0631",
    "\U0001f600",
    "a" * 253,
)

WAYS: dict[str, Callable[[World, Any], object]] = {
    "resource": lambda world, name: world.store.create(Host(parent=world.zone, name=name)),
    "second-key-field": lambda world, name: world.store.create(Release(parent=world.zone, name="r", version=name)),
    "key": lambda _, name: Key("Host", "z1", name),
    "get": lambda world, name: world.store.get(Host, "z1", name),
    "update": lambda world, name: world.store.update(world.host.model_copy(update={"name": name})),
}


@pytest.mark.parametrize("way", WAYS)
def test_bad_name_is_refused(world: World, way: str, subtests: pytest.Subtests):
    """BAD-1: A name that could be read as another key or seen as another name is refused wherever it comes in."""
    for title, name in BAD_NAMES.items():
        with subtests.test(title):
            call = partial(WAYS[way], name=name)
            check(Case(title, "BAD-1", call, InvalidResource, fields={"key": None}), world)


def test_unusual_name_addresses_its_resource_alone(world: World, subtests: pytest.Subtests):
    """ID-2: A name that is acceptable is exact, whatever it would mean to a shell, a glob or a database."""
    for name in GOOD_NAMES:
        with subtests.test(name):
            made = world.store.create(Zone(name=name))

            found = world.store.list(Zone, where=F.name == name)

            assert (made.key,) == tuple(zone.key for zone in found)
            assert made == world.store.get(Key.parse(str(made.key)))


def test_star_is_a_name_and_no_wildcard(world: World):
    """ID-3: No part of a key means "any": a star finds nothing but a resource of that name."""
    for key in (Key("Zone", "*"), Key("Host", "z1", "*"), Key("Host", "*", "h1")):
        with pytest.raises(NotFound) as caught:
            world.store.get(key)
        assert (key,) == caught.value.keys

    assert () == world.store.list(Host, parent=Key("Zone", "*")).items
    assert () == world.store.list(Host, under=Key("Zone", "*")).items
    assert () == world.store.referrers(Key("Zone", "*")).items
