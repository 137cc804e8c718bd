"""What is sent to Redis and read from it: values, orders and bounds, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from emco_store.backends.redis.commands import (
    SCRIPTS,
    SCRIPTS_7,
    Names,
    commit_args,
    commit_reply,
    decode,
    encode,
    found_reply,
    get_args,
    get_reply,
    pack,
    packed,
    words,
)
from emco_store.backends.redis.ranges import escaped, scan_args
from emco_store.core.keys import Key
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record, Stamp
from emco_store.core.rules import Rule
from emco_store.errors import Misconfigured
from emco_store.ports import Commit, Fenced, Missing, Moved, Receipt, Refusal, Scan, Stale, Taken

TEXTS = st.text(max_size=12)
NAMES = st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True)
KEYS = st.builds(Key, st.sampled_from(["Site", "App"]), NAMES, NAMES)
EDGES = st.builds(
    Edge,
    target=KEYS,
    path=st.lists(st.one_of(NAMES, st.integers(0, 9)), min_size=1, max_size=3).map(tuple),
    rule=st.sampled_from(list(Rule)),
    at_key=st.booleans(),
    default=st.none() | KEYS,
)
PAIRS = st.lists(st.tuples(NAMES, TEXTS), max_size=3).map(tuple)
RECORDS = st.builds(
    Record,
    key=KEYS,
    uid=st.uuids().map(str),
    version=st.integers(1, 2**53),
    document=st.binary(max_size=40),
    edges=st.lists(EDGES, max_size=3).map(tuple),
    unique=PAIRS,
    index=PAIRS,
    created_us=st.integers(0, 2**60),
    updated_us=st.integers(0, 2**60),
    guard=st.integers(0, 2**53),
    origin=st.builds(Origin, TEXTS, TEXTS, TEXTS),
)
PLAIN = Record(
    key=Key("Site", "a"), uid="u", version=1, document=b"{}", edges=(), unique=(), index=(), created_us=0, updated_us=0
)  # fmt: skip


@given(RECORDS)
def test_record_that_is_written_and_read_is_the_same(record):
    """ID-1: nothing that a record holds can be taken for another part of its value."""
    assert record == decode(record.key, encode(record), str(record.guard).encode())


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"x", b"u 1 0 0 0 0 0 0 0", b"u x 0 0 0 0 0 0 0\n", b"u 1 0 0 0 0 0\n{}"),
        *(b"u 1 0 0 0 3 0 0 0\n[1]", b"u 1 0 0 0 9 0 0 0\nnull", b"u 1 0 0 0 2 4 0 0\n[]null"),
        *(b"u 1 0 0 0 2 0 0 0 3\n[][1]", b"u 1 0 0 0 2 0 0 0 x\n[]{}", b"u 1 0 0 0 2 0 0 0 2\n[][,"),
    ],
)
def test_value_that_no_store_has_written_is_a_typed_error(value):
    """ATM-3: what another program has put there is named, and nothing is guessed."""
    with pytest.raises(Misconfigured):
        decode(Key("Site", "a"), value, b"0")


@given(TEXTS, TEXTS)
def test_escaped_texts_keep_their_order_and_hold_no_nul(one, other):
    """ID-8: members of the index sort as their texts do, byte by byte."""
    written = [escaped(text).encode("utf-8", "surrogatepass") for text in (one, other)]
    plain = [text.encode("utf-8", "surrogatepass") for text in (one, other)]

    assert (plain[0] < plain[1], plain[0] == plain[1]) == (written[0] < written[1], written[0] == written[1])
    assert b"\0" not in b"".join(written)


def bounds(scan: Scan) -> tuple[bytes, bytes]:
    """Return the two bounds of a scan."""
    args = scan_args(scan)
    return args[2], args[3]  # type: ignore[return-value]  # as read.lua reads them


def includes(scan: Scan, member: bytes) -> bool:
    """Tell whether Redis finds a member between the bounds of a scan."""
    low, high = bounds(scan)
    above = low == b"-" or member > low[1:] or (low[:1] == b"[" and member == low[1:])
    return above and (high == b"+" or member < high[1:] or (high[:1] == b"[" and member == high[1:]))


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.booleans())
def test_pages_by_key_meet_without_a_gap_and_without_an_overlap(names, descending):
    """ID-7: what is behind a cursor is exactly what comes after it in the order."""
    keys = sorted((Key("Site", name).text for name in names), reverse=descending)

    for at, text in enumerate(keys):
        scan = Scan("Site", after=("", text), descending=descending)
        assert keys[at + 1 :] == [key for key in keys if includes(scan, key.encode())]


@given(st.lists(st.tuples(TEXTS, NAMES), min_size=1, max_size=6, unique=True), TEXTS, TEXTS, st.booleans())
def test_range_of_an_index_is_what_its_bounds_say(entries, one, other, descending):
    """ID-8: the lower bound is inclusive and the upper one is not, and a cursor leaves out what was seen."""
    low, below = sorted((one, other))
    members = {f"Site\0field={escaped(text)}\0Site/{name}".encode(): (text, f"Site/{name}") for text, name in entries}
    wanted = sorted((at for at in members.values() if low <= at[0] < below), reverse=descending)

    def found(after: tuple[str, str] | None) -> list[tuple[str, str]]:
        scan = Scan("Site", field="field", low=low, below=below, after=after, descending=descending)
        return sorted((at for member, at in members.items() if includes(scan, member)), reverse=descending)

    assert wanted == found(None)
    for at, position in enumerate(wanted):
        assert wanted[at + 1 :] == found(position)


def test_scan_of_one_kind_finds_no_other():
    """ID-7: a kind ends where the next begins, and a prefix of a key is no part of a longer name."""
    assert includes(Scan("Site"), b"Site/a")
    assert not includes(Scan("Site"), b"Sites/a")
    assert not includes(Scan("Site", prefix="Site/p1/"), b"Site/p10/a")
    assert includes(Scan(None), b"Anything/a")
    assert not includes(Scan("Site", field="a"), b"Site\0ab=x\0Site/a")


def test_replies_of_commit_name_what_failed():
    """ATM-3: every precondition that failed comes back with its key and what was found."""
    key, owner = Key("Site", "a"), Key("Site", "b")
    commit = Commit("t", {key: Stamp("u", 1), owner: None}, puts=(PLAIN,))
    reply = [
        *(b"refused", b"stale", b"Site/a", b"v 2", b"stale", b"Site/b", b""),
        *(b"missing", b"Site/a", b"", b"moved", b"Site/a", b"", b"fenced", b"", b""),
        *(b"taken", b"Site/a", b"code=x\0Site/b"),
    ]

    assert Receipt("t") == commit_reply(commit, [b"committed"])
    assert Refusal(
        (
            Stale(key, Stamp("u", 1), Stamp("v", 2)),
            Stale(owner, None, None),
            Missing(key),
            Moved(key),
            Fenced("t"),
            Taken(key, "code", owner),
        )
    ) == commit_reply(commit, reply)


def test_replies_of_reads_leave_out_what_is_not_there():
    """ID-2: a key that is absent has no record, and one that went meanwhile is not found."""
    value = encode(PLAIN)

    assert {PLAIN.key: replace(PLAIN, guard=3)} == get_reply(
        [PLAIN.key, Key("Site", "b")], [[value, None], [b"3", None]]
    )
    assert (PLAIN,) == found_reply([[], [], [b"Site/a", b"Site/b"], [value, None], [None, None]])
    assert ["Site/a"] == get_args([PLAIN.key])


def test_commit_that_puts_needs_memory_and_no_other_does():
    """ATM-3: only the scripts that may run with a full memory say so, and all are different to the server."""
    grows, shrinks = Commit("t", puts=(PLAIN,)), Commit("t", deletes=(PLAIN.key,))

    assert SCRIPTS_7.grow == SCRIPTS_7.commit(grows)
    assert SCRIPTS_7.shrink == SCRIPTS_7.commit(shrinks)
    assert 6 == len({script.sha for script in SCRIPTS_7.all})
    assert SCRIPTS.commit(grows) == SCRIPTS.commit(shrinks)


def test_keys_of_a_namespace_share_one_slot():
    """All keys hold the same hash tag, and no namespace's tag is part of another's."""
    names = Names("n1")

    keys = {key for head in (names.read, names.commit, names.hold) for key in head if isinstance(key, str)}
    assert {"emco:n1"} == {key[1 : key.index("}")] for key in {*keys, names.outcome("t")}}
    assert [names.outcome("t"), "", "0 0 0 0 0"] == [
        commit_args(names.outcome("t"), Commit("t"))[at] for at in (0, 2, 3)
    ]


def test_call_of_a_script_is_sent_as_its_words_say():
    """What is packed before and what is packed for a call make the same command as all of it at once."""
    head, rest = Names("n1").read, ("é", 7, b"\0\r\n")

    assert pack(words(("EVALSHA", "sha", head, rest))) == packed(("EVALSHA", "sha", head, rest))
