"""The leased resources of the suite, and what refers to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from emco_store.core.keys import Key
from emco_store.core.refs import Ref, on_expire
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.supervising import Recovery

TTL: Final = timedelta(seconds=15)


class Runner(Resource, lease=TTL):
    """What is leased."""

    zone: str = ""


class Sprinter(Resource, lease=timedelta(seconds=1)):
    """What must beat several times a second."""


class Strider(Resource, lease=timedelta(seconds=5)):
    """What one can wait for."""


class DutyToDelete(Resource):
    """What goes with the lease of its runner."""

    runner: Annotated[Ref[Runner] | None, on_expire(Rule.CASCADE)] = None


class DutyToFree(Resource):
    """What is free after the end of the lease."""

    runner: Annotated[Ref[Runner] | None, on_expire(Rule.SET_NULL)] = None


class DutyToMove(Resource):
    """What another runner takes over."""

    runner: Annotated[Ref[Runner], on_expire(Rule.SET_DEFAULT)] = Ref("Runner/spare")


class DutyToShare(Resource):
    """What several runners do."""

    runners: Annotated[list[Ref[Runner]], on_expire(Rule.REMOVE)] = []


class DutyToKeep(Resource):
    """What does not depend on a lease."""

    runner: Ref[Runner] | None = None


class ChoreBefore(Resource, kind="Chore"):
    """What did not depend on a lease."""

    runner: Ref[Runner] | None = None


class Chore(Resource):
    """What depends on one by now."""

    runner: Annotated[Ref[Runner] | None, on_expire(Rule.SET_NULL)] = None


class Errand(Resource):
    """What a supervisor assigns."""

    zone: str = ""
    team: str = ""
    is_off: bool = False
    runner: Annotated[Ref[Runner] | None, on_expire(Rule.SET_NULL)] = None
    recovery: Recovery = Recovery()


RUNNER: Final = Key("Runner", "r")
SPARE: Final = Key("Runner", "spare")
DUTIES: Final[dict[Rule, type[Resource]]] = {
    Rule.CASCADE: DutyToDelete,
    Rule.SET_NULL: DutyToFree,
    Rule.SET_DEFAULT: DutyToMove,
    Rule.REMOVE: DutyToShare,
}


def duty(rule: Rule, name: str, *runners: Key) -> Resource:
    """Make a resource that refers to runners under a rule."""
    fields: dict[str, Any] = {"runners": [*runners]} if rule is Rule.REMOVE else {"runner": runners[0]}
    return DUTIES[rule](name=name, **fields)
