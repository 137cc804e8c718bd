"""The resources of the workloads: a list, and a register."""

from __future__ import annotations

from emco_store.core.resource import Resource


class Journal(Resource):
    """A list that transactions read and append to."""

    entries: list[int] = []


class Register(Resource):
    """A value with a version; ``born``, the value at its creation, distinguishes it from its predecessors."""

    born: int
    value: int
