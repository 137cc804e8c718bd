"""ATM-3, ATM-7 and ID-22: commits of many records, and reads of many; the port itself, without a store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from emco_store.contracts.harness import Lab, scanned
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, Seal, Stamp
from emco_store.core.rules import Rule
from emco_store.ports import (
    Audit,
    Commit,
    Count,
    Failure,
    Get,
    Missing,
    Moved,
    Receipt,
    ReferrerQuery,
    Refusal,
    Scan,
    Stale,
    Taken,
)

SIZES: Final = (21, 129, 1000)
"""One more than what drivers and servers put into one part: 20, 128; and the size of a page."""
_MANY: Final = 150
"""How many preconditions of each kind one commit has."""
_OWNER: Final = Key("Item", "owner")
_ABSENT: Final = Key("Site", "absent")
_WRONG: Final = Stamp("uid-of-another", 1)


class BulkRules:
    """A server that takes only so many records at a time shows here."""

    @rule("ATM-7", "ID-22", "ID-18", "CHK-1")
    def test_many_records_are_written_and_read_as_a_whole(self, lab: Lab) -> None:
        """A commit of any size writes all or nothing, and no read of many records leaves one out (ATM-7, ID-22)."""
        owner = replace(_record(_OWNER), unique=(("serial", "taken"),))
        assert Receipt("owner") == lab.port.ask(Commit("owner", puts=(owner,)))
        for size in SIZES:
            puts = _records(size)
            keys = tuple(one.key for one in puts)
            for number, (commit, failure) in enumerate(_failing(puts, owner)[: 1 if size == SIZES[-1] else 3]):
                assert Refusal((failure,)) == lab.port.ask(replace(commit, txid=f"refused-{size}-{number}"))
                assert {} == lab.port.ask(Get((keys[0], keys[-1], keys[size // 2])))
            assert Receipt(f"put-{size}") == lab.port.ask(Commit(f"put-{size}", dict.fromkeys(keys), puts=puts))
            _read(lab, puts)
            moved = Commit(f"moved-{size}", deletes=keys, sealed={_OWNER: Seal(owner.uid, 7)})
            assert Refusal((Moved(_OWNER),)) == lab.port.ask(moved)
            assert len(keys) + 1 == lab.port.ask(Count(Scan(None)))
            if size == SIZES[-1]:
                return  # what is deleted as a whole, the sizes before have shown
            assert Receipt(f"gone-{size}") == lab.port.ask(replace(moved, txid=f"gone-{size}", sealed={}))
            assert [_OWNER] == [one.key for one in scanned(lab.port, Scan(None))]

    @rule("ATM-3")
    def test_each_of_many_preconditions_is_checked(self, lab: Lab) -> None:
        """Whether the last of many fails or all of them, a refusal names what failed, and nothing else (ATM-3)."""
        there = _records(_MANY)
        fill = Commit("fill", puts=there)
        assert Receipt("fill") == lab.port.ask(fill)
        written = _record(Key("Item", "written"))
        rests = Commit(
            "rests",
            {one.key: one.stamp for one in there},
            frozenset({one.key for one in there}),
            {one.key: one.seal for one in there},
            (written,),
        )

        for wrong in (there[-1:], there):
            keys = [one.key for one in wrong]
            absent = {Key("Site", key.name) for key in keys}
            cases: tuple[tuple[Commit, set[Failure]], ...] = (
                (
                    replace(rests, expect={**rests.expect, **dict.fromkeys(keys, _WRONG)}),
                    {Stale(one.key, _WRONG, one.stamp) for one in wrong},
                ),
                (replace(rests, require=rests.require.difference(keys) | absent), set(map(Missing, absent))),
                (
                    replace(rests, sealed={**rests.sealed, **{one.key: Seal(one.uid, 7) for one in wrong}}),
                    set(map(Moved, keys)),
                ),
            )
            for commit, failures in cases:
                reply = lab.port.ask(commit)
                assert isinstance(reply, Refusal)
                assert failures == set(reply.failures)

        assert Receipt("rests") == lab.port.ask(rests)
        found = lab.port.ask(Get((*rests.expect, written.key)))
        assert {**dict.fromkeys(rests.expect, 1), written.key: 0} == {key: one.guard for key, one in found.items()}


def _failing(puts: tuple[Record, ...], owner: Record) -> tuple[tuple[Commit, Failure], ...]:
    """Return commits that fail at their last record, or at one that they do not write, with the failure of each."""
    absent: dict[Key, Stamp | None] = {one.key: None for one in puts}
    last = puts[-1].key
    claiming = (*puts[:-1], replace(puts[-1], unique=owner.unique))
    return (
        (Commit("", absent, puts=claiming), Taken(last, "serial", owner.key)),
        (Commit("", {**absent, last: _WRONG}, puts=puts), Stale(last, _WRONG, None)),
        (Commit("", absent, require=frozenset({_ABSENT}), puts=puts), Missing(_ABSENT)),
    )


def _read(lab: Lab, puts: tuple[Record, ...]) -> None:
    """Read records by key, as what is loaded along, by counting and by examining them."""
    keys = tuple(one.key for one in puts)
    wanted = {one.key: one.document for one in puts}
    found = lab.port.ask(Get((*keys, _ABSENT, keys[0])))
    loaded = lab.port.ask(ReferrerQuery((_ABSENT,), load=keys, limit=1))
    assert wanted == {key: one.document for key, one in found.items()}
    assert wanted == {key: one.document for key, one in loaded.records.items()}
    for scan in (Scan("Item", field="rank"), Scan("Item", field="rank", equal="1")):
        assert len(keys) + 1 == lab.port.ask(Count(scan)), scan
    assert {_OWNER, *keys} == _examined(lab)


def _records(number: int) -> tuple[Record, ...]:
    return tuple([_record(Key("Item", f"n{at:04}")) for at in range(number)])


def _record(key: Key) -> Record:
    edges = (Edge(_ABSENT, ("one",), Rule.RESTRICT),) if key.name.endswith("5") else ()
    return Record(key, f"uid-{key.name}", 1, b'{"name":"%b"}' % key.name.encode(), edges, (), (("rank", "1"),), 1, 1)


def _examined(lab: Lab) -> set[Key]:
    """Return the keys of all records that an audit comes upon."""
    found: set[Key] = set()
    audit: Any = Audit(limit=300)
    while True:
        step = lab.port.ask(audit)
        assert () == step.flaws
        found |= {record.key for record in step.records}
        if step.next is None:
            return found
        audit = replace(audit, after=step.next)
