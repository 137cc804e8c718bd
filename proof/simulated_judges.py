"""Rules by which the leases in virtual time are judged: that of the library, and others that are known to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from emco_store.core.judging import GAPS, SECOND_US, TOLERANCE, Brake, Poll, Watch, judge

TTL_S: Final = 15.0


class Answer(NamedTuple):
    """What a rule makes of a poll: the uids that look dead, those to end now with the beat that was seen, and a wish.

    Attributes:
        dead: The uids.
        ends: For each uid, the number of the newest beat that was seen.
        at_once: Whether the next poll is to follow at once.
    """

    dead: Sequence[str]
    ends: Sequence[tuple[str, int]]
    at_once: bool = False


class Proposed:
    """The rule of the library.

    Args:
        is_kept: What stands in for :meth:`Watch.is_kept`, for the negative controls.
    """

    def __init__(self, is_kept: Callable[[Watch, int], bool] | None = None) -> None:
        self._watch = (
            Watch if is_kept is None else type("Doubtless", (Watch,), {"is_kept": is_kept, "__slots__": ()})
        )()

    @property
    def wants_all(self) -> bool:
        """Whether the next poll is to return every pulse."""
        return bool(self._watch.wants_all)

    @property
    def brake(self) -> Brake | None:
        """The brake, while it is applied."""
        brake: Brake | None = self._watch.brake
        return brake

    def __call__(self, poll: Poll) -> Answer:
        """Judge a poll."""
        self._watch, dead, ends = judge(self._watch, poll)
        at_once = self._watch.wants_all and not poll.is_whole
        return Answer([each.uid for each in dead], [each.seen for each in ends], at_once)


class OwnClock:
    """The rule of leader election in client-go: dead is what has not beaten for a TTL by the observer's own clock."""

    wants_all = True
    brake = None

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def __call__(self, poll: Poll) -> Answer:
        """Judge a poll."""
        found: dict[str, tuple[int, int]] = {}
        for pulse in poll.pulses:
            known = self._seen.get(pulse.uid)
            found[pulse.uid] = known if known and known[0] == pulse.number else (pulse.number, poll.received_us)
        self._seen = found
        ttl_us = round(TTL_S * SECOND_US)
        ends = [(uid, number) for uid, (number, at_us) in found.items() if poll.received_us - at_us >= ttl_us]
        return Answer([uid for uid, _ in ends], ends)


class ServerClock:
    """A plain TTL: dead is what has not beaten for a TTL by the server's clock."""

    wants_all = True
    brake = None

    def __call__(self, poll: Poll) -> Answer:
        """Judge a poll."""
        ends = [each.seen for each in poll.pulses if poll.at_us >= each.due_us]
        return Answer([uid for uid, _ in ends], ends)


def without_watch() -> Proposed:
    """Return the rule without (b) of SUP-1."""
    return Proposed(lambda _watch, _ttl_us: True)


class ByAnyServer(Proposed):
    """The rule without the name of the server that answers."""

    def __call__(self, poll: Poll) -> Answer:
        """Judge a poll."""
        return super().__call__(poll._replace(server=""))


class BySuccessivePolls:
    """The rule with (b) of SUP-1 checked between successive polls only, and not over the whole of the watch."""

    wants_all = True
    brake = None

    def __init__(self) -> None:
        self._last: Poll | None = None
        self._since_us = 0

    def __call__(self, poll: Poll) -> Answer:
        """Judge a poll."""
        last, self._last = self._last, poll
        ttl_us = round(TTL_S * SECOND_US)
        own_us = poll.received_us - (last.received_us if last else 0)
        server_us = poll.at_us - (last.at_us if last else 0)
        if own_us > ttl_us // GAPS or abs(server_us - own_us) > ttl_us // TOLERANCE:
            self._since_us = poll.received_us
        is_kept = poll.sent_us - self._since_us >= ttl_us
        ends = [each.seen for each in poll.pulses if is_kept and poll.at_us >= each.due_us]
        return Answer([uid for uid, _ in ends], ends)
