"""PUL-1, PUL-2 and PUL-5: commits that rest on leases, and those that end them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Heartbeat, Seen
from emco_store.core.records import Record, Seal, Stamp
from emco_store.core.reserved import beside
from emco_store.ports import (
    Alive,
    Beat,
    Commit,
    Get,
    Hold,
    Lapsed,
    Moved,
    Outcome,
    Pulses,
    Receipt,
    Refusal,
    Request,
    Settle,
    Stale,
)  # fmt: skip

SITE = Key("Site", "a")
KEY, OTHER = beside(LEASE, SITE), beside(LEASE, Key("Site", "b"))
_HOUR = timedelta(hours=1)
_WRITERS = 6
_ROUNDS = 4
_MANY = 150


class FenceRules:
    """The port itself: leases are records, and fences and silence are preconditions of commits."""

    @rule("PUL-1")
    def test_fence_holds_in_whatever_version_the_record_is(self, lab: Lab) -> None:
        """A fence looks at the uid alone: the same lease in another version is the same lease (PUL-1)."""
        _put(lab, lease("u1"))

        for version in (2, 3):
            _put(lab, replace(lease("u1"), version=version))
            assert Receipt(f"f-{version}") == lab.ask(Commit(f"f-{version}", puts=(site(version),), fenced={KEY: "u1"}))

        found = lab.ask(Get((KEY, SITE)))
        assert [3, 3] == [found[KEY].version, found[SITE].version]

    @rule("PUL-1")
    def test_fence_refuses_what_is_gone_and_what_took_its_place(self, lab: Lab) -> None:
        """The record must be there with this uid; a namesake, or one that the commit makes, does not count (PUL-1)."""
        cases = {
            "never": Commit("never", puts=(site(1),), fenced={KEY: "u1"}),
            "itself": Commit("itself", {KEY: None}, puts=(lease("u1"), site(1)), fenced={KEY: "u1"}),
            "check": Commit("check", fenced={KEY: "u1"}),
        }
        for name, commit in cases.items():
            assert (name, Refusal((Lapsed(KEY),))) == (name, lab.ask(commit))
        _put(lab, lease("u2"))
        late = Commit("late", puts=(site(1),), fenced={KEY: "u1"})
        assert Refusal((Lapsed(KEY),)) == lab.ask(late)

        assert [KEY] == list(lab.ask(Get((SITE, KEY))))
        assert Receipt("late") == lab.ask(replace(late, fenced={KEY: "u2"}))

    @rule("PUL-1")
    def test_refusal_names_every_lapsed_lease_and_what_else_failed(self, lab: Lab) -> None:
        """All fences that failed are named, beside all other preconditions that failed (PUL-1)."""
        _put(lab, lease("u1"))
        _put(lab, lease("u2", OTHER))
        wrong = Stamp("s", 9)
        commit = Commit(
            "many",
            expect={SITE: wrong},
            sealed={OTHER: Seal("u2", 7)},
            puts=(site(1),),
            fenced={KEY: "gone", OTHER: "u2", Key("Site", "x"): "u3"},
        )

        reply = lab.ask(commit)

        assert isinstance(reply, Refusal)
        assert {Stale(SITE, wrong, None), Moved(OTHER), Lapsed(KEY), Lapsed(Key("Site", "x"))} == set(reply.failures)
        assert {} == lab.ask(Get((SITE,)))

    @rule("PUL-1")
    def test_fence_moves_nothing(self, lab: Lab) -> None:
        """Fenced commits change neither version nor guard of the lease, and rest on no hold of it (PUL-1)."""
        _put(lab, lease("u1"))
        before = lab.ask(Get((KEY,)))[KEY]
        lab.ask(Hold("reaper", (KEY,), timedelta(minutes=10)))

        for number in range(3):
            commit = Commit(f"f-{number}", puts=(site(number + 1),), fenced={KEY: "u1"})
            assert Receipt(commit.txid) == lab.ask(commit)
        assert Receipt("check") == lab.ask(Commit("check", fenced={KEY: "u1"}))

        assert before == lab.ask(Get((KEY,)))[KEY]
        ends = Commit("end", {KEY: before.stamp}, sealed={KEY: before.seal}, deletes=(KEY,), holder="reaper")
        assert Receipt("end") == lab.ask(ends)

    @rule("PUL-1")
    def test_release_can_be_fenced_by_its_own_lease(self, lab: Lab) -> None:
        """A commit may fence what it deletes or replaces: the state before it counts (PUL-1)."""
        _put(lab, lease("u1"))
        _put(lab, replace(lease("u1"), version=2), fence="u1")
        delete = Commit("release", puts=(site(1),), deletes=(KEY,), fenced={KEY: "u1"})

        assert Receipt("release") == lab.ask(delete)
        assert Receipt("release") == lab.ask(delete)
        assert Refusal((Lapsed(KEY),)) == lab.ask(replace(delete, txid="again"))
        assert [SITE] == list(lab.ask(Get((SITE, KEY))))

    @rule("PUL-1")
    def test_commits_of_one_holder_happen_together_until_its_lease_ends(self, lab: Lab) -> None:
        """Of concurrent fenced commits none makes another fail, and none happens after the end of the lease (PUL-1).

        All of them write the same record, and so does the end: what is there afterwards tells which came last.
        """
        port = lab.port_of_mode
        for number in range(_ROUNDS):
            _put(lab, lease(f"u{number}"))
            fence = {KEY: f"u{number}"}
            early = [Commit(f"e-{number}-{at}", puts=(site(1, at),), fenced=fence) for at in range(_WRITERS)]
            assert [Receipt(commit.txid) for commit in early] == lab.together([asks(port, one) for one in early])

            late = [replace(commit, txid=f"late-{commit.txid}") for commit in early]
            end = Commit(f"end-{number}", puts=(replace(site(2), document=b'{"end":1}'),), deletes=(KEY,))
            asked = [*late[: _WRITERS // 2], end, *late[_WRITERS // 2 :]]
            replies = lab.together([asks(port, one) for one in asked])

            lapsed = Refusal((Lapsed(KEY),))
            for commit, reply in zip(asked, replies, strict=True):
                assert reply == Receipt(commit.txid) or (commit is not end and reply == lapsed)
            found = lab.ask(Get((KEY, SITE)))
            assert b'{"end":1}' == found[SITE].document
            assert KEY not in found

    @rule("PUL-2")
    def test_end_of_a_silent_lease_is_refused_once_it_has_beaten_again(self, lab: Lab) -> None:
        """A reaper rests on the newest beat that it has seen; any further one keeps the lease (PUL-2)."""
        _put(lab, lease("u1"))
        _put(lab, lease("u2", OTHER))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR), "u2": Heartbeat(OTHER, 4, _HOUR)}))
        lab.ask(Beat({"u1": Heartbeat(KEY, 3, _HOUR), "u2": Heartbeat(OTHER, 1, _HOUR)}))
        end = Commit("end", puts=(site(1),), deletes=(KEY,), silent={KEY: Seen("u1", 2)})

        assert Refusal((Alive(KEY),)) == lab.ask(end)
        assert Refusal((Alive(KEY),)) == lab.ask(replace(end, puts=(), deletes=()))
        assert {KEY, OTHER} == lab.ask(Get((KEY, OTHER, SITE))).keys()
        assert ["u1", "u2"] == _uids(lab)

        ends = replace(end, txid="ends", silent={KEY: Seen("u1", 3), OTHER: Seen("u2", 7)}, deletes=(KEY, OTHER))
        assert Receipt("ends") == lab.ask(ends)
        assert [] == _uids(lab)

    @rule("PUL-2")
    def test_lease_without_a_pulse_is_silent(self, lab: Lab) -> None:
        """Where the pulse is lost, nothing has beaten, and the lease can be ended (PUL-2)."""
        _put(lab, lease("u1"))

        assert Receipt("end") == lab.ask(Commit("end", deletes=(KEY,), silent={KEY: Seen("u1", 0)}))
        assert {} == lab.ask(Get((KEY,)))

    @rule("PUL-2", "PUL-5")
    def test_pulse_of_a_taker_that_died_is_removed_without_its_lease(self, lab: Lab) -> None:
        """A commit that names nothing but a silent lease ends its pulse, and no other, and can be repeated (PUL-5)."""
        _put(lab, lease("u1"))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR), "dead": Heartbeat(KEY, 1, _HOUR)}))
        end = Commit("end", silent={KEY: Seen("dead", 1)})

        assert Refusal((Alive(KEY),)) == lab.ask(replace(end, silent={KEY: Seen("dead", 0)}))
        assert [Receipt("end")] * 2 == [lab.ask(end), lab.ask(end)]
        assert Outcome.COMMITTED == lab.ask(Settle("end"))

        assert ["u1"] == _uids(lab)
        assert frozenset({"dead"}) == lab.ask(Beat({"dead": Heartbeat(KEY, 2, _HOUR)})).lapsed

    @rule("PUL-5")
    def test_end_of_a_lease_ends_its_pulse_however_it_ends(self, lab: Lab) -> None:
        """A delete and a namesake end the pulse in the same commit; a change and a refused commit keep it (PUL-5)."""
        changed = replace(lease("u1"), version=2)
        ends: tuple[tuple[Commit, list[str]], ...] = (
            (Commit("changed", puts=(changed,)), ["u1"]),
            (Commit("refused", {SITE: Stamp("s", 1)}, deletes=(KEY,)), ["u1"]),
            (Commit("beside", puts=(site(1),), fenced={KEY: "u1"}), ["u1"]),
            (Commit("deleted", deletes=(KEY,)), []),
        )
        _put(lab, lease("u1"))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))
        for commit, left in ends:
            lab.ask(commit)
            assert (commit.txid, left) == (commit.txid, _uids(lab))

        _put(lab, lease("u2"))
        lab.ask(Beat({"u2": Heartbeat(KEY, 1, _HOUR), "u3": Heartbeat(KEY, 1, _HOUR)}))
        _put(lab, lease("u3"))
        assert ["u3"] == _uids(lab)
        assert frozenset({"u2"}) == lab.ask(Beat({"u2": Heartbeat(KEY, 2, _HOUR)})).lapsed

    @rule("PUL-1", "PUL-2")
    def test_each_of_many_leases_is_judged(self, lab: Lab) -> None:
        """Of many leases that a commit requires or ends, each counts, and a refusal names those that fail (PUL-1)."""
        uids = {beside(LEASE, Key("Site", f"n{at:03}")): f"u{at:03}" for at in range(_MANY)}
        lab.ask(Commit("fill", puts=tuple([lease(uid, key) for key, uid in uids.items()])))
        lab.ask(Beat({uid: Heartbeat(key, 1, _HOUR) for key, uid in uids.items()}))
        fenced = Commit("fenced", puts=(site(1),), fenced=uids)
        ends = Commit("ends", deletes=tuple(uids), silent={key: Seen(uid, 1) for key, uid in uids.items()})

        for wrong in ([*uids][-1:], [*uids]):
            gone = {**uids, **dict.fromkeys(wrong, "gone")}
            beats = {**ends.silent, **{key: Seen(uids[key], 0) for key in wrong}}
            for commit, failed in ((replace(fenced, fenced=gone), Lapsed), (replace(ends, silent=beats), Alive)):
                reply = lab.ask(commit)
                assert isinstance(reply, Refusal)
                assert set(map(failed, wrong)) == set(reply.failures)

        assert [Receipt("fenced"), Receipt("ends")] == [lab.ask(fenced), lab.ask(ends)]
        assert ([], [SITE]) == (_uids(lab), list(lab.ask(Get((SITE, *uids)))))


def lease(uid: str, key: Key = KEY) -> Record:
    """Return the record of a lease."""
    return Record(key, uid, 1, b"{}", (), (), (), 1, 1)


def site(version: int, rank: int = 0) -> Record:
    """Return the record of the leased resource, or of another write of it."""
    return Record(SITE, "s", version, b'{"rank":%d}' % rank, (), (), (), 1, 1)


def _put(lab: Lab, record: Record, fence: str | None = None) -> None:
    txid = f"put-{record.uid}-{record.version}-{record.key.name}"
    fenced = {} if fence is None else {record.key: fence}
    assert Receipt(txid) == lab.ask(Commit(txid, puts=(record,), fenced=fenced))


def _uids(lab: Lab) -> list[str]:
    return [pulse.uid for pulse in lab.ask(Pulses()).pulses]


def asks(port: Any, request: Request[Any]) -> Callable[[Any], Any]:
    """Return a call for :meth:`Lab.together` that asks a port of its mode."""
    return lambda _: port.ask(request)
