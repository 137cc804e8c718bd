"""What is stored: workers, jobs with their operators, and what operators write."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from emco_store import CASCADE, SET_NULL, Recovery, Ref, Resource, on_expire

ZONES = ("ap", "eu", "us")
STAGES = ("source", "parse", "window", "sink")
"""The operators of a job, each of which reads what the one before it writes."""
TTL = timedelta(seconds=2)


class Worker(Resource, lease=TTL):
    """A process that carries out operators, as long as it holds the lease of its worker."""

    zone: str


class Job(Resource):
    """A stream of numbered events, which is summed up."""

    events: int | None = None
    """Where the stream ends; None while nobody has said so."""


class Operator(Resource, parent=Job, on_parent_delete=CASCADE):
    """A part of a job. It is free as soon as the lease of its worker is over, in the same commit."""

    zone: str
    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None
    recovery: Recovery = Recovery()


class Checkpoint(Resource, parent=Operator, on_parent_delete=CASCADE):
    """How far an operator is, and what it must remember."""

    read: int = 0
    """How many entries of the operator before it have been taken into account."""
    written: int = 0
    """How many entries it has written."""
    state: dict[str, int] = {}


class Entry(Resource, parent=Operator, on_parent_delete=CASCADE):
    """One entry in the output of an operator, by its number."""

    values: list[Any]


class Total(Resource, parent=Job, on_parent_delete=CASCADE):
    """What the sink has added up."""

    windows: int = 0
    sum: int = 0


MODELS: tuple[type[Resource], ...] = (Worker, Job, Operator, Checkpoint, Entry, Total)
