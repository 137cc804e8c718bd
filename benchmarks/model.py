"""The resource that everybody stores: 13 fields, nested two deep, about 1 KB of JSON, a parent and two references."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emco_store import CASCADE, Ref, Resource


class Part(BaseModel):
    """What the nested models share: they refuse unknown fields, whoever stores them."""

    model_config = ConfigDict(extra="forbid")


class Port(Part):
    """One port."""

    name: str
    port: int


class Spec(Part):
    """What is wanted."""

    image: str
    replicas: int
    env: dict[str, str]
    ports: list[Port]


class Condition(Part):
    """One condition."""

    type: str
    ok: bool
    msg: str


class Status(Part):
    """What is."""

    phase: str
    reason: str
    observed: int
    conditions: list[Condition]


class Owner(Part):
    """Whose it is."""

    team: str
    mail: str


class Site(Resource):
    """The parent, in emco_store."""

    region: str = ""


class Network(Resource):
    """What services refer to, in emco_store."""

    region: str = ""


class Large(Resource, abstract=True):
    """1 KB, in emco_store."""

    description: str
    labels: dict[str, str]
    enabled: bool
    weight: float
    created: str
    updated: str
    aliases: list[str]
    spec: Spec
    status: Status
    owner: Owner


class Service(Large, parent=Site, on_parent_delete=CASCADE):
    """The resource of 1 KB with a parent and two references, in emco_store."""

    primary: Ref[Network]
    standby: Ref[Network]


class Link(Resource, parent=Site, on_parent_delete=CASCADE):
    """A small resource with one reference, for the curves."""

    to: Ref[Network]


class Region(Resource):
    """The root of a tree of three levels, in emco_store."""


class Zone(Resource, parent=Region, on_parent_delete=CASCADE):
    """Its first level."""


class Rack(Resource, parent=Zone, on_parent_delete=CASCADE):
    """Its second level."""


class Unit(Large, parent=Rack, on_parent_delete=CASCADE):
    """Its third level, 1 KB each."""


class Body(BaseModel):
    """The same fields, for everybody else."""

    name: str
    description: str
    labels: dict[str, str]
    enabled: bool
    weight: float
    created: str
    updated: str
    aliases: list[str]
    spec: Spec
    status: Status
    owner: Owner


class RawTarget(BaseModel):
    """A site or network, as hand-written code stores it; ``guard`` counts the references that were made to it."""

    model_config = ConfigDict(extra="ignore")
    id: str = Field(alias="_id")
    rev: int = 1
    guard: int = 0
    region: str = ""


class RawService(Body):
    """The resource of 1 KB, as hand-written code stores it; ``refs`` is what an index finds referrers by."""

    model_config = ConfigDict(extra="ignore")
    id: str = Field(alias="_id")
    rev: int = 1
    parent: str
    primary: str
    standby: str
    refs: list[str]


def fields(name: str) -> dict[str, Any]:
    """Return the plain values of one resource, without parent and references."""
    return {
        "name": name,
        "description": "a resource used for timing, with a sentence of text in it " * 3,
        "labels": {"app": "edge", "tier": "gold", "zone": "eu-1"},
        "enabled": True,
        "weight": 0.75,
        "created": "2024-01-01T00:00:00Z",
        "updated": "2024-01-01T00:00:00Z",
        "aliases": [f"other-{number}" for number in range(4)],
        "spec": {
            "image": "registry/app:1.2.3",
            "replicas": 3,
            "env": {"A": "1", "B": "2", "C": "3"},
            "ports": [{"name": "http", "port": 80}, {"name": "grpc", "port": 9090}, {"name": "m", "port": 9100}],
        },
        "status": {
            "phase": "Ready",
            "reason": "ok",
            "observed": 1,
            "conditions": [
                {"type": "Up", "ok": True, "msg": "fine"},
                {"type": "Synced", "ok": True, "msg": "fine"},
            ],
        },
        "owner": {"team": "core", "mail": "core@example.org"},
    }


def service(site: str, name: str, primary: str, standby: str) -> Service:
    """Make the resource of emco_store from plain values, which validates them."""
    return Service(parent=Ref(f"Site/{site}"), primary=Ref(f"Network/{primary}"), standby=Ref(f"Network/{standby}"),
                **fields(name))  # fmt: skip


def raw_service(site: str, name: str, primary: str, standby: str) -> RawService:
    """Make the resource of hand-written code from plain values, which validates them."""
    parent, first, second = f"Site/{site}", f"Network/{primary}", f"Network/{standby}"
    given = {"_id": f"Service/{site}/{name}", "parent": parent, "primary": first, "standby": second}
    return RawService.model_validate({**fields(name), **given, "refs": sorted({parent, first, second})})
