"""The resources of the workloads: a list, and a register."""

from __future__ import annotations

from emco_store.core.resource import Resource


class Journal(Resource):
    """A list that transactions read and append to."""

    entries: list[int] = []


class Register(Resource):
    """A value with a version; ``born`` is the value it was created with, and tells it from its predecessors."""

    born: int
    value: int
