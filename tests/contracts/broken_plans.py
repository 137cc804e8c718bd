# ruff: noqa: ARG001 - what is broken is mostly that they do not look
"""Plans of transactions that are broken on purpose, each in one way."""

from __future__ import annotations

from typing import Any

from emco_store.core.records import Record
from emco_store.flows import planning
from emco_store.flows.asking import Flow
from emco_store.flows.unit import Unit

_plan = planning.plan


def look_at_nothing(unit: Unit) -> Flow[dict[Any, Record]]:
    """Take what was not read for absent."""
    yield from ()
    return {key: record for key in unit.puts if (record := unit.base.get(key)) is not None}


def find_no_claims(record: Record, before: Record | None) -> list[Any]:
    """Forget what must be unique."""
    return []


def resolve_everything(unit: Unit, *given: Any) -> Flow[tuple[Any, ...]]:
    """Look for no target."""
    yield from ()
    return ()


def rest_on_nothing(unit: Unit, result: Any) -> Flow[Any]:
    """Forget what the function has read."""
    unit.expect = {key: stamp for key, stamp in unit.expect.items() if key in unit.puts}
    return (yield from _plan(unit, result))
