# ruff: noqa: ARG001 - what is broken is mostly that they do not look
"""Registrations that are broken on purpose, each in one way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from emco_store.core.registry import EMPTY, Declaration, Registry
from emco_store.errors import Unavailable
from emco_store.flows import gating
from emco_store.flows.asking import Flow
from emco_store.flows.registering import _record
from emco_store.flows.unit import Unit

_now = gating.registry_now


def write_over_others(unit: Unit, old: Any, registry: Registry) -> Any:
    """Forget what was read, so that the commit replaces what another service has registered meanwhile."""
    record = _record(unit, old, registry)
    unit.expect.clear()
    unit.sealed.clear()
    return record


def activate_all(registry: Registry, coming: Mapping[str, Declaration]) -> list[str]:
    """Take what lacks something into the active set, as EMCO does."""
    return []


def claim_nothing(registry: Registry, name: str, given: Declaration) -> Iterable[str]:
    """Let two segments own one kind."""
    return iter(())


def contradict_nothing(registry: Registry, name: str, given: Declaration) -> Iterable[str]:
    """Let views say what they like."""
    return iter(())


def rely_on_nothing(registry: Registry, name: str, given: Declaration) -> Iterable[str]:
    """Change the form of documents under those who cannot read it."""
    return iter(())


def never_the_same(declaration: Declaration, other: Declaration | None) -> bool:
    """Take each registration for a new one, as a hash of the bytes of a file does."""
    return False


def change_anything(old: Declaration, new: Declaration) -> list[str]:
    """Let a segment change as it likes."""
    return []


def wait_for_nothing(context: Any, kinds: Iterable[str]) -> Flow[None]:
    """Write what belongs to a segment that waits."""
    yield from ()


def take_outages_for_nothing() -> Flow[Registry]:
    """Take a backend that does not answer for a namespace in which nobody has registered."""
    try:
        return (yield from _now())
    except Unavailable:
        return EMPTY


def relied_on_by_nobody(registry: Registry, name: str, kinds: tuple[str, ...]) -> list[str]:
    """Remove what others rely on."""
    return []


def use_nothing(kinds: Iterable[str]) -> Flow[list[str]]:
    """Remove kinds of which there are resources."""
    yield from ()
    return []
