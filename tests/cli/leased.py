"""Models with leases, as a user of ``--models`` would have them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from emco_store import CASCADE, SET_NULL, Recovery, Ref, Resource, on_expire


class Worker(Resource, lease=timedelta(hours=1)):
    """What is leased."""

    zone: str = ""


class Operator(Resource):
    """What stays without its worker."""

    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None


class Shift(Resource):
    """What a supervisor assigns."""

    zone: str = ""
    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None
    recovery: Recovery = Recovery()


class Session(Resource):
    """What goes with its worker."""

    worker: Annotated[Ref[Worker], on_expire(CASCADE)]


class Window(Resource, parent=Session):
    """What forbids that a session goes."""


class Ward(Resource):
    """What cannot be leased."""
