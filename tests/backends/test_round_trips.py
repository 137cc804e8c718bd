"""What each operation costs on the wire: commands are counted by the servers' own means, and none is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Annotated, Any

import pytest
from pymongo.monitoring import CommandListener
from redis import Redis

from emco_store import CASCADE, AlreadyExists, F, Ref, Resource, indexed, unique
from emco_store.backends.mongo.sending import FEW_DELETES
from emco_store.contracts.harness import Bench, Lab, Mode
from tests.backends.shared import bench_on

Wire = Callable[[Callable[[], object]], list[str]]
"""Makes a call, and gives the names of the commands that it sent to the server, in their order."""

MONGO_COMMIT = ["update", "commitTransaction"]
"""Every write to MongoDB, see docs/decisions/0011: ``resolve`` must be able to fence it, whatever it writes."""
WRITE = {"redis": ["evalsha"], "mongodb": MONGO_COMMIT}
CREATE_MANY = {"redis": ["evalsha"], "mongodb": ["update", "insert", "commitTransaction"]}
DELETE_MANY = {"redis": ["evalsha"], "mongodb": ["delete", "update", "commitTransaction"]}
"""Of many records, a command more costs less than their statements in one command, see docs/decisions/0019."""
READ = {"redis": ["evalsha"], "mongodb": ["find"]}


class Depot(Resource):
    """A root without references."""

    title: Annotated[str, indexed()] = ""
    code: Annotated[str | None, unique()] = None


class Shelf(Resource, parent=Depot, on_parent_delete=CASCADE):
    """The first level of a cascade."""


class Box(Resource, parent=Shelf, on_parent_delete=CASCADE):
    """The second level."""


class Thing(Resource, parent=Box, on_parent_delete=CASCADE):
    """The third level."""


class Label(Resource):
    """Refers to many at once."""

    depots: list[Ref[Depot]] = []


class Heard(CommandListener):
    """Keeps the name of each command that a client of MongoDB sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        """Note a command."""
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        """See the base class."""

    def failed(self, event: Any) -> None:
        """See the base class."""


@pytest.fixture(scope="module")
def heard() -> Heard:
    """What the clients of MongoDB in this module send."""
    return Heard()


