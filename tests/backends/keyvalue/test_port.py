"""The port over a map whose writes meet others, whose replies get lost, and whose entries somebody damages."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from emco_store.backends.keyvalue import feed, port as port_module
from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.planning import Settled
from emco_store.contracts.fences import lease
from emco_store.core.flaws import FlawKind
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.records import Edge, Record, Stamp
from emco_store.core.rules import RESTRICT, SET_NULL
from emco_store.errors import FeedGap, InvalidCall, Misconfigured
from emco_store.ports import (
    Audit,
    Commit,
    Count,
    Events,
    Get,
    Hold,
    Mend,
    Missing,
    Outcome,
    OutcomeLost,
    Receipt,
    ReferrerQuery,
    Refusal,
    Scan,
    Settle,
    Stale,
    Unreachable,
)
from emco_store.ports.deadline import begin, end
from tests.backends.keyvalue.maps import ShortMap, StruckMap, raiser

A, B, C = (Key("Site", name) for name in "abc")
NAMES = "ns"


def record(key: Key, *targets: Key, version: int = 1, serial: str | None = None) -> Record:
    """Return a record that refers to others."""
    edges = tuple(Edge(target, ("to", at), SET_NULL) for at, target in enumerate(targets))
    pairs = () if serial is None else (("serial", serial),)
    return Record(key, f"u-{key.name}", version, b"{}", edges, pairs, pairs, 1, 1)


@pytest.fixture
def rows():
    """The map."""
    return StruckMap()


@pytest.fixture
def port(rows):
    """A port that is open."""
    port = KeyValueBackend(rows).port(NAMES)
    port.open()
    yield port
    port.close()


def other(rows):
    """Return another port on the same map."""
    found = KeyValueBackend(rows).port(NAMES)
    found.open()
    return found


def flaws(port) -> list[tuple[str, str]]:
    """Return all flaws: the kind, and the key."""
    return [(one.kind, one.key) for one in _audited(port)]


def _audited(port):
    after, found = "", []
    while after is not None:
        step = port.ask(Audit(after, 2))
        found += step.flaws
        after = step.next
    return found


def mend(port):
    """Mend all that can be mended, and return what is left."""
    port.ask(Mend(tuple(flaw for flaw in _audited(port) if flaw.entry)))
    return flaws(port)


def test_guarantees_are_known_once_the_port_is_open(rows):
    """What the map can do is asked when it is open."""
    closed = KeyValueBackend(rows).port(NAMES)
    with pytest.raises(InvalidCall):
        closed.guarantees  # noqa: B018 - a property
    closed.close()
    closed.open()
    assert ("dictionary", True, True) == (closed.guarantees.backend, closed.guarantees.leases, closed.guarantees.feed)


@pytest.mark.parametrize(
    ("meanwhile", "failure"),
    [
        (
            Commit("other", {A: Stamp("u-a", 1)}, puts=(record(A, version=2),)),
            Stale(A, Stamp("u-a", 1), Stamp("u-a", 2)),
        ),
        (Commit("other", deletes=(B,)), Missing(B)),
        (Commit("other", puts=(record(C, serial="s"),)), None),
    ],
    ids=["expected", "required", "claimed"],
)
def test_commit_that_meets_another_is_judged_anew(rows, port, meanwhile, failure):
    """A write that is refused because something moved leads to the refusal by what is there now."""
    port.ask(Commit("fill", puts=(record(A), record(B))))
    rows.before.append(lambda: other(rows).ask(meanwhile))

    reply = port.ask(
        Commit("one", {A: Stamp("u-a", 1)}, frozenset({B}), puts=(record(A, B, version=2, serial="s"),))
    )  # fmt: skip

    assert isinstance(reply, Refusal)
    if failure is not None:
        assert (failure,) == reply.failures


def test_guards_count_every_commit_among_many(rows, port):
    """Commits that race for one guard are all counted: each that loses reads again."""
    port.ask(Commit("fill", puts=(record(A),)))
    rows.before += [
        lambda name=name: other(rows).ask(Commit(name, require=frozenset({A}), puts=(record(Key("Rack", name), A),)))
        for name in ("x", "y", "z")
    ]

    port.ask(Commit("one", require=frozenset({A}), puts=(record(B, A),)))

    assert 4 == port.ask(Get((A,)))[A].guard


def test_lost_reply_of_a_commit_is_told_and_its_txid_has_its_effect_once(rows, port):
    """Only the caller of a commit decides what to do; what may be repeated is repeated."""
    rows.after.append(raiser(OutcomeLost()))
    with pytest.raises(OutcomeLost):
        port.ask(Commit("one", {A: None}, puts=(record(A),)))
    assert Receipt("one") == port.ask(Commit("one", {A: None}, puts=(record(A),)))

    rows.before.append(raiser(OutcomeLost()))
    rows.after += [lambda: None, raiser(OutcomeLost())]
    assert Outcome.ABORTED == port.ask(Settle("two"))


def test_map_out_of_reach_is_tried_until_the_deadline(rows, port):
    """A write that had no effect is made again; at the deadline the last reason is told."""
    rows.before += [raiser(Unreachable("gone")), raiser(Unreachable("gone"))]
    assert Receipt("one") == port.ask(Commit("one", puts=(record(A),)))

    rows.before += [raiser(Unreachable("still gone"))] * 1000
    deadline = begin(0.0)
    try:
        with pytest.raises(Unreachable) as caught:
            port.ask(Commit("two", puts=(record(B),)))
    finally:
        end(deadline)
    assert ("still gone",) == caught.value.reasons


@pytest.mark.parametrize("value", [b"", b"1 u 1", b"\xff\xfe", b"2 u 1 0 0 0 0 0 0 0\n{}"])
def test_spoiled_record_is_told_in_its_place_and_can_be_replaced(rows, port, value):
    """A record that cannot be read has an empty document, keeps its targets, and a put or a delete replaces it."""
    port.ask(Commit("fill", puts=(record(A), record(B, A), record(C, A))))
    rows.put(port._names.record(B.text), value)

    spoiled = port.ask(Get((B,)))[B]
    assert (b"", [A, B, C], 3) == (
        spoiled.document,
        [one.key for one in port.ask(Scan("Site")).records],
        port.ask(Count(Scan("Site"))),
    )
    referrers = port.ask(ReferrerQuery((A,))).referrers
    assert [(B, RESTRICT), (C, SET_NULL)] == [(one.key, one.edges[0].rule) for one in referrers]
    assert [(FlawKind.UNREADABLE, B.text)] == flaws(port)
    with pytest.raises(Misconfigured):
        port.ask(Commit("two", require=frozenset({B}), puts=(record(C, B, version=2),)))
    assert Receipt("three") == port.ask(Commit("three", {B: spoiled.stamp}, puts=(record(B),)))
    assert [(FlawKind.STRAY_ENTRY, B.text)] == flaws(port)  # nobody knew what it referred to
    assert [] == mend(port)


def test_every_row_that_leads_to_a_record_is_missed_and_mended(rows, port):
    """The check finds each of them by the record, and the repair adds it."""
    port.ask(Commit("fill", puts=(record(A), record(B, A, serial="s\0"))))
    for table in (port._names.referrers, port._names.index, port._names.unique):
        (row,) = rows.keys(table)
        rows.remove(row)
        assert [(FlawKind.MISSING_ENTRY, B.text)] == flaws(port)
        assert [] == mend(port)
        assert [row] == rows.keys(table)


def test_every_row_that_leads_nowhere_is_found_and_removed(rows, port):
    """Rows of records that are gone, or do not have what they say, or are none."""
    port.ask(Commit("fill", puts=(record(A), record(B, A, serial="s"))))
    names = port._names
    wrong = {
        names.referring(B.text) + A.text.encode(): b"",
        names.referring(A.text) + b"Site/gone": b"",
        names.indexed("Site", "serial") + b"x\0" + B.text.encode(): b"",
        names.claim("Site", "serial", "t"): B.text.encode(),
        names.claim("Site", "serial", "u"): b"\xff no key",
    }
    for row, value in wrong.items():
        rows.put(row, value)

    assert [FlawKind.STRAY_ENTRY] * 5 == [kind for kind, _ in flaws(port)]
    assert [] == mend(port)
    assert [FlawKind.STRAY_ENTRY] * 0 == flaws(port)
    assert [B] == [one.key for one in port.ask(ReferrerQuery((A,))).referrers]


def test_unique_value_of_two_records_is_a_duplicate_and_not_mended(rows, port):
    """Which of two records keeps a value is for a person to say."""
    port.ask(Commit("fill", puts=(record(A, serial="s"),)))
    claim = port._names.claim("Site", "serial", "s")
    rows.remove(claim)
    port.ask(Commit("more", puts=(record(B, serial="s"),)))

    assert [(FlawKind.DUPLICATE, A.text)] == flaws(port)
    assert [(FlawKind.DUPLICATE, A.text)] == mend(port)


def test_outcomes_holds_and_pulses_that_no_store_wrote_are_found_and_mended(rows, port):
    """What would be kept for ever, or cannot be read."""
    port.ask(Commit("fill", puts=(record(A), lease("u-c"))))
    names = port._names
    for row, value in (
        (names.outcome("long"), Settled(Outcome.COMMITTED, 2**62).written()),
        (names.outcome("bad"), b"maybe"),
        (names.hold(A.text), b"99999999999999999 eve"),
        (names.hold(B.text), b"soon"),
        (names.pulse("u-x"), b"[]"),
    ):
        rows.put(row, value)

    assert [
        FlawKind.MISSING_ENTRY,
        FlawKind.STALE_HOLD,
        FlawKind.STALE_HOLD,
        FlawKind.UNREADABLE,
        FlawKind.UNREADABLE,
        FlawKind.FORGOTTEN_OUTCOME,
    ] == [kind for kind, _ in flaws(port)]
    with pytest.raises(Misconfigured):
        port.ask(Settle("bad"))
    assert [] == mend(port)
    assert Outcome.COMMITTED == port.ask(Settle("long"))


def test_feed_and_outcomes_are_swept_the_oldest_first(rows, port, monkeypatch):
    """What need not be kept goes, in the order in which it came; a cursor of what is gone is a gap."""
    for module in (feed, port_module):
        monkeypatch.setattr(module, "KEPT", 10)
    monkeypatch.setattr(port_module, "SWEPT", 1)
    begin_of_feed = port.ask(Events()).cursor
    rows.put(port._names.outcome("old"), Settled(Outcome.COMMITTED, 1).written())
    for number in range(30):
        port.ask(Commit(f"{99 - number}", puts=(record(A, version=number),)))

    oldest = port.ask(Events(oldest=True)).cursor
    kept = port.ask(Events(oldest)).events
    assert [f"{99 - number}" for number in range(20, 30)] == [event.txid for event in kept][-10:]
    assert all(int(one.cursor.partition(".")[0]) < int(two.cursor.partition(".")[0]) for one, two in pairwise(kept))
    with pytest.raises(FeedGap):
        port.ask(Events(begin_of_feed))
    assert port._names.outcome("old") not in rows.keys(port._names.outcomes)


def test_commit_with_messages_begins_the_feed_once_and_before_it(rows, port):
    """The first message is told to whoever begins at the oldest event, once, also if another begins the feed."""
    rows.before.append(lambda: other(rows).ask(Events()))
    port.ask(Commit("one", messages=(Message("a"),)))

    assert ["one"] == [event.txid for event in port.ask(Events(port.ask(Events(oldest=True)).cursor)).events]


def test_commit_that_meets_the_beginning_of_the_feed_is_told(rows, port):
    """A reader that begins while a commit is judged sees it, since it comes after the cursor."""
    cursors = []
    rows.before.append(lambda: cursors.append(other(rows).ask(Events()).cursor))

    port.ask(Commit("one", puts=(record(A),)))

    assert ["one"] == [event.txid for event in port.ask(Events(cursors[0])).events]


@pytest.mark.parametrize("cursor", ["99999999999999999999999.x", "1.x", "0.", "7.one"])
def test_cursor_of_another_feed_is_a_gap(port, cursor):
    """It names no event of this one."""
    port.ask(Events())
    with pytest.raises(FeedGap):
        port.ask(Events(cursor))


def test_spoiled_event_is_one_clear_error(rows, port):
    """Nobody skips an event in silence."""
    begun = port.ask(Events()).cursor
    rows.put(port._names.event("one"), b"[]")
    rows.put(port._names.tip, b"one")
    with pytest.raises(Misconfigured):
        port.ask(Events(begun))


def test_hold_that_cannot_be_read_hinders_nobody(rows, port):
    """The next hold replaces it."""
    port.ask(Commit("fill", puts=(record(A),)))
    rows.put(port._names.hold(A.text), b"soon")
    assert Receipt("one") == port.ask(Commit("one", puts=(record(A, version=2),)))
    port.ask(Hold("eve", (A,), timedelta(seconds=60)))
    assert isinstance(port.ask(Commit("two", puts=(record(A, version=3),))), Refusal)


def test_part_that_ends_early_hides_nothing():
    """Scans and referrers of several targets go on where a part of the map has ended, in the order of keys."""
    port = other(ShortMap())
    keys = [Key("Site", f"r{number}") for number in range(6)]
    for number, key in enumerate(keys):
        port.ask(Commit(f"c{number}", puts=(record(key, (A, B)[number in {0, 5}], serial=f"s{number}"),)))

    scans = [Scan("Site", limit=limit, field=field) for limit in (2, 100) for field in (None, "serial")]
    found = [port.ask(ReferrerQuery((A, B), limit=limit)) for limit in (3, 100)]

    assert [2, 2, 6, 6] == [len(port.ask(scan).records) for scan in scans]
    assert [keys[:3], keys] == [[one.key for one in page.referrers] for page in found]
    assert keys[3:] == [one.key for one in port.ask(ReferrerQuery((A, B), after=found[0].next)).referrers]
