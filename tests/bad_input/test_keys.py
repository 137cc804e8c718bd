"""Addresses that are not the address of exactly one resource."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store import InvalidCall, InvalidResource, Key, NotFound, Ref
from tests.bad_input.case import Case, World, check, table
from tests.bad_input.models import Host, Release, Zone

BAD_TEXTS: dict[str, Any] = {
    "empty": "",
    "slash-alone": "/",
    "kind-alone": "Host",
    "kind-and-slash": "Host/",
    "no-kind": "/z1/h1",
    "empty-name-inside": "Host//h1",
    "slash-at-the-end": "Host/z1/h1/",
    "kind-with-a-digit-first": "1Host/z1",
    "kind-with-a-space": "Ho st/z1",
    "kind-with-a-dot": "Ho.st/z1",
    "kind-of-64-characters": f"{'H' * 64}/z1",
    "encoded-without-need": "Host/%61",
    "small-hexadecimal": "Host/%c3%a9",
    "not-encoded-space": "Host/a b",
    "not-encoded-letter": "Host/\u00e9",
    "encoded-slash": "Host/a%2Fb",
    "encoded-nul": "Host/a%00b",
    "encoded-surrogate": "Host/%ED%A0%80",
    "broken-utf-8": "Host/%FF",
    "half-an-escape": "Host/a%2",
    "two-dots": "Host/..",
    "newline-at-the-end": "Host/z1\n",
    "10,000-characters": f"Host/{'a' * 10_000}",
    "int": 7,
    "none": None,
    "bytes": b"Host/z1",
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_bad_text_of_a_key_is_refused(world: World, text: str):
    """BAD-1: A text is a key only as ``str(key)`` writes it, so no two texts mean one key."""
    check(Case(text, "BAD-1", lambda _: Key.parse(BAD_TEXTS[text]), InvalidResource, fields={"key": None}), world)


@table(
    Case("key-without-names", "ID-3", lambda _: Key("Host"), InvalidResource),
    Case("key-with-an-empty-name", "BAD-1", lambda _: Key("Host", "z1", ""), InvalidResource),
    Case("kind-that-is-no-text", "BAD-1", lambda _: Key(7, "z1"), InvalidResource),  # type: ignore[arg-type]  # bad on purpose
    Case("all-that-is-wrong-at-once", "BAD-1", lambda _: Key("1", "", "a/b"), InvalidResource),
    Case("get-without-names", "ID-3", lambda w: w.store.get(Host), InvalidResource),
    Case("get-with-too-few-names", "ID-3", lambda w: w.store.get(Host, "z1"), InvalidCall),
    Case("get-with-too-many-names", "ID-3", lambda w: w.store.get(Host, "z1", "h1", "x"), InvalidCall),
    Case("get-with-an-empty-name", "ID-3", lambda w: w.store.get(Host, "", "h1"), InvalidResource),
    Case("get-with-none-as-name", "ID-3", lambda w: w.store.get(Host, None, "h1"), InvalidResource),
    Case("get-with-a-name-as-bytes", "BAD-1", lambda w: w.store.get(Host, b"z1", "h1"), InvalidResource),
    Case("get-with-one-of-two-own-names", "ID-3", lambda w: w.store.get(Release, "z1", "r1"), InvalidCall),
    Case("get-of-a-key-that-is-too-short", "ID-3", lambda w: w.store.get(Key("Host", "z1")), InvalidCall),
    Case("get-of-a-key-that-is-too-long", "ID-3", lambda w: w.store.get(Key("Zone", "z1", "h1")), InvalidCall),
    Case("get-of-a-key-with-more-names", "ID-3", lambda w: w.store.get(w.zone.key, "h1"), InvalidCall),
    Case("get-of-a-resource-with-names", "ID-3", lambda w: w.store.get(w.host, "h1"), InvalidCall),
    Case("get-of-a-short-reference", "REF-11", lambda w: w.store.get(Ref("h1")), InvalidCall),
    Case("get-of-a-text", "BAD-6", lambda w: w.store.get("Host/z1/h1"), InvalidCall),
    Case("get-of-none", "BAD-6", lambda w: w.store.get(None), InvalidCall),
    Case("get-of-a-class-that-is-no-resource", "BAD-6", lambda w: w.store.get(dict, "z1"), InvalidCall),
    Case("get-many-with-one-bad-key", "ID-3", lambda w: w.store.get_many([w.zone, Key("Host", "z1")]), InvalidCall),
    Case("get-many-of-a-text", "BAD-6", lambda w: w.store.get_many("z1"), InvalidCall),
    Case("get-many-of-none", "BAD-6", lambda w: w.store.get_many(None), InvalidCall),
    Case("children-of-a-text", "BAD-6", lambda w: w.store.children("Zone/z1"), InvalidCall),
    Case("referrers-of-a-key-that-is-too-short", "ID-3", lambda w: w.store.referrers(Key("Host", "z1")), InvalidCall),
    Case("delete-of-a-key-that-is-too-short", "ID-3", lambda w: w.store.delete(Key("Host", "z1")), InvalidCall),
    Case("resource-without-its-parent", "REF-1", lambda w: w.store.create(Host(name="h")), InvalidResource),
    Case("root-with-a-parent", "BAD-6", lambda w: w.store.create(Zone(parent=w.zone, name="z")), InvalidResource),
    Case("parent-of-another-kind", "BAD-6", lambda w: Host(parent=w.host, name="h"), InvalidResource),
    Case("parent-with-too-many-names", "ID-3", lambda _: Host(parent="Zone/z1/x", name="h"), InvalidResource),
    Case("parent-as-a-bare-name", "ID-3", lambda _: Host(parent="z1", name="h"), InvalidResource),
    Case("parent-as-a-wrong-text", "BAD-1", lambda _: Host(parent="Zone/a b", name="h"), InvalidResource),
    Case("parent-as-a-number", "BAD-6", lambda _: Host(parent=7, name="h"), InvalidResource),
    Case("name-is-missing", "BAD-6", lambda w: Host(parent=w.zone), InvalidResource),
)
def test_bad_address_is_refused(case: Case, world: World):
    """ID-3: An address with too few or too many names, or that is none, is refused before anything is asked."""
    check(case, world)


@table(
    Case("get", "ID-2", lambda w: w.store.get(Zone, "h1"), NotFound, {"keys": (Key("Zone", "h1"),)}, must_read=True),
    Case("get-by-prefix", "ID-2", lambda w: w.store.get(Zone, "z"), NotFound, must_read=True),
    Case("get-in-another-case", "ID-2", lambda w: w.store.get(Zone, "Z1"), NotFound, must_read=True),
    Case("get-of-another-kind", "ID-2", lambda w: w.store.get(Key("Sheet", "z1")), NotFound, must_read=True),
    Case("get-of-an-unknown-kind", "ID-2", lambda w: w.store.get(Key("Nothing", "z1")), NotFound, must_read=True),
    Case("get-with-a-star", "ID-3", lambda w: w.store.get(Host, "z1", "*"), NotFound, must_read=True),
    Case("get-with-a-pattern", "ID-3", lambda w: w.store.get(Host, "z1", "h?"), NotFound, must_read=True),
    Case("delete-with-a-star", "ID-3", lambda w: w.store.delete(Key("Host", "z1", "*")), NotFound, must_read=True),
    Case(
        "get-many-of-two-that-are-missing",
        "ID-2",
        lambda w: w.store.get_many([Key("Zone", "x"), w.zone, Key("Zone", "y")]),
        NotFound,
        {"keys": (Key("Zone", "x"), Key("Zone", "y"))},
        must_read=True,
    ),
)
def test_address_of_nothing_finds_nothing_else(case: Case, world: World):
    """ID-2: An address finds its resource or nothing; never a prefix, a pattern, or another kind."""
    check(case, world)
