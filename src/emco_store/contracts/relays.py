"""FEED-15: relays, which send messages to a sink, each once and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from emco_store.contracts.consumers import PATIENCE
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Site
from emco_store.contracts.rules import rule
from emco_store.core.consumers import seat_of
from emco_store.core.keys import Key
from emco_store.core.relaying import Delivery, Position
from emco_store.core.strategies import Backoff, FailureRate
from emco_store.errors import FeedGap, InvalidCall, LeaseLost, NotFound, SinkFailed

NAME: Final = "orders"

_LOOK: Final = timedelta(seconds=0.2)
"""How long a relay waits for what is told already."""
_LOOKS: Final = 5


class Recorder:
    """A sink that keeps everything, and refuses what is not after its last message.

    Attributes:
        kept: What it has, in order.
        before: Called before each message is stored.
        calls: How often something was sent.
    """

    def __init__(self) -> None:
        self.kept: list[Delivery] = []
        self.before: Callable[[Delivery], object] = bool
        self.calls = 0
        self.last: Position | None = None

    def position(self) -> Position | None:
        """Return the position of the last message."""
        return self.last

    def send(self, batch: Sequence[Delivery]) -> None:
        """Keep messages that come after the last one."""
        self.calls += 1
        for one in batch:
            self.before(one)
            if self.last is None or one.position.place > self.last.place:
                self.kept.append(one)
                self.last = one.position

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the messages."""
        return [one.body for one in self.kept]


