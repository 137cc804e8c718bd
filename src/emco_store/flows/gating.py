"""The gate: what belongs to a segment that waits is not written."""

from __future__ import annotations

from collections.abc import Iterable

from emco_store.core.registry import EMPTY, REGISTRY_KEY, Registry, read_registry
from emco_store.core.segments import not_ready
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context


def registry_now() -> Flow[Registry]:
    """Read the registry; what the backend does not answer is an error, and never an empty registry.

    Rules: SEG-6.
    """
    found = yield from records_at([REGISTRY_KEY])
    return read_registry(found[REGISTRY_KEY].document) if found else EMPTY


def refuse_waiting(context: Context, kinds: Iterable[str]) -> Flow[None]:
    """Refuse to write kinds of a segment that this store has registered, and that still waits.

    Raises:
        NotReady: It does.

    Rules: SEG-6.
    """
    wanted = context.registered.waiting.keys() & set(kinds)
    if wanted:
        readiness = context.registered.note((yield from registry_now()))
        still = context.registered.waiting.keys() & wanted
        if still:
            raise not_ready(readiness, still)
