"""Resources with lifecycles: the 1 KB of everybody else, with and without states, and a group with a subtree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import count
from typing import Any

from benchmarks.bench import Bench
from benchmarks.model import Large, Network, Site, fields
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.approvals import RawApprovals
from benchmarks.raw.redis_approvals import RawRedisApprovals
from emco_store import CASCADE, F, Key, Lifecycle, Ref, Resource, Status, approved, transition
from emco_store.core.codec import draft
from emco_store.core.documents import MAX_BYTES
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.revisions import RevisionDocument, records_of
from emco_store.flows import content
from emco_store.flows.history import restated

BATCH = 500


class Power(StrEnum):
    """The states of a resource without content."""

    OFF = "Off"
    ON = "On"


class Switch(Lifecycle[Power]):
    """Two transitions that read no content."""

    initial = Power.OFF
    start = transition(Power.OFF, to=Power.ON)
    stop = transition(Power.ON, to=Power.OFF)
    deletable = {Power.OFF}


class Lock(Lifecycle[Power]):
    """The same, and a field that is frozen in one state."""

    initial = Power.OFF
    start = transition(Power.OFF, to=Power.ON)
    stop = transition(Power.ON, to=Power.OFF)
    deletable = {Power.OFF}
    frozen = {Power.ON: (F.enabled,)}


class Living(Large, parent=Site, on_parent_delete=CASCADE, lifecycle=Switch):
    """A service with a lifecycle."""

    primary: Ref[Network]
    standby: Ref[Network]


class Frozen(Large, parent=Site, on_parent_delete=CASCADE, lifecycle=Lock):
    """A service whose lifecycle freezes a field."""

    primary: Ref[Network]
    standby: Ref[Network]


class Health(Status, of=Living, writer="bench"):
    """What a writer reports."""

    text: str = ""


class Stage(StrEnum):
    """The states of a group."""

    DRAFT = "Draft"
    APPROVED = "Approved"


class GroupLifecycle(Lifecycle[Stage]):
    """Approval, and a transition that looks whether it still holds."""

    initial = Stage.DRAFT
    approve = transition({Stage.DRAFT, Stage.APPROVED}, to=Stage.APPROVED, approves=True)
    deploy = transition(Stage.APPROVED, to=Stage.APPROVED, guards=[approved()])
    deletable = {Stage.DRAFT, Stage.APPROVED}


class Group(Resource, lifecycle=GroupLifecycle):
    """The root of a content."""

    text: str = ""


class Intent(Resource, parent=Group, on_parent_delete=CASCADE):
    """A small resource in a group."""

    app: str = ""
    text: str = ""
    level: int = 0


class Dense(Resource, parent=Group, on_parent_delete=CASCADE):
    """Many short fields, the dearest shape for a digest."""

    rules: dict[str, dict[str, Any]]


class Member(Large, parent=Group, on_parent_delete=CASCADE):
    """A service of 1 KB in a group."""

    primary: Ref[Network]
    standby: Ref[Network]


MODELS = (Living, Frozen, Group, Member, Health)


class LifecycleWorld:
    """A store with a site, networks and a group.

    Args:
        server: Its backend.
        members: How many members the group has.
    """

    def __init__(self, bench: Bench, server: str, members: int = 0) -> None:
        self.bench = bench
        self.server = server
        self.name = bench.namespace()
        self.store = bench.store(server, self.name, models=MODELS)
        self.networks = [f"n{number}" for number in range(20)]
        with self.store.transaction() as tx:
            tx.create(Site(name="s0"))
            for name in self.networks:
                tx.create(Network(name=name))
        self.group = Key("Group", "g")
        self.members = 0
        self._numbers = count()
        self.store.create(Group(name="g"))
        self.grow(members)

    def one(self, model: type[Any]) -> Any:
        """Make a new resource of the site."""
        choose = self.bench.random.choice
        primary, standby = choose(self.networks), choose(self.networks)
        return model(
            parent=Ref("Site/s0"), primary=Ref(f"Network/{primary}"), standby=Ref(f"Network/{standby}"),
            **fields(f"x{next(self._numbers)}"),
        )  # fmt: skip

    def grow(self, members: int) -> None:
        """Give the group so many members."""
        for at in range(self.members, members, BATCH):
            with self.store.transaction() as tx:
                for number in range(at, min(at + BATCH, members)):
                    tx.create(self.member(number))
        self.members = max(members, self.members)

    def refill(self, members: int) -> None:
        """Create the group again, with its members, after it was deleted."""
        self.members = 0
        self.store.create(Group(name="g"))
        self.grow(members)

    def member(self, number: int) -> Member:
        """Make a member of the group."""
        size = len(self.networks)
        primary, standby = self.networks[number % size], self.networks[(number + 1) % size]
        return Member(parent=Ref("Group/g"), primary=Ref(f"Network/{primary}"), standby=Ref(f"Network/{standby}"),
                      **fields(f"m{number:05}"))  # fmt: skip

    def read_members(self) -> None:
        """Read the members into models, page by page."""
        page = self.store.list(Member, parent=self.group, limit=1000)
        found = len(page.items)
        while page.next:
            page = self.store.list(Member, parent=self.group, limit=1000, after=page.next)
            found += len(page.items)
        assert found == self.members

    def raw_approvals(self) -> RawApprovals | RawRedisApprovals | None:
        """Store the same members by hand; None in memory, where nobody would write it."""
        members = [self.member(number) for number in range(self.members)]
        if self.server == "mongo":
            return RawApprovals(self.bench.mongo(), self.name, members)
        if self.server == "redis":
            client = raw_redis.client(self.bench.urls["redis"])
            self.bench.closing(client.close)
            return RawRedisApprovals(client, f"bench:{self.name}", members)
        return None


def documents(size: str, numbers: Iterable[int]) -> list[bytes]:
    """Return documents as a store has them, each with a number in it: small, dense (many short fields), or of 1 KB."""
    parent = Ref[Any]("Group/g")
    makers: dict[str, Callable[[int], Resource]] = {
        "small": lambda at: Intent(parent=parent, name="i", app=f"app-{at}", text="one of the intents of the group"),
        "dense": lambda at: Dense(parent=parent, name="d", rules={f"r{n}": {"n": at, "on": True} for n in range(14)}),
        "1kb": lambda at: Member(
            parent=parent, primary=Ref("Network/n0"), standby=Ref("Network/n1"), **{**fields("m"), "weight": at}
        ),
    }
    return [draft(makers[size](at), max_bytes=MAX_BYTES).document for at in numbers]


def record_revisions(world: LifecycleWorld, begin: int, end: int) -> None:
    """Write the revisions of the group after ``begin`` up to ``end``, as so many approvals would have left them.

    The content is that of the group now, so the members are those that it has.
    """
    own = standing_key(world.group)
    for at in range(begin, end, BATCH):
        with world.store.transaction() as tx:
            unit = tx._unit  # noqa: SLF001 - through the calls, 100,000 revisions take an hour
            found = tx._perform(content.read(unit, world.group))  # noqa: SLF001
            standing = tx._perform(unit.fetch([own]))[own]  # noqa: SLF001
            last = min(at + BATCH, end)
            for number in range(at + 1, last + 1):
                about = RevisionDocument(state=Stage.APPROVED.value, transition="approve", at_us=number)
                for record in records_of(found, number, about, unit.context.new_id()):
                    unit.write_record(record)
            known = {"revisions": last, "digest": found.digest}
            unit.write_record(restated(standing, known, unit.now_us))
