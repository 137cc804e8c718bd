"""REF-13, ID-16, OCC-10: what a record leaves behind when it is changed or goes; the port itself, without a store."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from emco_store.contracts.harness import Lab
from emco_store.contracts.pages import walk
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, Seal
from emco_store.core.rules import Rule
from emco_store.ports import Commit, Count, Get, Receipt, ReferrerQuery, Scan

_TARGET: Final = Key("Site", "t")
_MANY: Final = 300


class LeftoverRules:
    """Entries beside a record go with it, and what is not part of a put stays."""

    @rule("REF-13", "ID-6", "ID-8")
    def test_record_that_comes_again_is_not_found_by_what_it_was(self, lab: Lab) -> None:
        """References and values of a record that was deleted or replaced lead to no later one (REF-13, ID-6, ID-8)."""
        key = Key("Item", "a")
        old = _record(key, edges=_edges(_TARGET), unique=(("serial", "s"),), index=(("rank", "1"),))
        plain = _record(key)
        for number, steps in enumerate((((), (key,), (plain,)), ((), (), (plain,)))):
            for step, (puts, deletes) in enumerate((((old,), ()), ((), steps[1]), (steps[2], ()))):
                txid = f"step-{number}-{step}"
                assert Receipt(txid) == lab.port.ask(Commit(txid, puts=puts, deletes=deletes))
                if not puts and deletes:
                    assert () == lab.port.ask(ReferrerQuery((_TARGET,))).referrers

            assert () == lab.port.ask(ReferrerQuery((_TARGET,))).referrers
            assert () == lab.port.ask(Scan("Item", field="rank")).records
            assert 0 == lab.port.ask(Count(Scan("Item", field="rank", equal="1")))
            heir = replace(old, key=Key("Item", "heir"), edges=(), index=())
            assert Receipt(f"heir-{number}") == lab.port.ask(Commit(f"heir-{number}", puts=(heir,)))
            assert Receipt(f"gone-{number}") == lab.port.ask(Commit(f"gone-{number}", deletes=(heir.key, key)))

    @rule("ID-16")
    def test_referrers_of_several_targets_come_once_and_in_order(self, lab: Lab) -> None:
        """Pages of referrers of several targets are one list, in which each referrer stands once (ID-16)."""
        targets = [Key("Site", f"t{at}") for at in range(5)]
        records = [
            _record(Key("Item", f"n{at:02}"), edges=_edges(targets[at % 5], targets[at * 3 % 4])) for at in range(24)
        ]
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=tuple(records)))

        for limit in (1, 4, 24, 100):
            for some in (targets, targets[::-1], targets[1:3]):
                wanted = [one for one in records if not one.targets.isdisjoint(some)]
                walk(lab, ReferrerQuery(tuple(some), limit=limit), wanted, pages=len(records) + 1)

    @rule("REF-13")
    def test_each_of_many_references_is_found_and_released(self, lab: Lab) -> None:
        """A record is found by its last reference, and a referrer by the last target that is asked for (REF-13)."""
        targets = tuple([Key("Site", f"t{at:03}") for at in range(_MANY)])
        absent = tuple([Key("Site", f"x{at:03}") for at in range(_MANY)])
        wide, narrow = (_record(Key("Item", name), edges=_edges(*some)) for name, some in zip(
            ("a", "b"), (targets, targets[-1:]), strict=True
        ))  # fmt: skip
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=(wide, narrow)))

        for some in (targets, targets[-1:], (*absent, targets[-1])):
            assert [wide.key, narrow.key] == _referrers(lab, some)
        assert Receipt("less") == lab.port.ask(Commit("less", puts=(replace(wide, edges=wide.edges[:1]),)))
        assert [[narrow.key], [wide.key, narrow.key]] == [_referrers(lab, targets[1:]), _referrers(lab, targets)]

    @rule("OCC-10")
    def test_put_keeps_the_guard_of_what_it_replaces(self, lab: Lab) -> None:
        """Whatever a put changes, the guard goes on, and begins again only with a new record (OCC-10)."""
        plain = _record(_TARGET)
        others = (
            plain,
            replace(plain, version=2, document=b'{"x":1}'),
            replace(plain, version=3, edges=_edges(Key("Site", "u"))),
            replace(plain, version=4, unique=(("serial", "s"),), index=(("rank", "1"),)),
            replace(plain, version=5),
        )
        assert Receipt("make") == lab.port.ask(Commit("make", puts=(plain,)))
        for number, put in enumerate(others):
            refer = Commit(f"refer-{number}", require=frozenset({_TARGET}), puts=(_record(Key("Item", f"n{number}")),))
            change = Commit(f"put-{number}", sealed={_TARGET: Seal(plain.uid, number + 1)}, puts=(put,))

            assert Receipt(refer.txid) == lab.port.ask(refer)
            assert Receipt(change.txid) == lab.port.ask(change)
            assert number + 1 == lab.port.ask(Get((_TARGET,)))[_TARGET].guard
        both = Commit("both", require=frozenset({_TARGET}), puts=(replace(plain, version=6),))
        assert Receipt("both") == lab.port.ask(both)
        assert len(others) + 1 == lab.port.ask(Get((_TARGET,)))[_TARGET].guard
        assert Receipt("gone") == lab.port.ask(Commit("gone", deletes=(_TARGET,)))
        assert Receipt("anew") == lab.port.ask(Commit("anew", puts=(replace(plain, uid="anew"),)))
        assert Seal("anew", 0) == lab.port.ask(Get((_TARGET,)))[_TARGET].seal


def _record(
    key: Key, *, edges: tuple[Edge, ...] = (), unique: tuple[tuple[str, str], ...] = (),
    index: tuple[tuple[str, str], ...] = (),
) -> Record:  # fmt: skip
    return Record(key, f"uid-{key.name}", 1, b"{}", edges, unique, index, 1, 1)


def _referrers(lab: Lab, targets: tuple[Key, ...]) -> list[Key]:
    found: list[Key] = []
    query: ReferrerQuery | None = ReferrerQuery(targets)
    while query is not None:
        page = lab.port.ask(query)
        found += [one.key for one in page.referrers]
        query = None if page.next is None else replace(query, after=page.next)
    return found


def _edges(*targets: Key) -> tuple[Edge, ...]:
    return tuple([Edge(target, ("listed", at), Rule.RESTRICT) for at, target in enumerate(dict.fromkeys(targets))])