class RelayRules:
    """Relay."""

    @rule("FEED-15")
    def test_each_message_is_sent_once_and_in_order_across_starts(self, lab: Lab) -> None:
        """Wherever a relay is stopped, the next one goes on (FEED-15)."""
        sink, begin = Recorder(), lab.store.feed_cursor()
        bodies = emit(lab, 3)
        for batch in (1, 2, 100):
            relay(lab.open(), sink, len(bodies), batch=batch, after=begin)
            bodies += emit(lab, 3)
        relay(lab.store, sink, len(bodies))
        relay(lab.open(), sink, len(bodies), after=lab.store.feed_cursor())

        assert bodies == sink.bodies
        assert sorted({one.position.place for one in sink.kept}) == [one.position.place for one in sink.kept]
        assert len(bodies) == len({one.id for one in sink.kept})

    @rule("FEED-15")
    def test_first_start_has_all_that_the_feed_keeps(self, lab: Lab) -> None:
        """Messages that were emitted before a relay was thought of are sent, too (FEED-15)."""
        sink, bodies = Recorder(), emit(lab, 2)
        one = lab.store.relay(NAME, sink)
        with lab.store.lease(one.seat) as lease:
            for _ in range(_LOOKS):
                one.step(lease, wait=_LOOK)
                if bodies == sink.bodies[-2:]:
                    break

        assert bodies == sink.bodies[-2:]

    @rule("FEED-15")
    def test_messages_of_one_commit_keep_their_order_and_their_data(self, lab: Lab) -> None:
        """A delivery has topic, key and body as they were emitted, and the id of its commit (FEED-15)."""
        begin = lab.store.feed_cursor()
        sink, body = Recorder(), {"a": [1, None, "ü"], "b": 2**60, "c": 0.5}
        with lab.store.transaction() as tx:
            tx.emit("a.b", body, key="App/p1/web")
            tx.emit("a.c", None)
            tx.create(Site(name="a"))
        wait_until_told(lab.store, begin, 1)
        relay(lab.store, sink, 2, after=begin)

        first, second = sink.kept
        assert ("a.b", "App/p1/web", body) == (first.topic, first.key, first.body)
        assert ("a.c", None, None, b"null") == (second.topic, second.key, second.body, second.json)
        assert (first.position.txid, first.position.number, 1) == (second.position.txid, second.position.number, 1)
        assert (1, 2) == (first.position.index, second.position.index)
        assert first.position == Position.read(first.position.text)
        for wrong in ("", "[]", "[1,2]", '["1",2,"t","b"]', "{}"):
            with pytest.raises(ValueError, match=r"\w"):
                Position.read(wrong)

    @rule("FEED-15")
    def test_changes_are_sent_under_a_topic_that_was_asked_for(self, lab: Lab) -> None:
        """Without it, messages alone are sent; with kinds, the changes of these and no messages (FEED-15)."""
        begin = lab.store.feed_cursor()
        site = lab.store.create(Site(name="a"))
        with lab.store.transaction() as tx:
            tx.emit("t", 1)
            crate = tx.create(Crate(parent=site, name="b"))
        wait_until_told(lab.store, begin, 1)
        told: dict[str, Recorder] = {}
        options: dict[str, tuple[int, dict[str, Any]]] = {
            "messages": (1, {}),
            "crates": (1, {"changes": "changes", "kinds": [Crate], "under": site}),
            "topics": (0, {"topics": ["other"]}),
        }
        for name, (count, chosen) in options.items():
            told[name] = Recorder()
            relay(lab.store, told[name], count, name=name, after=begin, **chosen)
        both = Recorder()
        everything = lab.store.relay("both", both, changes="changes", after=begin)
        with lab.store.lease(everything.seat) as lease:
            while len(both.kept) < 3:
                everything.step(lease, wait=PATIENCE)

        assert ([1], []) == (told["messages"].bodies, told["topics"].bodies)
        assert ["changes", "changes", "t"] == [one.topic for one in both.kept[:3]]
        (only,) = told["crates"].bodies
        assert [("created", crate.key.text, crate.meta.uid, 1, "resource")] == [
            tuple(change.values()) for change in only["changes"]
        ]

    @rule("FEED-15")
    def test_position_depends_on_the_feed_alone(self, lab: Lab) -> None:
        """A relay that chooses other messages at its next start sends none twice and leaves none out (FEED-15)."""
        begin = lab.store.feed_cursor()
        for topics in ("abc", "b", "a", "bca", "c", "b"):
            with lab.store.transaction() as tx:
                for topic in topics:
                    tx.emit(topic, f"{topic} of {topics}")
        wait_until_told(lab.store, begin, 6)
        expected = {
            "c of bca": ["a of abc", "c of abc", "a of a", "b of bca", "c of bca", "c of c", "b of b"],
            "a of bca": ["a of abc", "c of abc", "a of a", "c of bca", "c of c", "b of b"],
            "c of c": ["a of abc", "c of abc", "a of a", "c of bca", "a of bca", "c of c", "b of b"],
        }
        for at, bodies in expected.items():
            sink = Recorder()
            sink.before = partial(_fail_at, at)
            with pytest.raises(SinkFailed):
                relay(lab.store, sink, 6, name=at, after=begin, topics=["a", "c"], retry=None)
            sink.before = bool
            relay(lab.store, sink, len(bodies), name=at, topics=["b", "c"])

            assert bodies == sink.bodies

    @rule("FEED-15")
    def test_relay_that_has_lost_its_lease_sends_nothing_that_is_there(self, lab: Lab) -> None:
        """Two relays that send at the same time leave each message once and in order (FEED-15)."""
        sink, other, begin = Recorder(), lab.open(), lab.store.feed_cursor()
        bodies = emit(lab, 4)
        late: list[Any] = []

        def take_over(_: Delivery) -> None:
            sink.before = bool
            late.extend(emit(lab, 1, other))
            other.expire(seat_of(NAME).key)
            relay(other, sink, 5)

        sink.before = take_over
        stale = lab.store.relay(NAME, sink, after=begin)
        with lab.store.lease(stale.seat) as lease:
            while len(sink.kept) < 5:
                stale.step(lease, wait=PATIENCE)
            assert [*bodies, *late] == sink.bodies
            late += emit(lab, 1)
            with pytest.raises(LeaseLost):
                for _ in range(_LOOKS):
                    assert 0 == stale.step(lease, wait=_LOOK)
        assert [*bodies, *late] == sink.bodies
        late += emit(lab, 1)
        relay(other, sink, 7)
        assert [*bodies, *late] == sink.bodies

    @rule("FEED-15")
    def test_sink_that_was_emptied_gets_what_follows(self, lab: Lab) -> None:
        """What the relay has saved counts where the sink has nothing, or less (FEED-15)."""
        sink, begin = Recorder(), lab.store.feed_cursor()
        emit(lab, 2)
        relay(lab.store, sink, 2, after=begin)
        sink.kept, sink.last = [], None
        bodies = emit(lab, 2)
        relay(lab.open(), sink, 2)
        assert bodies == sink.bodies

        with suppress(NotFound):
            lab.store.delete(seat_of(NAME).key)
        assert [] == list(lab.store.consumers())
        bodies += emit(lab, 1)
        relay(lab.open(), sink, 3)
        assert bodies == sink.bodies

    @rule("FEED-15")
    def test_sink_that_has_what_the_feed_does_not_tell_is_a_gap(self, lab: Lab) -> None:
        """A commit that was lost, another store and another relay are found before anything is left out (FEED-15)."""
        sink, begin = Recorder(), lab.store.feed_cursor()
        emit(lab, 1)
        relay(lab.store, sink, 1, after=begin)
        last = sink.last
        assert last is not None
        emit(lab, 1)
        places = (
            Position(last.number + 9, 1, "another", last.before),
            Position(last.number + 9, 1, last.txid, "1.of-another-feed"),
            Position(last.number + 10**6, 1),
        )
        for wrong in places:
            sink.last = wrong
            with pytest.raises((FeedGap, InvalidCall)):
                relay(lab.open(), sink, 2)
        assert 1 == len(sink.kept)
        cursor = lab.store.feed_cursor()
        bodies = emit(lab, 1)
        sink.last = places[0]
        relay(lab.open(), sink, 2, on_gap=lambda _: cursor)
        assert bodies == sink.bodies[1:]

    @rule("FEED-15")
    def test_sink_that_fails_is_tried_again_after_what_it_has(self, lab: Lab) -> None:
        """Each failure is told, and nothing is left out or doubled; ``retry=None`` raises it (FEED-15)."""
        sink, told, begin = Recorder(), list[SinkFailed](), lab.store.feed_cursor()
        bodies = emit(lab, 4)
        fails = [2, 2, 3]

        def fail(one: Delivery) -> None:
            if fails and one.body == bodies[fails[0]]:
                raise ConnectionError(f"{fails.pop(0)}")

        sink.before = fail
        with pytest.raises(SinkFailed) as raised:
            relay(lab.store, sink, 4, retry=FailureRate(1, per="1h"), on_failure=told.append, after=begin)
        assert (NAME, 2, ConnectionError) == (raised.value.relay, raised.value.attempts, type(raised.value.__cause__))
        assert (1, bodies[:2]) == (len(told), sink.bodies)
        relay(lab.open(), sink, 4, retry=Backoff("0s"), on_failure=told.append)
        assert (2, bodies) == (len(told), sink.bodies)

    @rule("FEED-15")
    def test_relays_are_shown_among_consumers(self, lab: Lab) -> None:
        """A relay has a cursor, which moves though nothing is to be sent after what was sent (FEED-15)."""
        begin = lab.store.feed_cursor()
        emit(lab, 1)
        relay(lab.store, Recorder(), 1, after=begin)
        (state,) = lab.store.consumers()

        assert (NAME, True) == (state.name, state.number > 0)

    @rule("FEED-15")
    def test_wrong_arguments_are_refused(self, lab: Lab) -> None:
        """What could not work is refused before anything is asked (FEED-15)."""
        before = len(lab.faults.requests)
        wrong: list[dict[str, Any]] = [
            {"name": ""},
            {"sink": None},
            {"sink": object()},
            {"topics": "orders"},
            {"topics": []},
            {"changes": ""},
            {"changes": 7},
            {"changes": "a.*"},
            {"kinds": [Site]},
            {"under": Key("Site", "a")},
            {"changes": "c", "under": Key("Site", "a")},
            {"batch": 0},
            {"retry": 3},
            {"on_gap": "now"},
            {"on_failure": 1},
            {"after": 1},
            {"seat_ttl": 15},
        ]
        for options in wrong:
            with pytest.raises(InvalidCall):
                lab.store.relay(**{"name": NAME, "sink": Recorder(), **options})

        assert before == len(lab.faults.requests)


