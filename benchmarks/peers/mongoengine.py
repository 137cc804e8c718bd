"""MongoEngine, which blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import mongoengine
from mongoengine import (
    CASCADE,
    BooleanField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)

from benchmarks.model import fields

ALIAS = "bench"


class EnginePort(EmbeddedDocument):
    """One port."""

    name = StringField()
    port = IntField()


class EngineSpec(EmbeddedDocument):
    """What is wanted."""

    image = StringField()
    replicas = IntField()
    env = DictField()
    ports = EmbeddedDocumentListField(EnginePort)


class EngineCondition(EmbeddedDocument):
    """One condition."""

    type = StringField()
    ok = BooleanField()
    msg = StringField()


class EngineStatus(EmbeddedDocument):
    """What is."""

    phase = StringField()
    reason = StringField()
    observed = IntField()
    conditions = EmbeddedDocumentListField(EngineCondition)


class EngineOwner(EmbeddedDocument):
    """Whose it is."""

    team = StringField()
    mail = StringField()


class EngineSite(Document):
    """The parent."""

    id = StringField(primary_key=True)
    region = StringField()
    meta = {"db_alias": ALIAS}


class EngineNetwork(Document):
    """What services refer to."""

    id = StringField(primary_key=True)
    region = StringField()
    meta = {"db_alias": ALIAS}


class EngineLarge(Document):
    """1 KB."""

    id = StringField(primary_key=True)
    name = StringField()
    description = StringField()
    labels = DictField()
    enabled = BooleanField()
    weight = FloatField()
    created = StringField()
    updated = StringField()
    aliases = ListField(StringField())
    spec = EmbeddedDocumentField(EngineSpec)
    status = EmbeddedDocumentField(EngineStatus)
    owner = EmbeddedDocumentField(EngineOwner)
    meta = {"db_alias": ALIAS, "abstract": True}


class EngineService(EngineLarge):
    """The resource of 1 KB with a parent and two references."""

    site = ReferenceField(EngineSite, reverse_delete_rule=CASCADE)
    primary = ReferenceField(EngineNetwork)
    standby = ReferenceField(EngineNetwork)
    meta = {"db_alias": ALIAS, "indexes": ["site"]}


class EngineRegion(Document):
    """The root of a tree."""

    id = StringField(primary_key=True)
    meta = {"db_alias": ALIAS}


class EngineZone(Document):
    """Its first level."""

    id = StringField(primary_key=True)
    parent = ReferenceField(EngineRegion, reverse_delete_rule=CASCADE)
    meta = {"db_alias": ALIAS, "indexes": ["parent"]}


class EngineRack(Document):
    """Its second level."""

    id = StringField(primary_key=True)
    parent = ReferenceField(EngineZone, reverse_delete_rule=CASCADE)
    meta = {"db_alias": ALIAS, "indexes": ["parent"]}


class EngineUnit(EngineLarge):
    """Its third level."""

    parent = ReferenceField(EngineRack, reverse_delete_rule=CASCADE)
    meta = {"db_alias": ALIAS, "indexes": ["parent"]}


TREE = (EngineRegion, EngineZone, EngineRack, EngineUnit)
UNCHECKED = "that parent and targets exist, now or later"


class Peer:
    """The operations of the items."""

    name = f"MongoEngine {mongoengine.get_version()}"
    lacks = {
        "create": UNCHECKED,
        "get_followed": "that the target still exists",
        "list_children": "the list as of one moment",
        "create_many": f"{UNCHECKED}; all or nothing",
        "update": "anything about others' changes: it has no revisions, the last writer wins",
        "cascade": "all or nothing; resources created meanwhile are left behind",
    }

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._numbers = count()
        mongoengine.connect("bench_mongoengine", alias=ALIAS, host=bench.urls["mongo"])
        bench.closing(lambda: mongoengine.disconnect(ALIAS))
        for model in (EngineSite, EngineNetwork, EngineService, *TREE):
            model.drop_collection()
        self._site = EngineSite(id="s0").save()
        self._networks = [EngineNetwork(id=f"n{at}").save() for at in range(20)]

    def _service(self, name: str) -> EngineService:
        first, second = self._bench.random.choices(self._networks, k=2)
        return EngineService(id=name, site=self._site, primary=first, standby=second, **_embedded(name))

    def fill(self, size: int) -> None:
        """Put services there."""
        EngineService.objects.insert([self._service(f"c{at}") for at in range(size)])
        self._held = EngineService.objects(id="c0").get()

    def create(self) -> None:
        """Create one service."""
        self._service(f"x{next(self._numbers)}").save(force_insert=True)

    def get(self) -> object:
        """Read one service."""
        return EngineService.objects(id=self._one()).get()

    def get_followed(self) -> object:
        """Read one service; its network is read when it is used."""
        return EngineService.objects(id=self._one()).get().primary.region

    def list_children(self, size: int) -> None:
        """Read all services of the site."""
        assert len(list(EngineService.objects(site=self._site).order_by("id"))) == size

    def create_many(self, size: int) -> None:
        """Create services."""
        EngineService.objects.insert([self._service(f"x{next(self._numbers)}") for _ in range(size)])

    def update(self) -> None:
        """Change one record."""
        self._held.weight += 1
        self._held.save()

    def before_cascade(self, paths: Sequence[tuple[str, ...]]) -> None:
        """Make a tree."""
        for level in (1, 2, 3, 4):
            model = TREE[level - 1]
            documents = []
            for path in paths:
                if len(path) == level:
                    own = _embedded(path[-1]) if level == len(TREE) else {}
                    above = {"parent": TREE[level - 2](id="/".join(path[:-1]))} if level > 1 else {}
                    documents.append(model(id="/".join(path), **own, **above))
            model.objects.insert(documents)

    def cascade(self, _: Sequence[tuple[str, ...]]) -> None:
        """Delete the tree."""
        EngineRegion.objects(id="r").get().delete()
        assert not EngineUnit.objects.count()

    def _one(self) -> str:
        return f"c{self._bench.random.randrange(100)}"


def _embedded(name: str) -> dict[str, Any]:
    given = fields(name)
    spec, status = given["spec"], given["status"]
    spec["ports"] = [EnginePort(**one) for one in spec["ports"]]
    status["conditions"] = [EngineCondition(**one) for one in status["conditions"]]
    return {
        **given,
        "spec": EngineSpec(**spec),
        "status": EngineStatus(**status),
        "owner": EngineOwner(**given["owner"]),
    }