def urls(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return where servers answer that no other worker uses: their logs show what this one sends, and nothing else."""
    servers = request.getfixturevalue("servers")
    return lambda name: servers.own(name).url


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, mode), marks=mark, id=f"{name}-{mode}")
        for name, mark in (("redis", pytest.mark.redis), ("mongodb", pytest.mark.mongo))
        for mode in Mode
    ],
)
def bench(request: pytest.FixtureRequest, heard: Heard) -> Iterator[Bench]:
    """A real server in one mode."""
    with bench_on(*request.param, urls(request), [heard]) as made:
        yield made


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """One namespace of it, with a store that is open; it has its indexes, which MongoDB makes when they are needed."""
    with bench.lab() as made:
        made.store.delete(made.store.create(Depot(name="first", code="")))
        yield made


@pytest.fixture
def wire(bench: Bench, heard: Heard, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Counts the commands of a call."""
    if bench.harness.name == "redis":
        with Redis.from_url(urls(request)("redis")) as client:
            yield lambda call: monitored(client, call)
        return

    def listened(call: Callable[[], object]) -> list[str]:
        begin = len(heard.names)
        call()
        return heard.names[begin:]

    yield listened


def monitored(client: Redis, call: Callable[[], object]) -> list[str]:
    """Return the commands that Redis was sent during a call; what a script calls goes over no wire.

    An ECHO before and after tells where the call begins and ends in the server's own log.
    """
    with client.monitor() as monitor:
        client.echo("begin")
        call()
        client.echo("end")
        said: list[str] = []
        while not said or said[-1] != "ECHO end":
            line = monitor.next_command()
            if line["client_type"] != "lua":
                said.append(line["command"])
    return [text.split(" ")[0].lower() for text in said[said.index("ECHO begin") + 1 : -1]]


def kind_of(lab: Lab) -> str:
    """Return the name of the lab's backend."""
    return lab.bench.harness.name


def furnish(lab: Lab, *, width: int = 3) -> Depot:
    """Create a depot with three levels below it, each level ``width`` times as wide as the one above."""
    with lab.store.transaction() as tx:
        depot = tx.create(Depot(name="d"))
        above: list[Resource] = [depot]
        for model in (Shelf, Box, Thing):
            names = count()
            above = [tx.create(model(parent=one, name=f"n{next(names)}")) for one in above for _ in range(width)]
    return depot


def depots(lab: Lab, number: int) -> list[Depot]:
    """Create depots."""
    with lab.store.transaction() as tx:
        return [tx.create(Depot(name=f"n{at:03}", title=f"t{at % 7}")) for at in range(number)]


def test_get_is_one_command(lab: Lab, wire: Wire):
    """A read by key is one round trip."""
    depot = lab.store.create(Depot(name="d"))

    assert READ[kind_of(lab)] == wire(lambda: lab.store.get(depot))


def test_get_of_many_is_one_command(lab: Lab, wire: Wire):
    """A read of many keys is one round trip, however many."""
    made = depots(lab, 500)

    assert READ[kind_of(lab)] == wire(lambda: lab.store.get_many(made))


def test_create_without_references_is_one_write(lab: Lab, wire: Wire):
    """A create reads nothing first; it is one command on Redis, two on MongoDB (decision 11)."""
    assert WRITE[kind_of(lab)] == wire(lambda: lab.store.create(Depot(name="d", code="x")))


def test_update_without_references_is_one_write(lab: Lab, wire: Wire):
    """An update of a value that was read goes without reading it again."""
    changed = lab.store.create(Depot(name="d")).model_copy(update={"title": "new", "code": "y"})

    assert WRITE[kind_of(lab)] == wire(lambda: lab.store.update(changed))


@pytest.mark.parametrize("number", [1, 200])
def test_create_with_references_is_one_write(lab: Lab, wire: Wire, number: int):
    """That targets exist is checked by the commit itself, however many there are."""
    targets = depots(lab, number)

    assert WRITE[kind_of(lab)] == wire(lambda: lab.store.create(Label(name="l", depots=targets)))


@pytest.mark.parametrize("number", [1, 200])
def test_update_with_references_is_one_write(lab: Lab, wire: Wire, number: int):
    """New targets are checked by the commit itself, however many there are."""
    targets = depots(lab, number)
    changed = lab.store.create(Label(name="l")).model_copy(update={"depots": [Ref(one) for one in targets]})

    assert WRITE[kind_of(lab)] == wire(lambda: lab.store.update(changed))


def test_create_of_a_child_is_one_write(lab: Lab, wire: Wire):
    """A parent is checked as any other target is."""
    depot = lab.store.create(Depot(name="d"))

    assert WRITE[kind_of(lab)] == wire(lambda: lab.store.create(Shelf(parent=depot, name="s")))


def test_transaction_of_many_writes_is_one_write(lab: Lab, wire: Wire):
    """A transaction sends nothing before its commit, and that is one; on MongoDB, many records go by a command more."""
    assert CREATE_MANY[kind_of(lab)] == wire(lambda: furnish(lab))


def test_delete_of_a_leaf_is_one_read_and_one_write(lab: Lab, wire: Wire):
    """The target and its referrers are read in one request."""
    depot = lab.store.create(Depot(name="d"))

    assert READ[kind_of(lab)] + WRITE[kind_of(lab)] == wire(lambda: lab.store.delete(depot))


@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_cascade_is_a_read_for_each_level_and_one_write(lab: Lab, wire: Wire, levels: int, width: int):
    """A cascade over d levels is d + 1 reads, each of a whole level, and the commit, however wide the levels are."""
    furnish(lab, width=width)
    top = list(lab.store.list({1: Box, 2: Shelf, 3: Depot}[levels], limit=1))
    before = len(lab.records())

    commands = wire(lambda: lab.store.delete(*top))

    number = sum(width**level for level in range(levels + 1))
    write = DELETE_MANY if number > FEW_DELETES else WRITE
    assert READ[kind_of(lab)] * (levels + 1) + write[kind_of(lab)] == commands
    assert number == before - len(lab.records())


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"limit": 1000},
        {"order_by": "-title", "limit": 20},
        {"where": F.title == "t3", "limit": 20},
    ],
    ids=["default", "whole", "ordered", "filtered"],
)
def test_page_of_a_list_is_one_command(lab: Lab, wire: Wire, question: dict[str, Any]):
    """A page is one round trip, and so is the next one."""
    depots(lab, 300)
    pages: list[Any] = []

    commands = wire(lambda: pages.append(lab.store.list(Depot, **question)))

    assert READ[kind_of(lab)] == commands
    assert pages[0].items
    if pages[0].next:
        assert READ[kind_of(lab)] == wire(lambda: lab.store.list(Depot, after=pages[0].next, **question))


@pytest.mark.parametrize("verb", ["children", "referrers"])
def test_page_of_referrers_is_one_command(lab: Lab, wire: Wire, verb: str):
    """A page of children or referrers is one round trip."""
    depot = furnish(lab)

    assert READ[kind_of(lab)] == wire(lambda: getattr(lab.store, verb)(depot))


def test_refusal_costs_mongodb_two_commands_more(lab: Lab, wire: Wire):
    """A script says why it refused; MongoDB is asked again, after the transaction was given up (ATM-3)."""
    depot = lab.store.create(Depot(name="d"))

    def refused() -> None:
        with pytest.raises(AlreadyExists):
            lab.store.create(Depot(name=depot.name))

    expected = {"redis": ["evalsha"], "mongodb": ["update", "abortTransaction", "find"]}
    assert expected[kind_of(lab)] == wire(refused)
