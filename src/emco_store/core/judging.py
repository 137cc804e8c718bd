"""Judging: which leases have ended, of all that somebody watches from outside.

Whoever judges doubts itself first. The server dates the beats, and its clock may step, run wrong, or be another one
after a failover; the observer may have been stopped, cut off, or have just begun. So a lease counts as dead only if the
server's time says so, and the observer has kept watch for as long: it has polled without a gap, and over the whole of
that time the same server has answered, whose clock and its own advanced alike.

Everything here is a pure function of a state, the observer's own monotonic clock, the server's time and the pulses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import itemgetter
from typing import Final, NamedTuple

from emco_store.core.pulses import Pulse

SECOND_US: Final = 1_000_000
GAPS: Final = 3
"""Polls are at most a TTL divided by this apart."""
TOLERANCE: Final = 15
"""The two clocks advance alike to a TTL divided by this."""
FEW: Final = 2
"""Up to this number of dead leases, no brake is applied."""
SHARE: Final = 55
"""The percentage of all leases from which on it is more likely that the observer is wrong."""
PACE: Final = 10
"""How many leases are ended in a second while the brake is applied."""
_KEPT_US: Final = 26 * 3600 * SECOND_US
"""How much of the watch is remembered: the longest TTL, and what stretches are longer than asked for."""
_GROWTH: Final = 16


class Poll(NamedTuple):
    """One answered question for pulses.

    Attributes:
        sent_us: When the question was sent, by the observer's monotonic clock.
        received_us: When its answer was there, by the same clock.
        at_us: The server's time, which was read somewhere between the two.
        server: The name of the server that answered; another name means that beats may have been forgotten.
        pulses: Those that are due; all of them where ``is_whole``.
        is_whole: Whether ``pulses`` are all that there are.
    """

    sent_us: int
    received_us: int
    at_us: int
    server: str
    pulses: tuple[Pulse, ...]
    is_whole: bool = True


class Stretch(NamedTuple):
    """A part of the watch: one poll, or some that follow one another.

    Attributes:
        since_us: When the first of them was answered.
        until_us: When the last of them was sent.
        gap_us: The longest time between two of them.
        slow_us: The longest time that one of them took.
        ahead_us: How far the server's clock is ahead of the own one at least, by the poll that shows most.
        behind_us: How far it is ahead at most, by the poll that shows least.
    """

    since_us: int
    until_us: int
    gap_us: int
    slow_us: int
    ahead_us: int
    behind_us: int

    @classmethod
    def of(cls, poll: Poll) -> Stretch:
        """Make the stretch of one poll."""
        took_us = poll.received_us - poll.sent_us
        return cls(
            poll.received_us, poll.sent_us, 0, took_us, poll.at_us - poll.received_us, poll.at_us - poll.sent_us
        )  # fmt: skip

    def joined(self, later: Stretch) -> Stretch:
        """Return this stretch and one after it as one."""
        return Stretch(
            self.since_us, later.until_us, max(self.gap_us, later.gap_us, later.since_us - self.until_us),
            max(self.slow_us, later.slow_us), max(self.ahead_us, later.ahead_us), min(self.behind_us, later.behind_us),
        )  # fmt: skip


class FromAhead(NamedTuple):
    """A beat that was dated ahead of the server when it was first seen.

    Attributes:
        number: Its number.
        seen_us: When it was seen, by the own clock.
    """

    number: int
    seen_us: int


class Brake(NamedTuple):
    """Many leases look dead at once, which the observer doubts.

    Attributes:
        until_us: Until when it ends none of them, by the own clock.
        last_us: When it last ended some.
    """

    until_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What an observer remembers between two polls.

    Attributes:
        stretches: The polls, the oldest first: the older, the more of them are taken together.
        server: The name of the server that answered them.
        ahead: The pulses, by uid, that are counted by the own clock.
        brake: The brake, while it is applied.
        wants_all: Whether the next poll must return all pulses, and not only those that are due.
    """

    stretches: tuple[Stretch, ...] = ()
    server: str = ""
    ahead: Mapping[str, FromAhead] = field(default_factory=dict[str, FromAhead])
    brake: Brake | None = None
    wants_all: bool = True

    def before(self, poll: Poll) -> tuple[Stretch, ...]:
        """Return the stretches that a poll continues: none if another server has answered them.

        Rules: SUP-1.
        """
        return self.stretches if self.server == poll.server else ()

    def is_kept(self, ttl_us: int) -> bool:
        """Return whether watch was kept for a TTL, up to the newest poll.

        Rules: SUP-1.
        """
        whole: Stretch | None = None
        for stretch in reversed(self.stretches):
            if stretch.slow_us > ttl_us // TOLERANCE:
                if whole is None:
                    return False
                continue
            whole = stretch if whole is None else stretch.joined(whole)
            if whole.gap_us > ttl_us // GAPS or whole.ahead_us - whole.behind_us > ttl_us // TOLERANCE:
                return False
            if whole.until_us - whole.since_us >= ttl_us:
                return True
        return False


