"""Lifecycles: what they add to a write, what transitions, approvals, history and rollbacks cost, and digests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import count, cycle
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import Item, redis
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.lifecycle_model import (
    Frozen,
    GroupLifecycle,
    Health,
    LifecycleWorld,
    Living,
    Member,
    Switch,
    documents,
    record_revisions,
)
from benchmarks.measure import Contender, Effort, Role, Sample, one_client
from benchmarks.model import Service
from emco_store import yes
from emco_store.core.digests import fingerprint

PAGE = 20
REVISIONS = 1_000
SHARE = 10
"""One in so many members is changed before a rollback."""
DOCUMENTS = 1_000
TITLES = {"memory": "Memory", "redis": "Redis", "mongo": "MongoDB"}
UNPROTECTED = "a protection from deletes by other code"
LACKS = {"mongo": f"{NO_OUTCOME}; {UNPROTECTED}", "redis": f"{redis.NO_OUTCOME}; {UNPROTECTED}"}
APPROVALS_LACK = LACKS | {"redis": f"{LACKS['redis']}; more than SHA-1; that others are served while it approves"}
NOT_APART = "histories that stay apart where a group is deleted and made again"
KINDS: tuple[tuple[str, Role, type[Any]], ...] = (
    ("with a lifecycle", "ours", Living),
    ("with frozen fields", "ours", Frozen),
    ("without a lifecycle", "base", Service),
)
Contenders = Callable[[Bench], Iterator[Contender]]


def create(server: str) -> Contenders:
    """Make the item that creates, with a lifecycle and without."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server)
        for name, role, model in KINDS:
            yield Contender(name, role, _each(world.store.create, partial(world.one, model)))

    return contenders


def update(server: str) -> Contenders:
    """Make the item that updates, with a lifecycle and without."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server)
        for name, role, model in KINDS:
            yield Contender(name, role, one_client(_changing(world, model)))

    return contenders


def _changing(world: LifecycleWorld, model: type[Any]) -> Callable[[], None]:
    held = world.store.create(world.one(model))

    def one() -> None:
        nonlocal held
        held = world.store.update(held.model_copy(update={"weight": held.weight + 1}))

    return one


def move(server: str) -> Contenders:
    """Make the item of transitions without content, and of statuses, beside a read and an update."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server)
        steps, versions = cycle((Switch.start, Switch.stop)), count()
        moved, seen = world.store.create(world.one(Living)), world.store.create(world.one(Living))
        plain = world.store.create(world.one(Service)).key

        def report() -> None:
            ready = {"Ready": yes("Seen")}
            world.store.set_status(Health(parent=seen, text=f"{next(versions)}", conditions=ready), observed=seen)

        def read_and_update() -> None:
            held = world.store.get(Service, *plain.segments)
            world.store.update(held.model_copy(update={"weight": held.weight + 1}))

        yield Contender("transition", "ours", one_client(lambda: world.store.transition(moved, next(steps))))
        yield Contender("report of a status", "ours", one_client(report))
        yield Contender("get and update", "base", one_client(read_and_update))
        if raw := world.raw_approvals():
            states = cycle((("Draft", "Up"), ("Up", "Draft")))
            yield Contender("raw safe", "raw safe", one_client(lambda: raw.move(*next(states))), lacks=LACKS[server])

    return contenders


def approve(server: str, members: int) -> Contenders:
    """Make the item that approves a group of so many members of 1 KB, beside reading it and deleting it."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server, bench.effort.scaled(members))
        store, group = world.store, world.group
        other = LifecycleWorld(bench, server)
        digest = store.digest(group)
        several = 20 if members <= 10 else 1

        yield Contender(
            "approve", "ours",
            one_client(lambda: store.transition(group, GroupLifecycle.approve, digest=digest), operations=several),
        )  # fmt: skip
        deploy = one_client(lambda: store.transition(group, GroupLifecycle.deploy), operations=several)
        yield Contender("transition that needs the approval", "ours", deploy)
        yield Contender("digest", "ours", one_client(lambda: store.digest(group), operations=several))
        yield Contender("read of the members", "base", one_client(world.read_members, operations=several))
        other.store.delete(group)
        yield Contender(
            "cascade delete",
            "base",
            one_client(lambda: other.store.delete(group), operations=1),
            prepare=lambda: other.refill(world.members),
        )
        if raw := world.raw_approvals():
            seen = raw.digest()
            by_hand = one_client(lambda: raw.approve(seen), operations=several)
            yield Contender("raw safe", "raw safe", by_hand, lacks=APPROVALS_LACK[server])

    return contenders


def history(server: str) -> Contenders:
    """Make the item that reads a page of history, beside a page of children and one of children's documents."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server, 20)
        store, group = world.store, world.group
        store.transition(group, GroupLifecycle.approve, digest=store.digest(group))
        number = bench.effort.scaled(REVISIONS)
        record_revisions(world, 1, number)
        yield Contender("newest 20 revisions", "ours", one_client(lambda: store.history(group, limit=PAGE)))
        yield Contender("content of a revision of 21", "ours", one_client(lambda: store.revision(group, 5)))
        yield Contender("20 children", "base", one_client(lambda: store.list(Member, parent=group, limit=PAGE)))
        if raw := world.raw_approvals():
            raw.record(0, number)
            yield Contender("raw safe", "raw safe", one_client(lambda: raw.history(PAGE)), lacks=NOT_APART)

    return contenders


