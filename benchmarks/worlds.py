"""The same sites, networks and services in emco_store and in hand-written code, and the operations on them."""

from __future__ import annotations

from itertools import count
from typing import Any

from benchmarks.bench import Bench
from benchmarks.model import Network, RawService, RawTarget, Service, Site, raw_service, service
from benchmarks.raw.mongo import RawMongo
from benchmarks.raw.mongo_async import AsyncRawMongo

BATCH = 500


class World:
    """Sites and networks, and a generator of services under them.

    Args:
        sites: How many sites; 1 is one hot parent.
        networks: How many networks services choose from.
    """

    def __init__(self, bench: Bench, *, sites: int = 1, networks: int = 20) -> None:
        self.bench = bench
        self.sites = [f"s{number}" for number in range(sites)]
        self.networks = [f"n{number}" for number in range(networks)]
        self._numbers = count()

    def place(self) -> tuple[str, str, str, str]:
        """Return site, name and two networks of a new service."""
        choose = self.bench.random.choice
        return choose(self.sites), f"x{next(self._numbers)}", choose(self.networks), choose(self.networks)

    def service(self) -> Service:
        """Make a new service for emco_store."""
        return service(*self.place())

    def raw_service(self) -> RawService:
        """Make a new service for hand-written code."""
        return raw_service(*self.place())

    def services(self, number: int) -> list[Service]:
        """Make services of the first site, named ``c0``, ``c1`` and so on."""
        return [service(*place) for place in self.children(number)]

    def raw_services(self, number: int) -> list[RawService]:
        """Make the same for hand-written code."""
        return [raw_service(*place) for place in self.children(number)]

    def children(self, number: int) -> list[tuple[str, str, str, str]]:
        """Return site, name and networks of the first site's services."""
        networks = self.networks
        size = len(networks)
        return [("s0", f"c{at}", networks[at % size], networks[(at + 1) % size]) for at in range(number)]

    def fill(self, store: Any, children: int = 0) -> None:
        """Put sites, networks and services into a store."""
        resources: list[Any] = [Site(name=name) for name in self.sites]
        resources += [Network(name=name) for name in self.networks]
        resources += self.services(children)
        for at in range(0, len(resources), BATCH):
            with store.transaction() as tx:
                for resource in resources[at : at + BATCH]:
                    tx.create(resource)


class MongoWorld(World):
    """The world on MongoDB, four times: emco_store and hand-written code, blocking and asyncio.

    Args:
        children: How many services lie under the first site from the start.
    """

    def __init__(self, bench: Bench, *, sites: int = 1, networks: int = 20, children: int = 0) -> None:
        super().__init__(bench, sites=sites, networks=networks)
        self.name = bench.namespace()
        self.store = bench.store("mongo", self.name)
        self.async_store = bench.async_store("mongo", self.name)
        self.client = bench.mongo()
        self.raw = RawMongo(self.client, self.name)
        self.async_raw = AsyncRawMongo(bench.async_mongo(), self.name)
        self.fill(self.store, children)
        targets = [*(f"Site/{name}" for name in self.sites), *(f"Network/{name}" for name in self.networks)]
        documents = [RawTarget.model_validate({"_id": key}).model_dump(by_alias=True) for key in targets]
        documents += [one.model_dump(by_alias=True) for one in self.raw_services(children)]
        self.raw.records.insert_many(documents)

    def create(self) -> None:
        """Create one service."""
        self.store.create(self.service())

    async def create_async(self) -> None:
        """Create one service."""
        await self.async_store.create(self.service())

    def raw_create(self) -> None:
        """Create one service by hand."""
        self.raw.create(self.raw_service())

    def raw_create_plainly(self) -> None:
        """Create one service by hand, a command for each step."""
        self.raw.create_plainly(self.raw_service())

    async def raw_create_async(self) -> None:
        """Create one service by hand."""
        await self.async_raw.create(self.raw_service())

    async def raw_insert_async(self) -> None:
        """Insert one service unguarded."""
        await self.async_raw.insert(self.raw_service())

    def get(self) -> Any:
        """Read one service."""
        return self.store.get(Service, "s0", self.one())

    def raw_get(self) -> RawService:
        """Read one service by hand."""
        return self.raw.get(f"Service/s0/{self.one()}")

    def get_followed(self) -> Any:
        """Read one service and a network of it."""
        found = self.get()
        return found, self.store.get(found.primary)

    def raw_get_followed(self) -> Any:
        """Read one service and a network of it by hand."""
        found = self.raw_get()
        return found, RawTarget.model_validate(self.raw.records.find_one({"_id": found.primary}))

    def one(self) -> str:
        """Choose one of the first 100 children."""
        return f"c{self.bench.random.randrange(100)}"
