"""The transactions around an operation that run against each other: reports of its end, and what gives it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from emco_store.contracts.lifecycle_models import (
    Cloud,
    CloudLifecycle,
    Group,
    GroupLifecycle,
    GroupStatus,
    Member,
    Zone,
)
from emco_store.contracts.scripts import Script
from emco_store.core.keys import Key
from emco_store.core.refs import Ref

GROUP: Final[Any] = Group(parent=Ref("Zone/z"), name="g")
"""Names the group without reading it, so that only the call itself rests on it."""
_UP: Final[Any] = Cloud(name="up")


@dataclass(slots=True)
class Operations:
    """A group that is being started.

    Attributes:
        id: The operation that is under way, since the data was created last.
    """

    id: str = ""

    def begin(self, tx: Any) -> None:
        """Create the data of each run: an approved group on a cloud that is up, and begin its operation."""
        up = tx.create(Cloud(name="up"))
        tx.transition(up, CloudLifecycle.launch)
        group = tx.create(Group(name="g", parent=tx.create(Zone(name="z")), cloud=up.ref))
        tx.create(Member(name="m", parent=group))
        tx.transition(group, GroupLifecycle.approve, digest=tx.digest(group))
        self.id = tx.transition(group, GroupLifecycle.start).operation

    def scripts(self) -> tuple[Script, ...]:
        """Return reports of the operation, what gives it up, what begins another, and what they rest on."""
        return (
            _tx("report the end", self._report),
            _tx("look and report the end", _look_and_report),
            _tx("look at the state and note it", _look_and_note),
            _step("report a stranger's end", GroupLifecycle.started, operation="stranger"),
            _step("stop", GroupLifecycle.stop),
            _tx("stop and leave", _stop_and_leave),
            _tx("stop, leave and approve", lambda tx: (_stop_and_leave(tx), _approve(tx))),
            _tx("approve", _approve),
            _tx("land the cloud", lambda tx: str(tx.transition(_UP, CloudLifecycle.land).state)),
            _tx("delete the cloud", lambda tx: tx.delete(Key("Cloud", "up")).deleted),
            _tx("delete the zone", lambda tx: tx.delete(Key("Zone", "z")).deleted),
            _tx("change the member", _edit(Member, "z", "g", "m")),
            _tx("change the root", _edit(Group, "z", "g")),
            _tx("report a status", lambda tx: tx.set_status(GroupStatus(parent=GROUP.ref), observed=1).meta.version),
        )

    def _report(self, tx: Any) -> Any:
        record = tx.transition(GROUP, GroupLifecycle.started, operation=self.id)
        return str(record.state), record.applied


def _tx(name: str, does: Callable[[Any], Any]) -> Script:
    return Script(name, (lambda tx, _: does(tx),))


def _step(name: str, transition: Any, **options: Any) -> Script:
    return _tx(name, lambda tx: str(tx.transition(GROUP, transition, **options).state))


def _edit(model: Any, *names: str) -> Callable[[Any], Any]:
    return lambda tx: tx.update(tx.get(model, *names).model_copy(update={"note": "x"})).meta.version


def _look_and_report(tx: Any) -> Any:
    operation = tx.lifecycle(GROUP).operation
    return operation and str(tx.transition(GROUP, GroupLifecycle.started, operation=operation).state)


def _look_and_note(tx: Any) -> Any:
    record = tx.lifecycle(GROUP)
    tx.create(Zone(name=f"seen-{record.state.value}-{record.version}"))
    return str(record.state)


def _approve(tx: Any) -> Any:
    return tx.transition(GROUP, GroupLifecycle.approve, digest=tx.digest(GROUP)).revision


def _stop_and_leave(tx: Any) -> Any:
    return [str(tx.transition(GROUP, one).state) for one in (GroupLifecycle.stop, GroupLifecycle.leave)]
