"""The resources that bad input is tried on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel

from emco_store import REMOVE, SET_NULL, Opaque, Ref, Resource, indexed, on_delete, reference, some_of, unique


class Zone(Resource):
    """A root."""

    title: str = ""


class Host(Resource, parent=Zone):
    """A child with indexed values."""

    region: Annotated[str, indexed()] = ""
    serial: Annotated[str | None, unique()] = None


class Release(Resource, parent=Zone, key=("name", "version")):
    """A child with two names of its own."""

    version: str


class Group(Resource, key=("group", "name")):
    """A root with two names, of which a reference may fix the first."""

    group: str


class Slot(BaseModel, extra="forbid"):
    """A nested model that holds a reference."""

    host: Ref[Host]
    weight: int = 1


class Service(Resource, parent=Zone):
    """References in every place where one may stand."""

    host: Annotated[Ref[Host] | None, on_delete(SET_NULL)] = None
    must: Ref[Host] | None = None
    hosts: Annotated[list[Ref[Host]], on_delete(REMOVE)] = []
    pool: frozenset[Ref[Host]] = frozenset()
    by_host: dict[Ref[Host], str] = {}
    by_text: dict[str, Ref[Host]] = {}
    slot: Slot | None = None
    either: Ref[Host | Release] | None = None
    other: Ref[Service] | None = None
    zone: Ref[Zone] | None = None
    keeper: Annotated[Ref[Group] | None, reference(fixed={"group": "keepers"})] = None
    any_host: Annotated[str | None, some_of(Host, where={"Zone": None})] = None
    any_hosts: list[Annotated[str, some_of(Host, where={"Zone": None})]] = []
    in_zone: str | None = None
    host_there: Annotated[str | None, some_of(Host, where={"Zone": "in_zone"})] = None


class Sheet(Resource):
    """Values of every type."""

    text: str = ""
    count: int = 0
    ratio: float = 0.0
    seen: datetime | None = None
    numbers: list[int] = []
    labels: dict[str, Any] = {}
    data: Any = None
    free: Opaque = {}
    slot: Slot | None = None
