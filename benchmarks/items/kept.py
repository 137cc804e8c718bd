"""MongoDB, one client: a list of resources of about 1 KB that are immutable throughout and do not change meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.measure import Contender, one_client
from benchmarks.raw.mongo import DATABASE
from emco_store import Resource

CHILDREN = 1_000
FEW = 5


class Part(BaseModel):
    """What the nested models share."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(Part):
    """One variable."""

    name: str
    value: str


class Port(Part):
    """One port."""

    name: str
    port: int


class Spec(Part):
    """What is wanted."""

    image: str
    replicas: int
    variables: tuple[Variable, ...]
    ports: tuple[Port, ...]


class Fixed(Resource):
    """The resource, in emco_store."""

    description: str
    labels: frozenset[str]
    spec: Spec


class RawFixed(BaseModel, frozen=True):
    """The same, in hand-written code."""

    id: str = Field(alias="_id")
    name: str
    description: str
    labels: frozenset[str]
    spec: Spec


def _fixed(number: int) -> Fixed:
    variables = tuple(Variable(name=f"VARIABLE_{at}", value="what it is set to") for at in range(8))
    ports = tuple(Port(name=f"port{at}", port=8_000 + at) for at in range(4))
    spec = Spec(image="registry.example/team/service:1.2.3", replicas=3, variables=variables, ports=ports)
    return Fixed(name=f"c{number:04}", description="a word or two " * 12, labels=frozenset("abc"), spec=spec)


def list_kept(bench: Bench) -> Iterator[Contender]:
    """Read 1,000 resources that were read before."""
    size = bench.effort.scaled(CHILDREN)
    name = bench.namespace()
    kept = bench.store("mongo", name, keep_decoded=2 * size)
    plain = bench.store("mongo", name)
    raw = bench.mongo()[DATABASE][name]
    made = [_fixed(number) for number in range(size)]
    for at in range(0, size, 500):
        with plain.transaction() as tx:
            for one in made[at : at + 500]:
                tx.create(one)
    raw.insert_many([{"_id": one.key.text, **one.model_dump(mode="json", exclude={"parent"})} for one in made])

    def ours() -> None:
        assert len(kept.list(Fixed, limit=size).resources) == size

    def without() -> None:
        assert len(plain.list(Fixed, limit=size).resources) == size

    def by_hand() -> None:
        assert len([RawFixed.model_validate(one) for one in raw.find().sort("_id")]) == size

    yield Contender("emco_store, keep_decoded", "ours", one_client(ours, operations=FEW))
    yield Contender("emco_store", "base", one_client(without, operations=FEW))
    yield Contender(
        "raw safe", "raw safe", one_client(by_hand, operations=FEW), lacks="the list as of one moment"
    )  # fmt: skip


ITEMS = (Item("mongo-list-kept", "MongoDB: list 1,000 resources that have not changed", ("mongo",), list_kept),)
