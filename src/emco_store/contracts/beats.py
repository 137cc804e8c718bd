"""PUL-3 to PUL-7: what beats do, and what they never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from emco_store.contracts.fences import KEY, OTHER, SITE, asks, lease, site
from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.flaws import Flaw, FlawKind
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Heartbeat, Pulse
from emco_store.core.reserved import beside
from emco_store.ports import Audit, Beat, Commit, Get, Mend, Pulses, Receipt

_HOUR, _DAY, _AT_ONCE = timedelta(hours=1), timedelta(days=1), timedelta(0)
_DAY_US = 86_400_000_000
_MANY = 2_500
_TTLS_MS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, *(200 << at for at in range(12))]
"""So that at any time some are due, and others would be if their TTL were half as long."""
_DUE = 3


class BeatRules:
    """The port itself: beats and pulses."""

    @rule("PUL-6")
    def test_first_beat_makes_the_pulse_and_later_ones_replace_it(self, lab: Lab) -> None:
        """A taker beats before its lease is there; each further beat brings number, TTL and progress (PUL-6)."""
        first = lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))
        (made,) = lab.ask(Pulses()).pulses
        second = lab.ask(Beat({"u1": Heartbeat(KEY, 7, _DAY, '{"offset":"\u00e9\\u0000"}')}))
        (found,) = lab.ask(Pulses()).pulses

        assert (frozenset(), frozenset()) == (first.lapsed, second.lapsed)
        assert Pulse("u1", KEY, 1, _HOUR, made.at_us) == made
        assert Pulse("u1", KEY, 7, _DAY, found.at_us, '{"offset":"\u00e9\\u0000"}') == found

    @rule("PUL-6")
    def test_each_lease_of_a_request_is_judged_by_itself(self, lab: Lab) -> None:
        """One request carries first, further, late and lapsed beats of many leases (PUL-6)."""
        lab.ask(Beat({name: Heartbeat(KEY, 1, _HOUR) for name in ("old", "late")}))
        lab.ask(Beat({"late": Heartbeat(KEY, 5, _HOUR)}))

        reply = lab.ask(
            Beat(
                {
                    "new": Heartbeat(KEY, 1, _HOUR),
                    "gone-1": Heartbeat(KEY, 2, _HOUR),
                    "old": Heartbeat(OTHER, 2, _HOUR),
                    "late": Heartbeat(KEY, 4, _DAY),
                    "gone-2": Heartbeat(KEY, 900, _HOUR),
                }
            )
        )

        assert {"gone-1", "gone-2"} == reply.lapsed
        found = {pulse.uid: (pulse.number, pulse.ttl) for pulse in lab.ask(Pulses()).pulses}
        assert {"late": (5, _HOUR), "new": (1, _HOUR), "old": (2, _HOUR)} == found
        assert frozenset() == lab.ask(Beat({})).lapsed

    @rule("PUL-6")
    def test_pages_of_pulses_hold_every_pulse_once(self, lab: Lab) -> None:
        """Pages are full and follow the uids as code points; with ``due`` and ``uids`` too (PUL-6)."""
        beats = {f"u{at:05}": Heartbeat(KEY, 1, _AT_ONCE if at % 3 else _HOUR) for at in range(_MANY)}
        lab.ask(Beat(beats))
        due = [uid for uid, beat in sorted(beats.items()) if beat.ttl == _AT_ONCE]

        assert (sorted(beats), due) == (_paged(lab, Pulses()), _paged(lab, Pulses(due=True)))
        assert sorted(beats) == _paged(lab, Pulses(limit=700))
        some = ("u02000", "u00001", "absent", "u00003", "u00001")
        assert ["u00001", "u00003", "u02000"] == _paged(lab, Pulses(uids=some))
        assert ["u00001", "u02000"] == _paged(lab, Pulses(due=True, uids=some, limit=1))
        assert ["u00003", "u02000"] == _paged(lab, Pulses(uids=some, after="u00001"))
        assert [] == _paged(lab, Pulses(uids=()))

    @rule("PUL-5")
    def test_late_and_doubled_beats_change_nothing(self, lab: Lab) -> None:
        """A beat whose number has been reached changes nothing, not even the time, and is no lapse (PUL-5)."""
        beats = [Beat({"u1": Heartbeat(KEY, number, _HOUR, f'"{number}"')}) for number in (1, 2, 3)]
        for beat in beats:
            lab.ask(beat)
        (before,) = lab.ask(Pulses()).pulses

        assert [frozenset()] * 3 == [lab.ask(replace_ttl(beat, _AT_ONCE)).lapsed for beat in beats]

        assert (before,) == lab.ask(Pulses()).pulses
        assert () == lab.ask(Pulses(due=True)).pulses

    @rule("PUL-5")
    def test_beat_after_the_end_brings_nothing_back(self, lab: Lab) -> None:
        """A beat that arrives after its lease has ended makes no pulse, and says that it has lapsed (PUL-5)."""
        lab.ask(Commit("take", puts=(lease("u1"),)))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))
        lab.ask(Commit("end", deletes=(KEY,)))

        assert frozenset({"u1"}) == lab.ask(Beat({"u1": Heartbeat(KEY, 2, _HOUR)})).lapsed
        assert ((), {}) == (lab.ask(Pulses()).pulses, lab.ask(Get((KEY,))))

    @rule("PUL-3")
    def test_beats_touch_no_record(self, lab: Lab) -> None:
        """Beats change no record, so a commit that rests on the lease and its resource in any way happens (PUL-3)."""
        lab.ask(Commit("begin", puts=(site(1), lease("u1"))))
        before = lab.ask(Get((SITE, KEY)))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))
        lab.ask(Beat({"u1": Heartbeat(KEY, 2, _HOUR)}))

        assert before == lab.ask(Get((SITE, KEY)))
        expect = {key: record.stamp for key, record in before.items()}
        sealed = {key: record.seal for key, record in before.items()}
        commit = Commit("rests", expect, frozenset({SITE}), sealed, (site(2),), fenced={KEY: "u1"})
        assert Receipt("rests") == lab.ask(commit)
        assert {SITE.text, KEY.text} == lab.records().keys()

    @rule("PUL-3")
    def test_commits_and_beats_of_one_lease_do_not_meet(self, lab: Lab) -> None:
        """Concurrent beats make no fenced commit fail, and no commit makes a beat fail (PUL-3)."""
        lab.ask(Commit("begin", puts=(lease("u1"),)))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))
        port = lab.port_of_mode
        beats = [Beat({"u1": Heartbeat(KEY, number, _HOUR)}) for number in range(2, 12)]
        commits = [Commit(f"c{at}", puts=(site(at + 1),), fenced={KEY: "u1"}) for at in range(10)]
        asked = [one for pair in zip(beats, commits, strict=True) for one in pair]

        replies = lab.together([asks(port, one) for one in asked])

        assert [frozenset()] * 10 == [reply.lapsed for reply in replies[::2]]
        assert [Receipt(commit.txid) for commit in commits] == replies[1::2]
        assert [11] == [pulse.number for pulse in lab.ask(Pulses()).pulses]

    @rule("PUL-4")
    def test_clock_of_the_server_dates_beats(self, lab: Lab) -> None:
        """A beat is dated when it arrives, by the clock by which the server judges what is due (PUL-4)."""
        lab.clock.advance(timedelta(days=9))
        times = [lab.ask(Pulses()).at_us]
        for number in (1, 2):
            times.append(lab.ask(Beat({"u1": Heartbeat(KEY, number, _HOUR)})).at_us)
            page = lab.ask(Pulses())
            times += [page.pulses[0].at_us, page.at_us]

        assert sorted(times) == times
        assert times[-1] - times[0] < _DAY_US

    @rule("PUL-4")
    def test_pulse_is_due_when_its_ttl_has_passed(self, lab: Lab) -> None:
        """What is due is told by the newest beat and its TTL; a further beat ends it (PUL-4)."""
        lab.ask(Beat({"a": Heartbeat(KEY, 1, _AT_ONCE), "b": Heartbeat(OTHER, 1, _HOUR)}))
        assert ["a"] == _paged(lab, Pulses(due=True))

        lab.ask(Beat({"a": Heartbeat(KEY, 2, _DAY), "b": Heartbeat(OTHER, 2, _AT_ONCE)}))
        assert ["b"] == _paged(lab, Pulses(due=True))
        page = lab.ask(Pulses(due=True))
        assert page.pulses[0].due_us <= page.at_us

    @rule("PUL-4")
    def test_nothing_is_due_before_its_ttl_has_passed(self, lab: Lab) -> None:
        """Whenever one asks, what is due is exactly that whose TTL has passed, and one server says so (PUL-4)."""
        ttls = [timedelta(milliseconds=at) for at in _TTLS_MS]
        lab.ask(Beat({f"u{at:02}": Heartbeat(KEY, 1, ttl) for at, ttl in enumerate(ttls)}))
        found = lab.ask(Pulses())
        servers = {found.server}
        while True:
            before = lab.ask(Pulses(uids=()))
            page = lab.ask(Pulses(due=True))
            servers |= {before.server, page.server}

            due = {pulse.uid for pulse in page.pulses}
            assert {pulse.uid for pulse in found.pulses if pulse.due_us <= before.at_us} <= due
            assert due <= {pulse.uid for pulse in found.pulses if pulse.due_us <= page.at_us}
            if len(due) >= _DUE:
                break
        assert 1 == len(servers)


class PulseCheckRules:
    """The port itself: what an audit finds of pulses, and what a repair does."""

    @rule("PUL-7")
    def test_lease_without_a_pulse_is_found_and_gets_one(self, lab: Lab) -> None:
        """A lease that could never be found silent is a flaw; a repair gives it a pulse that can be due (PUL-7)."""
        lost = beside(LEASE, Key("Site", "lost"))
        lab.ask(Commit("take", puts=(lease("u1"), lease("u2", lost), site(1))))
        lab.ask(Beat({"u1": Heartbeat(KEY, 3, _HOUR)}))
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR)}))

        found = flaws(lab)
        assert [(FlawKind.MISSING_ENTRY, lost.text)] == [(flaw.kind, flaw.key) for flaw in found]
        lab.ask(Mend((*found, *found)))

        assert [] == flaws(lab)
        pulses = lab.ask(Pulses(uids=("u2",))).pulses
        assert [(lost, 1)] == [(pulse.key, pulse.number) for pulse in pulses]
        assert frozenset() == lab.ask(Beat({"u2": Heartbeat(lost, 2, _HOUR)})).lapsed

    @rule("PUL-7")
    def test_pulse_without_a_lease_is_no_flaw_while_its_taker_may_live(self, lab: Lab) -> None:
        """A pulse comes before its lease, so only one that has been due for long is a flaw (PUL-7)."""
        long_ago = timedelta(days=-1)
        lab.ask(Commit("take", puts=(lease("here"),)))
        lab.ask(
            Beat(
                {
                    "taker": Heartbeat(OTHER, 1, _AT_ONCE),
                    "dead": Heartbeat(OTHER, 1, long_ago),
                    "before": Heartbeat(KEY, 1, long_ago),
                    "here": Heartbeat(KEY, 1, long_ago),
                }
            )
        )

        found = flaws(lab)
        assert {(FlawKind.STRAY_ENTRY, OTHER.text), (FlawKind.STRAY_ENTRY, KEY.text)} == {
            (flaw.kind, flaw.key) for flaw in found
        }
        lab.ask(Beat({"before": Heartbeat(KEY, 2, _HOUR)}))
        lab.ask(Mend(tuple(found)))

        assert ["before", "here", "taker"] == _paged(lab, Pulses())
        assert [] == flaws(lab)


def flaws(lab: Lab) -> list[Flaw]:
    """Return what an audit finds."""
    found: list[Flaw] = []
    after: str | None = ""
    while after is not None:
        page = lab.ask(Audit(after, limit=2))
        found += page.flaws
        after = page.next
    return found


def replace_ttl(beat: Beat, ttl: timedelta) -> Beat:
    """Return the same beats with another TTL."""
    return Beat({uid: replace(one, ttl=ttl) for uid, one in beat.beats.items()})


def _paged(lab: Lab, query: Pulses) -> list[str]:
    """Return the uids of all pages."""
    found: list[str] = []
    while True:
        page = lab.ask(query)
        assert len(page.pulses) <= query.limit
        found += [pulse.uid for pulse in page.pulses]
        if page.next is None:
            return found
        assert page.next > query.after
        query = replace(query, after=page.next)
