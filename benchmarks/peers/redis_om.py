"""redis-om on a plain server: HashModel only, since JsonModel and every query need server modules."""

from __future__ import annotations

from importlib.metadata import version
from itertools import count
from typing import Any

import aredis_om
import redis_om

WORDS = "a resource used for timing, with a sentence of text in it "
FLAT: dict[str, Any] = {
    "kind": "compute", "parent": "s0", "first": "n0", "second": "n1", "description": WORDS * 11, "weight": 0.5,
    "observed": 1, "phase": "Ready", "image": "registry/app:1.2.3", "team": "core", "mail": "core@example.org",
    "created": "2024-01-01T00:00:00Z", "updated": "2024-01-01T00:00:00Z",
}  # fmt: skip


class Peer:
    """The operations of the items."""

    name = f"redis-om {version('redis-om')}"
    lacks = {
        "create": "any check or index: it has no references; nested fields need server modules",
        "get": "nested fields",
        "list_children": "a query, which needs server modules: it reads 1,000 known keys one by one",
        "update": "anything about others' changes: it has no revisions, the last writer wins",
    }

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._numbers = count()
        url = bench.urls["redis"]
        database = redis_om.get_redis_connection(url=url)
        tasks = aredis_om.get_redis_connection(url=url, max_connections=128)
        bench.closing(database.close)
        bench.closing(lambda: bench.run(tasks.aclose()))
        self._model = _model(redis_om.HashModel, database, "bench:om")
        self._async_model = _model(aredis_om.HashModel, tasks, "bench:aom")

    def fill(self, size: int) -> None:
        """Put records there."""
        self._made = [self._model(name=f"c{at}", **FLAT).save() for at in range(size)]
        self._held = self._made[0]

    def create(self) -> None:
        """Create one record."""
        self._model(name=f"x{next(self._numbers)}", **FLAT).save()

    async def create_async(self) -> None:
        """Create one record."""
        await self._async_model(name=f"x{next(self._numbers)}", **FLAT).save()

    def get(self) -> object:
        """Read one record."""
        return self._model.get(self._bench.random.choice(self._made).pk)

    def list_children(self, size: int) -> None:
        """Read all records."""
        assert len([self._model.get(one.pk) for one in self._made]) == size

    def update(self) -> None:
        """Change one record."""
        self._held.weight += 1
        self._held.save()


def _model(base: Any, database: Any, prefix: str) -> Any:
    """Make the class, whose connection is a part of it."""
    types = {name: type(value) for name, value in {"name": "", **FLAT}.items()}
    meta = type("Meta", (), {"database": database, "global_key_prefix": prefix})
    body = {"__annotations__": types, "__module__": __name__, "Meta": meta}
    return type(base)("Flat", (base,), body, index=True)
