"""ATM-6: many concurrent commits, some of which fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Item, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    MissingReference,
    StoreError,
    UniqueViolation,
)

Call = Callable[[Any], Any]


class CrowdRules:
    """Calls of many threads or tasks on one store, whose commits the backend may send together."""

    @rule("ATM-6")
    def test_commit_that_fails_takes_no_other_along(self, lab: Lab) -> None:
        """Concurrent commits end independently: the valid ones happen, and the others leave no trace (ATM-6)."""
        (a,) = sites(lab, "a")
        old = lab.store.create(Item(name="i"))
        item = lab.store.update(old.model_copy(update={"rank": 1}))
        good: list[Call] = [_create(Crate(name=f"c{number}", parent=a)) for number in range(8)]
        bad: list[tuple[Call, type[StoreError]]] = [
            (_create(Crate(name="orphan", parent="Site/absent")), MissingReference),
            (_create(Site(name="a")), AlreadyExists),
            (lambda store: store.update(old.model_copy(update={"rank": 9})), Conflict),
        ]
        calls = [*good[:2], bad[0][0], *good[2:4], bad[1][0], *good[4:6], bad[2][0], *good[6:]]

        replies = dict(zip(calls, lab.together(calls), strict=True))

        assert [] == [reply for call, reply in replies.items() if call in good and isinstance(reply, BaseException)]
        assert [problem for _, problem in bad] == [type(replies[call]) for call, _ in bad]
        assert sorted(["Item/i", "Site/a", *(f"Crate/a/c{number}" for number in range(8))]) == sorted(lab.state())
        assert item == lab.store.get(item)

    @rule("ATM-6")
    def test_commits_that_exclude_each_other_do_not_both_happen(self, lab: Lab) -> None:
        """Of concurrent commits that exclude each other, exactly one happens (ATM-6)."""
        item = lab.store.create(Item(name="i"))
        rivals: dict[type[StoreError], Sequence[Call]] = {
            AlreadyExists: [_create(Site(name="x", title=f"{number}")) for number in range(4)],
            UniqueViolation: [_create(Item(name=f"u{number}", serial="one")) for number in range(4)],
            Conflict: [_update(item, number) for number in range(4)],
        }

        calls = [call for group in zip(*rivals.values(), strict=True) for call in group]
        replies = dict(zip(calls, lab.together(calls), strict=True))

        for problem, group in rivals.items():
            failed = [replies[call] for call in group if isinstance(replies[call], BaseException)]
            assert [problem] * 3 == [type(one) for one in failed]
        made = [reply for reply in replies.values() if not isinstance(reply, BaseException)]
        assert {one.key.text: one.meta.version for one in made} == {
            text: version for text, (version, _) in lab.state().items()
        }
        assert all(one == lab.store.get(one) for one in made)

    @rule("ATM-6", "OCC-10")
    def test_target_and_referrers_that_come_and_go_at_once(self, lab: Lab) -> None:
        """Targets are created and deleted while others refer to them, and no reference dangles (ATM-6)."""
        going = sites(lab, *(f"d{number}" for number in range(4)))
        calls: list[Call] = []
        for number, site in enumerate(going):
            calls.append(_create(Rack(name="k", parent=site)))
            calls.append(_delete(site))
            calls.append(_create(Site(name=f"n{number}")))
            calls.append(_create(Rack(name="k", parent=f"Site/n{number}")))

        replies = lab.together(calls)

        assert [] == lab.dangling()
        state = lab.state()
        for number in range(4):
            under, deleted, made, child = replies[4 * number : 4 * number + 4]
            is_there = not isinstance(under, BaseException)
            assert isinstance(under, MissingReference) or isinstance(deleted, DeleteRestricted)
            assert is_there == (f"Rack/d{number}/k" in state) == (f"Site/d{number}" in state)
            assert isinstance(made, Site)
            assert isinstance(child, MissingReference | Rack)
            assert isinstance(child, Rack) == (f"Rack/n{number}/k" in state)


def _create(resource: Any) -> Call:
    return lambda store: store.create(resource)


def _update(item: Item, rank: int) -> Call:
    return lambda store: store.update(item.model_copy(update={"rank": rank + 1}))


def _delete(site: Site) -> Call:
    return lambda store: store.delete(site)