def rollback(server: str, members: int) -> Contenders:
    """Make the item that rolls a group back of which a tenth has changed."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = LifecycleWorld(bench, server, bench.effort.scaled(members))
        store, group = world.store, world.group
        store.transition(group, GroupLifecycle.approve, digest=store.digest(group))
        weights = count(1)
        plans: list[Any] = []

        def change() -> None:
            weight = next(weights)
            keys = [world.member(at).key for at in range(0, world.members, SHARE)]
            with store.transaction() as tx:
                for held in tx.get_many(keys):
                    tx.update(held.model_copy(update={"weight": weight}))

        def prepare() -> None:
            change()
            plans[:] = [store.plan_rollback(group, 1)]

        yield Contender("apply", "ours", one_client(lambda: store.apply(plans.pop()), operations=1), prepare=prepare)
        yield Contender(
            "plan_rollback", "ours", one_client(lambda: store.plan_rollback(group, 1), operations=1), prepare=change
        )
        yield Contender("plan_delete", "base", one_client(lambda: store.plan_delete(group), operations=1))
        yield Contender("transaction of the same updates", "base", one_client(change, operations=1))

    return contenders


def digest(size: str) -> Contenders:
    """Make the item that takes fingerprints of documents, for the first time and again."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        numbers = count()
        number = bench.effort.scaled(DOCUMENTS)
        known = documents(size, range(-number, 0))

        def by_hand(document: bytes) -> str:
            return sha256(json.dumps(json.loads(document), sort_keys=True).encode()).hexdigest()

        def fresh() -> list[bytes]:
            return documents(size, [next(numbers) for _ in range(number)])

        yield Contender("emco_store, for the first time", "ours", _all(fingerprint, fresh))
        yield Contender("emco_store, again", "ours", _all(fingerprint, lambda: known))
        yield Contender("json and hashlib by hand", "raw safe", _all(by_hand, lambda: known))

    return contenders


def _each(work: Callable[[Any], object], make: Callable[[], Any]) -> Callable[[Effort], Sample]:
    """Make a round that works on new resources, which are made before it begins."""

    def run(effort: Effort) -> Sample:
        made = iter([make() for _ in range(effort.operations)])
        return one_client(lambda: work(next(made)))(effort)

    return run


def _all(work: Callable[[bytes], object], make: Callable[[], list[bytes]]) -> Callable[[Effort], Sample]:
    """Make a round that works on each of some documents."""

    def run(effort: Effort) -> Sample:
        made = make()
        ready = iter(made)
        return one_client(lambda: work(next(ready)), operations=len(made))(effort)

    return run


def _items(server: str) -> Iterator[Item]:
    needs, title = (() if server == "memory" else (server,)), TITLES[server]
    yield Item(f"lifecycle-create-{server}", f"{title}: create", needs, create(server))
    yield Item(f"lifecycle-update-{server}", f"{title}: update", needs, update(server))
    yield Item(f"lifecycle-move-{server}", f"{title}: transition without content, and status", needs, move(server))
    for members in (10, 1_000):
        yield Item(
            f"lifecycle-approve-{members}-{server}", f"{title}: approve a group of {members:,} members", needs,
            approve(server, members),
        )  # fmt: skip
    yield Item(f"lifecycle-history-{server}", f"{title}: page of history, of 1,000 revisions", needs, history(server))
    yield Item(
        f"lifecycle-rollback-{server}", f"{title}: roll 1,000 members back of which 100 changed", needs,
        rollback(server, 1_000),
    )  # fmt: skip


ITEMS = (
    *(item for server in TITLES for item in _items(server)),
    Item("lifecycle-digest-small", "Digest: a small document", (), digest("small")),
    Item("lifecycle-digest-dense", "Digest: a document of many short fields", (), digest("dense")),
    Item("lifecycle-digest-1kb", "Digest: a document of 1 KB", (), digest("1kb")),
)
