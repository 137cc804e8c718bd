"""FEED-10: what a transaction says beside its changes is told with them, once and in order, or not at all."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel

from emco_store.contracts.feed import A, B, created, now, site, told, told_until_end
from emco_store.contracts.fences import asks
from emco_store.contracts.harness import Lab, Mode
from emco_store.contracts.models import Crate, Site
from emco_store.contracts.rules import rule
from emco_store.contracts.watches import seen
from emco_store.core import messages
from emco_store.core.events import Event
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.records import Stamp
from emco_store.errors import InvalidCall
from emco_store.ports import Commit, Events, Receipt, Refusal, Settle

_SENT = (
    Message("orders.new", "Order/\u00fc", {"id": 7, "lines": [1.5, None, True, {"": "\0\n"}]}),
    Message("orders.new", None, "text \U0001f600"),
    Message("a", "k", []),
)
_MANY = 4


class _Topic(StrEnum):
    SHIPPED = "orders.shipped"


class _Body(BaseModel):
    site: str
    after: timedelta


class MessageRules:
    """What ``tx.emit`` adds to a commit."""

    @rule("FEED-10")
    def test_messages_are_told_in_the_event_of_their_commit(self, lab: Lab) -> None:
        """An event has the changes and the messages of its commit, which keep their order and their content."""
        begin = now(lab)
        lab.ask(Commit("one", {A: None}, puts=(site(A),), messages=_SENT))
        lab.ask(Commit("two", {B: None}, puts=(site(B),)))

        one, two = told(lab, begin, 2)
        assert ("one", (created(A),), _SENT) == (one.txid, one.changes, one.messages)
        assert ("two", (created(B),), ()) == (two.txid, two.changes, two.messages)

    @rule("FEED-10", "FEED-8")
    def test_commit_that_only_has_messages_is_an_event_once(self, lab: Lab) -> None:
        """It is told, its outcome is remembered, and a repeat of it tells nothing more (FEED-8)."""
        begin = now(lab)
        for _ in range(2):
            assert Receipt("one") == lab.ask(Commit("one", messages=_SENT[:1]))
        lab.ask(Commit("two", {A: None}, messages=_SENT[1:]))

        events = told_until_end(lab, begin)
        assert [("one", _SENT[:1]), ("two", _SENT[1:]), ("end", ())] == [(one.txid, one.messages) for one in events]
        assert [(), ()] == [one.changes for one in events[:2]]

    @rule("FEED-10")
    def test_message_is_kept_whether_anybody_has_read_or_not(self, lab: Lab) -> None:
        """A message that nobody waited for comes after the cursor of the beginning of the feed."""
        lab.ask(Commit("one", messages=_SENT[:1]))
        lab.ask(Commit("two", {A: None}, puts=(site(A),), messages=_SENT[1:]))

        page = lab.ask(Events(oldest=True))
        assert () == page.events
        events = told_until_end(lab, page.cursor)  # on a server, earlier tests may have left some
        assert [("one", _SENT[:1]), ("two", _SENT[1:]), ("end", ())] == [
            (one.txid, one.messages) for one in events[-3:]
        ]
        assert events == told(lab, lab.store.feed_cursor(oldest=True), len(events))
        with pytest.raises(InvalidCall):
            lab.store.feed_cursor(oldest="yes")

    @rule("FEED-10")
    def test_messages_of_a_commit_that_did_not_happen_are_not_told(self, lab: Lab) -> None:
        """Neither a refusal nor a settlement leaves a message behind, with records or without."""
        begin = now(lab)
        lab.ask(Commit("one", {A: None}, puts=(site(A),)))
        lab.ask(Settle("settled"))
        for commit in (
            Commit("stale", {A: None, B: None}, puts=(site(B),), messages=_SENT),
            Commit("alone", {A: Stamp("u-a", 7)}, messages=_SENT),
            Commit("missing", require=frozenset({B}), messages=_SENT),
            Commit("settled", messages=_SENT),
        ):
            assert isinstance(lab.ask(commit), Refusal)

        assert [("one", ()), ("end", ())] == [(one.txid, one.messages) for one in told_until_end(lab, begin)]

    @rule("FEED-10")
    def test_messages_of_commits_at_once_come_in_the_order_of_their_commits(self, lab: Lab) -> None:
        """Whoever writes at the same time, each message stands beside the changes of its own commit."""
        begin = now(lab)
        keys = [Key("Site", f"s{number}") for number in range(6)]
        for version in range(_MANY):
            commits = [
                Commit(
                    f"{_MANY - version}-{key.name}",  # times in ids are those of clients, and no order
                    {key: Stamp(f"u-{key.name}", version) if version else None},
                    puts=(site(key, version + 1),),
                    messages=tuple([Message(key.name, str(part), [version, part]) for part in range(2)]),
                )
                for key in keys
            ]
            replies = lab.together([asks(lab.port_of_mode, commit) for commit in commits])
            assert [Receipt(commit.txid) for commit in commits] == replies

        events = told(lab, begin, _MANY * len(keys))
        for event in events:
            (change,) = event.changes
            expected = [(change.key.name, [change.version - 1, part]) for part in range(2)]
            assert expected == [(one.topic, one.body) for one in event.messages]
        bodies = [one.body[0] for event in events for one in event.messages]
        assert sorted(bodies) == bodies

    @rule("FEED-10")
    def test_transaction_emits_with_its_changes(self, lab: Lab) -> None:
        """A body may be a model, a key a resource; what happens to the body afterwards changes nothing."""
        begin = lab.store.feed_cursor()
        lines = [1]
        with lab.store.transaction() as tx:
            made = tx.create(Site(name="a"))
            tx.emit(_Topic.SHIPPED, _Body(site="a", after=timedelta(seconds=3)), key=made)
            tx.emit("lines", lines, key="one line")
            tx.emit("nothing", key=Key("Site", "\u00fc"))
            lines.append(2)
        with pytest.raises(KeyError), lab.store.transaction() as tx:
            tx.emit("never", 1)
            raise KeyError
        with lab.store.transaction() as tx:
            tx.emit("alone", {"x": 1})

        both, alone = seen(lab.store, begin, 2)
        assert [made.key] == [one.key for one in both.changes]
        assert [
            ("orders.shipped", "Site/a", {"site": "a", "after": "PT3S"}),
            ("lines", "one line", [1]),
            ("nothing", "Site/%C3%BC", None),
        ] == [(one.topic, one.key, one.body) for one in both.messages]
        assert ((), (Message("alone", None, {"x": 1}),)) == (alone.changes, alone.messages)

    @rule("FEED-10")
    def test_repeated_transaction_emits_once(self, lab: Lab) -> None:
        """Neither a lost race nor a lost reply doubles a message, and one of an attempt that lost is not told."""
        found = lab.store.create(Site(name="a"))
        other = lab.open()
        begin = lab.store.feed_cursor()
        titles: list[str] = []

        def rename(tx: Any) -> Any:
            site = tx.get(Site, "a")
            titles.append(site.title)
            tx.emit("renamed", site.title)
            return tx.update(site.model_copy(update={"title": "mine"}))

        lab.faults.do(Commit, lambda: lab.inside(other).update(found.model_copy(update={"title": "theirs"})))
        lab.store.run(rename)
        lab.faults.lose_reply()
        with lab.store.transaction() as tx:
            tx.emit("lost", 1)
        lab.store.create(Site(name="end"))

        assert [found.title, "theirs"] == titles
        events = seen(lab.store, begin, 4)
        assert [[], [("renamed", "theirs")], [("lost", 1)], []] == [
            [(one.topic, one.body) for one in event.messages] for event in events
        ]

    @rule("FEED-10", "OCC-16")
    def test_plan_of_a_transaction_shows_its_messages(self, lab: Lab) -> None:
        """A plan emits nothing, and applying it emits what it shows (OCC-16)."""

        def blocking(tx: Any) -> None:
            tx.emit("orders.new", {"id": 7}, key="k")

        async def asyncio(tx: Any) -> None:
            tx.emit("orders.new", {"id": 7}, key="k")

        begin = lab.store.feed_cursor()
        plan = lab.store.plan_transaction(blocking if lab.bench.mode is Mode.BLOCKING else asyncio)
        lab.store.create(Site(name="a"))
        lab.store.apply(plan)

        assert (Message("orders.new", "k", {"id": 7}),) == plan.messages
        assert not plan.is_empty
        assert ["> orders.new k"] == [line.strip() for line in str(plan).splitlines()[1:]]
        assert [(), plan.messages] == [event.messages for event in seen(lab.store, begin, 2)]

    @rule("FEED-9", "FEED-10")
    def test_watcher_chooses_messages_by_their_topics(self, lab: Lab) -> None:
        """Kinds choose changes, topics choose messages; without either, everything is told (FEED-9)."""
        begin = lab.store.feed_cursor()
        with lab.store.transaction() as tx:
            tx.create(Site(name="a"))
            for topic in ("orders.new", "orders", "ordersnew", "stock"):
                tx.emit(topic, topic)
        with lab.store.transaction() as tx:
            tx.emit("stock", 2)
        seen(lab.store, begin, 2)

        every = ["orders.new", "orders", "ordersnew", "stock"]
        site = ["Site/a"]
        for options, expected in (
            ({}, [(site, every), ([], ["stock"])]),
            ({"kinds": [Site]}, [(site, [])]),
            ({"kinds": [Crate]}, []),
            ({"topics": ["orders"]}, [([], ["orders"])]),
            ({"topics": ["orders.*", "stock"]}, [([], ["orders.new", "stock"]), ([], ["stock"])]),
            ({"topics": ["*"]}, [([], every), ([], ["stock"])]),
            ({"kinds": [Site], "topics": ["stock"]}, [(site, ["stock"]), ([], ["stock"])]),
            ({"kinds": [Crate], "topics": ["none"], "load": True}, []),
        ):
            events: list[Event] = list(lab.store.watch(after=begin, idle=timedelta(0), **options))
            assert expected == [
                ([one.key.text for one in event.changes], [one.topic for one in event.messages]) for event in events
            ]

    @rule("FEED-10")
    def test_wrong_messages_are_refused_at_once(self, lab: Lab) -> None:
        """What cannot be told is refused before anything is asked, and the transaction goes on without it."""
        begin = lab.store.feed_cursor()
        loop: list[Any] = []
        loop.append(loop)
        wrong: list[tuple[Any, Any, Any]] = [
            *((topic, 1, None) for topic in (None, 7, "", "t" * 201, "a b", "a\n", "a.", ".a", "a..b", "a*", "\u00fc")),
            *(("t", 1, key) for key in (7, "", "k" * 2_001, "a\nb", "\ud800", "k\0")),
            *(("t", body, None) for body in (object(), float("nan"), [float("-inf")], "\ud800", b"\xff", loop)),
            ("t", "x" * (messages.MAX_BODY_BYTES - 1), None),
        ]
        with lab.store.transaction() as tx:
            before = len(lab.faults.requests)
            for topic, body, key in wrong:
                with pytest.raises(InvalidCall):
                    tx.emit(topic, body, key=key)
            assert before == len(lab.faults.requests)
            tx.emit("t" * 200, "x" * (messages.MAX_BODY_BYTES - 2), key="k" * 2_000)
        for topics in ("orders", [], [7], ["a b"], ["a*"], [""]):
            with pytest.raises(InvalidCall):
                lab.store.watch(topics=topics)

        (event,) = seen(lab.store, begin, 1)
        assert [messages.MAX_BODY_BYTES - 2] == [len(one.body) for one in event.messages]

    @rule("FEED-10")
    def test_transaction_has_so_many_messages_and_no_more(self, lab: Lab) -> None:
        """A thousand messages, or a MiB of them, go in one commit; the next one is refused by itself."""
        begin = lab.store.feed_cursor()
        with lab.store.transaction() as tx:
            for number in range(messages.MAX_MESSAGES):
                tx.emit("t", number)
            with pytest.raises(InvalidCall):
                tx.emit("t", 0)
        body = "x" * (messages.MAX_BODY_BYTES - 3)
        with lab.store.transaction() as tx:
            for _ in range(messages.MAX_BYTES // messages.MAX_BODY_BYTES):
                tx.emit("t", body)
            with pytest.raises(InvalidCall):
                tx.emit("t", body)

        many, large = seen(lab.store, begin, 2)
        assert list(range(messages.MAX_MESSAGES)) == [one.body for one in many.messages]
        assert [body] * 16 == [one.body for one in large.messages]
