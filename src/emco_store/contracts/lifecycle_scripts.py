"""The transactions around lifecycles that run against each other: transitions, edits, creates and deletes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from emco_store.backends.memory import MemoryBackend
from emco_store.connect import connect
from emco_store.contracts.lifecycle_models import (
    Cloud,
    CloudLifecycle,
    Group,
    GroupLifecycle,
    Guest,
    Member,
    Switch,
    Zone,
)
from emco_store.contracts.scripts import Script
from emco_store.core.keys import Key
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.refs import Ref

_UP, _NEW, _ZONE = Key("Cloud", "up"), Key("Cloud", "new"), Key("Zone", "z")
_GROUP, _MEMBER, _GUEST = Key("Group", "z", "g"), Key("Member", "z", "g", "m"), Key("Guest", "u")

_MODELS: dict[str, Any] = {model.__name__: model for model in (Cloud, Group, Guest, Member, Zone)}


def begin_with_lifecycles(tx: Any) -> None:
    """Create the data of each run: a cloud that is up and a new one, and a group with a member and a guest."""
    up = tx.create(Cloud(name="up"))
    tx.create(Cloud(name="new"))
    group = tx.create(Group(name="g", parent=tx.create(Zone(name="z")), cloud=up.ref))
    tx.create(Member(name="m", parent=group))
    tx.create(Guest(name="u", group=group.ref))
    tx.transition(up, CloudLifecycle.launch)


def scripts_of_lifecycles() -> tuple[Script, ...]:
    """Return the transactions: for each guard, hold and frozen field, those that make it true and false."""
    return (
        _step("enter a hold", _GROUP, GroupLifecycle.enter),
        _step("leave the state that is held", _UP, CloudLifecycle.land),
        _step("make a first transition", _NEW, CloudLifecycle.launch),
        _call("delete what has no record", lambda tx: tx.delete(_NEW).deleted),
        _call("delete by cascade", lambda tx: tx.delete(_ZONE).deleted),
        _edit("change what would be frozen", _NEW, level=1),
        _edit("change what is frozen", _UP, level=1),
        _edit("change the target", _UP, note="x"),
        _edit("change the root", _GROUP, note="x"),
        _edit("refer to another target", _GROUP, cloud=Ref(_NEW)),
        _edit("change the member", _MEMBER, note="x"),
        _call("add a member", lambda tx: tx.create(Member(name="n", parent=Ref(_GROUP))).meta.version),
        _call("delete the member", lambda tx: tx.delete(_MEMBER).deleted),
        _step("switch the member on", _MEMBER, Switch.on),
        _step("switch the zone on", _ZONE, Switch.on),
        _step("switch the guest on", _GUEST, Switch.on),
        _call("add a guest", lambda tx: tx.create(Guest(name="v", group=Ref(_GROUP))).meta.version),
        _call("approve", lambda tx: tx.transition(_get(tx, _GROUP), GroupLifecycle.approve, digest=_digest()).state),
        _step("ask every", _GROUP, GroupLifecycle.if_every),
        _step("ask none", _GROUP, GroupLifecycle.if_none),
        _step("ask the target", _GROUP, GroupLifecycle.if_target),
        _step("ask the ancestor", _GROUP, GroupLifecycle.if_ancestor),
        _step("ask the referrers", _GROUP, GroupLifecycle.if_unused),
    )


@lru_cache(maxsize=1)
def _digest() -> str:
    """Return the digest of the group as it is at the beginning of each run."""
    with connect(MemoryBackend(), namespace="look") as store:
        with store.transaction() as tx:
            begin_with_lifecycles(tx)
        return store.plan_transition(_GROUP, GroupLifecycle.approve).digest or ""


def _call(name: str, call: Callable[[Any], Any]) -> Script:
    return Script(name, (lambda tx, _: call(tx),))


def _step(name: str, key: Key, step: Transition[Any]) -> Script:
    return _call(name, lambda tx: tx.transition(_get(tx, key), step).state)


def _edit(name: str, key: Key, **changes: Any) -> Script:
    return _call(name, lambda tx: tx.update(_get(tx, key).model_copy(update=changes)).meta.version)


def _get(tx: Any, key: Key) -> Any:
    """Read a resource by its model, which the store may not have met before."""
    return tx.get(_MODELS[key.kind], *key.segments)
