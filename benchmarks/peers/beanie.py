"""Beanie, on PyMongo's asyncio client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from itertools import count
from typing import Any

import beanie
from beanie import DeleteRules, Document, Link, init_beanie
from beanie.exceptions import RevisionIdWasChanged

from benchmarks.model import Body, fields


class BeanieSite(Document):
    """The parent."""

    id: str
    region: str = ""


class BeanieNetwork(Document):
    """What services refer to."""

    id: str
    region: str = ""


class BeanieService(Document, Body):
    """The resource of 1 KB."""

    id: str
    site: Link[BeanieSite]
    primary: Link[BeanieNetwork]
    standby: Link[BeanieNetwork]

    class Settings:
        """With its optimistic revisions on, which they are not by default."""

        indexes = ("site.$id",)


class BeanieRecord(Document, Body):
    """A record with revisions."""

    id: str

    class Settings:
        """Revisions are off unless they are asked for."""

        use_revision = True


class BeanieUnit(Document, Body):
    """The third level of a tree."""

    id: str


class BeanieRack(Document):
    """The second."""

    id: str
    units: list[Link[BeanieUnit]] = []


class BeanieZone(Document):
    """The first."""

    id: str
    racks: list[Link[BeanieRack]] = []


class BeanieRegion(Document):
    """The root."""

    id: str
    zones: list[Link[BeanieZone]] = []


TREE = (BeanieRegion, BeanieZone, BeanieRack, BeanieUnit)
BELOW = ("zones", "racks", "units")
UNCHECKED = "that parent and targets exist, now or later"


class Peer:
    """The operations of the items."""

    name = f"Beanie {beanie.__version__}"
    lacks = {
        "create": UNCHECKED,
        "get": "",
        "get_followed": "that the target still exists",
        "get_all_followed": "that the targets still exist",
        "list_children": "the list as of one moment",
        "create_many": f"{UNCHECKED}; all or nothing",
        "update": "that references stay whole (use_revision on)",
        "increment": "nothing here: use_revision on, repeated by hand",
        "cascade": "all or nothing; references from elsewhere dangle; resources created meanwhile are left behind",
    }

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._numbers = count()
        models = [BeanieSite, BeanieNetwork, BeanieService, BeanieRecord, *TREE]
        bench.run(init_beanie(database=bench.async_mongo()["bench_beanie"], document_models=models))
        bench.run(self._seed())

    async def _seed(self) -> None:
        for model in (BeanieSite, BeanieNetwork, BeanieService, BeanieRecord, *TREE):
            await model.delete_all()
        self._site = await BeanieSite(id="s0").insert()
        self._networks = [await BeanieNetwork(id=f"n{at}").insert() for at in range(20)]

    def _service(self, name: str) -> BeanieService:
        first, second = self._bench.random.choices(self._networks, k=2)
        return BeanieService(id=name, site=self._site, primary=first, standby=second, **fields(name))

    def fill(self, size: int) -> None:
        """Put services and a record there."""
        self._bench.run(self._fill(size))

    async def _fill(self, size: int) -> None:
        await BeanieService.insert_many([self._service(f"c{at}") for at in range(size)])
        self._record = await BeanieRecord(id="c0", **fields("c0")).insert()

    async def create(self) -> None:
        """Create one service."""
        await self._service(f"x{next(self._numbers)}").insert()

    async def get(self) -> object:
        """Read one service."""
        return await BeanieService.get(self._one())

    async def get_followed(self) -> object:
        """Read one service, and then one network."""
        found: Any = await BeanieService.get(self._one())
        await found.fetch_link(BeanieService.primary)
        return found.primary.region

    async def get_all_followed(self) -> object:
        """Read one service with all that it links to."""
        found: Any = await BeanieService.get(self._one(), fetch_links=True)
        return found.primary.region

    async def list_children(self, size: int) -> None:
        """Read all services of the site."""
        site: Any = BeanieService.site
        assert len(await BeanieService.find(site.id == "s0").sort("_id").to_list()) == size

    async def create_many(self, size: int) -> None:
        """Create services."""
        await BeanieService.insert_many([self._service(f"x{next(self._numbers)}") for _ in range(size)])

    async def update(self) -> None:
        """Change one record, unless it has changed."""
        self._record.weight += 1
        await self._record.replace()

    async def increment(self) -> None:
        """Read, change and write one record, again while others come between."""
        longest_s = 0.005
        while True:
            found: Any = await BeanieRecord.get("c0")
            found.weight += 1
            try:
                await found.replace()
            except RevisionIdWasChanged:
                await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - a pause
                longest_s = min(2 * longest_s, 0.05)
            else:
                return

    def before_cascade(self, paths: Sequence[tuple[str, ...]]) -> None:
        """Make a tree; links point down, as Beanie's DELETE_LINKS wants them."""
        self._bench.run(self._grow(paths))

    async def _grow(self, paths: Sequence[tuple[str, ...]]) -> None:
        made: dict[tuple[str, ...], Any] = {}
        for path in reversed(paths):
            name = "/".join(path)
            model: Any = TREE[len(path) - 1]
            if model is BeanieUnit:
                made[path] = model(id=name, **fields(path[-1]))
            else:
                children = [one for at, one in made.items() if at[:-1] == path]
                made[path] = model(id=name, **{BELOW[len(path) - 1]: children})
        for level in (4, 3, 2, 1):
            documents = [one for path, one in made.items() if len(path) == level]
            await TREE[level - 1].insert_many(documents)

    async def cascade(self, _: Sequence[tuple[str, ...]]) -> None:
        """Delete the tree."""
        root: Any = await BeanieRegion.get("r", fetch_links=True)
        await root.delete(link_rule=DeleteRules.DELETE_LINKS)
        assert not await BeanieUnit.count()

    def _one(self) -> str:
        return f"c{self._bench.random.randrange(100)}"