def _fail_at(body: str, one: Delivery) -> None:
    if one.body == body:
        raise ZeroDivisionError


def emit(lab: Lab, count: int, store: Any = None) -> list[Any]:
    """Emit so many messages, each in a commit of its own, wait until they are told, and return their bodies."""
    begin = lab.store.feed_cursor()
    bodies: list[Any] = []
    for _ in range(count):
        with (store or lab.store).transaction() as tx:
            bodies.append(f"in {tx.txid}")
            tx.emit("orders.made", bodies[-1])
    wait_until_told(lab.store, begin, count)
    return bodies


def wait_until_told(store: Any, begin: str, count: int) -> None:
    """Wait until the feed tells so many commits with messages after a cursor."""
    watch = store.watch(after=begin, topics=["*"], idle=PATIENCE)
    for _ in range(count):
        assert next(watch, None) is not None


def relay(store: Any, sink: Recorder, count: int, *, name: str = NAME, **options: Any) -> None:
    """Let a relay send messages that are told until the sink has so many, and see that no more come."""
    one = store.relay(name, sink, **options)
    with store.lease(one.seat) as lease:
        idle = 0
        while len(sink.kept) < count and idle < _LOOKS:
            idle = 0 if one.step(lease, wait=_LOOK) else idle + 1
        one.step(lease)
    assert count == len(sink.kept)
