"""ODMantic, by its blocking engine."""

# No `from __future__ import annotations` here: ODMantic reads annotations as objects.

from importlib.metadata import version
from itertools import count
from typing import Any

from odmantic import EmbeddedModel, Field, Model, Reference, SyncEngine


class ManticPort(EmbeddedModel):
    """One port."""

    name: str
    port: int


class ManticSpec(EmbeddedModel):
    """What is wanted."""

    image: str
    replicas: int
    env: dict[str, str]
    ports: list[ManticPort]


class ManticCondition(EmbeddedModel):
    """One condition."""

    type: str
    ok: bool
    msg: str


class ManticStatus(EmbeddedModel):
    """What is."""

    phase: str
    reason: str
    observed: int
    conditions: list[ManticCondition]


class ManticOwner(EmbeddedModel):
    """Whose it is."""

    team: str
    mail: str


class ManticSite(Model):
    """The parent."""

    id: str = Field(primary_field=True)
    region: str = ""


class ManticNetwork(Model):
    """What services refer to."""

    id: str = Field(primary_field=True)
    region: str = ""


class ManticService(Model):
    """The resource of 1 KB."""

    id: str = Field(primary_field=True)
    name: str
    description: str
    labels: dict[str, str]
    enabled: bool
    weight: float
    created: str
    updated: str
    aliases: list[str]
    spec: ManticSpec
    status: ManticStatus
    owner: ManticOwner
    site: ManticSite = Reference()
    primary: ManticNetwork = Reference()
    standby: ManticNetwork = Reference()


UNCHECKED = "that parent and targets exist later; it writes them too"


class Peer:
    """The operations of the items."""

    name = f"ODMantic {version('odmantic')}"
    lacks = {
        "create": UNCHECKED,
        "get_followed": "that the target still exists: a missing one makes the read fail",
        "list_children": "the list: if any target is missing, all of it fails",
        "create_many": f"{UNCHECKED}",
        "update": "anything about others' changes: it has no revisions, the last writer wins",
    }

    def __init__(self, bench: Any) -> None:
        from benchmarks.model import fields  # noqa: PLC0415 - beside the others' imports, which ODMantic must not see

        self._fields = fields
        self._bench = bench
        self._numbers = count()
        client = bench.mongo()
        client.drop_database("bench_odmantic")
        self._engine = SyncEngine(client, "bench_odmantic")
        client["bench_odmantic"]["mantic_service"].create_index("site")
        self._site = self._engine.save(ManticSite(id="s0"))
        self._networks = [self._engine.save(ManticNetwork(id=f"n{at}")) for at in range(20)]

    def _service(self, name: str) -> ManticService:
        first, second = self._bench.random.choices(self._networks, k=2)
        return ManticService(id=name, site=self._site, primary=first, standby=second, **self._fields(name))

    def fill(self, size: int) -> None:
        """Put services there."""
        self._engine.save_all([self._service(f"c{at}") for at in range(size)])
        self._held = self._engine.find_one(ManticService, ManticService.id == "c0")

    def create(self) -> None:
        """Create one service."""
        self._engine.save(self._service(f"x{next(self._numbers)}"))

    def get(self) -> object:
        """Read one service, which reads what it refers to."""
        return self._engine.find_one(ManticService, ManticService.id == self._one())

    def get_followed(self) -> object:
        """Read one service, with all that it refers to."""
        found: Any = self.get()
        return found.primary.region

    def list_children(self, size: int) -> None:
        """Read all services of the site."""
        found = self._engine.find(ManticService, ManticService.site == "s0", sort=ManticService.id)
        assert len(list(found)) == size

    def create_many(self, size: int) -> None:
        """Create services."""
        self._engine.save_all([self._service(f"x{next(self._numbers)}") for _ in range(size)])

    def update(self) -> None:
        """Change one record."""
        held: Any = self._held
        held.weight += 1
        self._engine.save(held)

    def _one(self) -> str:
        return f"c{self._bench.random.randrange(100)}"