class Judgement(NamedTuple):
    """What a poll shows.

    Attributes:
        watch: What to remember until the next one.
        dead: The leases that look dead, the longest silent first; takers that died before their commit are among them.
        ends: Those of them to end now.
    """

    watch: Watch
    dead: tuple[Pulse, ...]
    ends: tuple[Pulse, ...]


def judge(watch: Watch, poll: Poll) -> Judgement:
    """Say which leases look dead after a poll, and which of them to end now.

    A poll that took longer than TTL / 15 says too little about the clocks, and counts as none for leases of that TTL.
    So an observer that was stopped while it polled does not judge by an answer that is old.

    Args:
        watch: What the observer remembers; ``Watch()`` for one that has just begun.
        poll: The newest poll.

    Returns:
        The judgement. A lease may be ended only if no further beat has come at the commit.

    Rules: SUP-1 to SUP-3, SUP-5.
    """
    newest, before = Stretch.of(poll), watch.before(poll)
    stretches = (*_joined(before, poll.received_us), newest)
    known = replace(watch, stretches=stretches, server=poll.server, ahead=_ahead(watch.ahead, poll))
    dead = tuple(_dead(known, poll))
    brake, number = _brake(watch.brake, dead, poll)
    is_doubtful = not before or newest.ahead_us < before[-1].behind_us - SECOND_US // GAPS
    wants_all = bool(known.ahead) or is_doubtful or (brake is None and len(dead) > FEW and not poll.is_whole)
    return Judgement(replace(known, brake=brake, wants_all=wants_all), dead, dead[:number])


def _joined(stretches: Iterable[Stretch], now_us: int) -> list[Stretch]:
    """Return the stretches that are still remembered, with those taken together that are short for their age."""
    joined: list[Stretch] = []
    for stretch in stretches:
        if now_us - stretch.until_us > _KEPT_US:
            continue
        if joined and stretch.until_us - joined[-1].since_us <= (now_us - stretch.until_us) // _GROWTH:
            joined[-1] = joined[-1].joined(stretch)
        else:
            joined.append(stretch)
    return joined


def _ahead(before: Mapping[str, FromAhead], poll: Poll) -> Mapping[str, FromAhead]:
    """Return the pulses that are counted by the own clock: those of before that have not beaten since, and new ones."""
    found: dict[str, FromAhead] = {} if poll.is_whole else dict(before)
    for pulse in poll.pulses:
        known = before.get(pulse.uid)
        if known is not None and known.number == pulse.number:
            found[pulse.uid] = known
        elif pulse.at_us > poll.at_us + _us(pulse.ttl) // TOLERANCE:
            found[pulse.uid] = FromAhead(pulse.number, poll.received_us)
        else:
            found.pop(pulse.uid, None)
    return found


def _dead(watch: Watch, poll: Poll) -> list[Pulse]:
    """Return the pulses that have been silent for their TTL, if watch was kept for as long."""
    kept: dict[int, bool] = {}
    dead: list[tuple[int, Pulse]] = []
    for pulse in poll.pulses:
        ttl_us = _us(pulse.ttl)
        ahead = watch.ahead.get(pulse.uid)
        silent_us = poll.at_us - pulse.at_us if ahead is None else poll.sent_us - ahead.seen_us
        if silent_us < ttl_us:
            continue
        if ttl_us not in kept:
            kept[ttl_us] = watch.is_kept(ttl_us)
        if kept[ttl_us]:
            dead.append((ttl_us - silent_us, pulse))
    return [pulse for _, pulse in sorted(dead, key=itemgetter(0))]


def _brake(brake: Brake | None, dead: Sequence[Pulse], poll: Poll) -> tuple[Brake | None, int]:
    """Return the brake from now on, and how many of the dead may be ended now."""
    if brake is None and len(dead) > FEW:
        if not poll.is_whole:  # those that are due do not say of how many they are
            return None, 0
        if len(dead) * 100 >= SHARE * len(poll.pulses):
            until_us = poll.sent_us + max(_us(pulse.ttl) for pulse in dead)
            return Brake(until_us, until_us - SECOND_US), 0
    if brake is None or not dead:
        return None, len(dead)
    number = min(PACE, PACE * max(0, poll.sent_us - brake.last_us) // SECOND_US)
    if poll.sent_us < brake.until_us or not number:
        return brake, 0
    return Brake(brake.until_us, poll.sent_us), number


def _us(ttl: timedelta) -> int:
    return ttl // timedelta(microseconds=1)
