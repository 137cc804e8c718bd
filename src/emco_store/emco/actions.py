"""Actions: what a document of a bundle asks to be done with a resource, as transitions of its lifecycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.lifecycle_parts import Transition
from emco_store.emco.bundles import Action
from emco_store.emco.catalogue.certificates import PHASES, CaCertPhaseCp, CaCertPhaseLc
from emco_store.emco.catalogue.clusters import Cluster
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup
from emco_store.emco.catalogue.lifecycles import (
    CertificateLifecycle,
    CloudLifecycle,
    DigLifecycle,
    DigState,
    NetworksLifecycle,
)
from emco_store.emco.catalogue.logical_clouds import LogicalCloud
from emco_store.emco.steps import Steps
from emco_store.errors import InvalidCall, NotFound

_Ways = tuple[Transition[Any], ...]
_CERTIFICATE: Mapping[str, _Ways] = {
    "instantiate": (CertificateLifecycle.instantiate,),
    "update": (CertificateLifecycle.update,),
    "terminate": (CertificateLifecycle.terminate,),
}
VERBS: Mapping[str, Mapping[str, _Ways]] = {
    "DeploymentIntentGroup": {
        "approve": (DigLifecycle.approve, DigLifecycle.reapprove),
        "instantiate": (DigLifecycle.instantiate,),
        "update": (DigLifecycle.update,),
        "rollback": (DigLifecycle.update,),
        "migrate": (DigLifecycle.terminate,),
        "stop": (DigLifecycle.stop, DigLifecycle.abandon),
        "terminate": (DigLifecycle.terminate,),
    },
    "LogicalCloud": {
        "instantiate": (CloudLifecycle.instantiate,),
        "update": (CloudLifecycle.update,),
        "terminate": (CloudLifecycle.terminate,),
    },
    "Cluster": {"apply": (NetworksLifecycle.apply,), "terminate": (NetworksLifecycle.terminate,)},
    "CaCertPhaseCp": _CERTIFICATE,
    "CaCertPhaseLc": _CERTIFICATE,
}
"""The transitions that a verb stands for, by kind; of several, the one that the state allows."""
_MODELS = {
    model.__emco__.kind: model for model in (DeploymentIntentGroup, LogicalCloud, Cluster, CaCertPhaseCp, CaCertPhaseLc)
}
REACHED = {"instantiate": {"Instantiating", "Instantiated"}, "terminate": {"Terminating", "Terminated"}}
"""The states in which nothing is left to do."""
AT_ONCE = frozenset({"stop", "status"})
"""The verbs that wait for no operation under way: it is what they are about."""


@dataclass(frozen=True, slots=True)
class Done:
    """An action that was carried out.

    Attributes:
        action: The action.
        record: The lifecycle record of its target afterwards.
        is_new: Whether something was done; False where the target was in the state already that the action leads to.
    """

    action: Action
    record: LifecycleRecord[Any]
    is_new: bool = True

    def __str__(self) -> str:
        return f"{self.action}: {self.record.state.value}{'' if self.is_new else ', as before'}"


def check_action(action: Action) -> tuple[Key, str]:
    """Return the resource whose lifecycle an action is about, and the verb.

    Raises:
        InvalidCall: Resources of this kind have no such action, or its spec is missing.
    """
    target, verb = action.target, action.verb
    if "/" in verb:
        phase, verb = verb.split("/")
        model = next(made for owner, made in PHASES.items() if owner.__emco__.kind == target.kind)
        target = Key(model.__emco__.kind, *target.segments, phase)
    known = VERBS.get(target.kind, {})
    if verb not in known and not (verb == "status" and known):
        raise InvalidCall(
            f"Cannot {verb} {target}.",
            why=[f"{target.kind} has no such action" if known else f"{target.kind} has no lifecycle"],
            hint=f"its actions are {', '.join(known)}." if known else "leave the document out.",
        )
    if verb in {"rollback", "migrate"} and not action.body.get("spec"):
        raise InvalidCall(
            f"Cannot {verb} {target}.",
            why=["the document has no spec"],
            hint="rollback needs spec.revision; migrate needs spec.targetCompositeAppVersion and "
            "spec.targetDeploymentIntentGroup.",
        )
    return target, verb


def lifecycle_of(target: Key) -> Any:
    """Return the lifecycle of the resources to which a target belongs."""
    return _MODELS[target.kind].__emco__.lifecycle


def looked_up(target: Key) -> Steps[LifecycleRecord[Any]]:
    """Read where a resource is in its lifecycle; the store may not have met its model yet.

    Raises:
        NotFound: It does not exist.
    """
    yield methodcaller("get", _MODELS[target.kind], *target.segments)
    record: LifecycleRecord[Any] = yield methodcaller("lifecycle", target)
    return record


def rolled_back(action: Action) -> Steps[None]:
    """Bring back the content of the revision that an action names, on a store. ``update`` follows in a transaction.

    In a state that does not allow an update, nothing is brought back: the update refuses it.

    Raises:
        InvalidCall: The revision is no number.
        NotFound: There is no such deployment or revision.
    """
    target, _ = check_action(action)
    revision = str(_spec_of(action).get("revision"))
    if not revision.isdecimal():
        raise InvalidCall(
            f"Cannot roll back {target}.",
            why=[f"spec.revision: {revision!r:.80} is no number"],
            hint="store.history() lists the revisions.",
        )
    record = yield from looked_up(target)
    if record.state in DigLifecycle.update.sources:
        plan = yield methodcaller("plan_rollback", target, int(revision))
        yield methodcaller("apply", plan)


def carried_out(action: Action) -> Steps[tuple[Done, ...]]:
    """Make the transitions that an action stands for, in a transaction.

    Raises:
        TransitionRefused: The state or a guard does not allow it.
        NotFound: The target does not exist.
        InvalidCall: Resources of this kind have no such action, or its spec is missing.
    """
    target, verb = check_action(action)
    yield from _make_phase(target)
    record = yield from looked_up(target)
    if verb == "status" or _is_reached(verb, record):
        return (Done(action, record, is_new=False),)
    if verb == "migrate":
        return (yield from _migrated(action, target))
    if verb == "approve":
        return ((yield from _approved(action, target, record)),)
    if verb in {"update", "rollback"} and target.kind == "DeploymentIntentGroup":
        yield from _reapproved(target, record)
    ways = VERBS[target.kind][verb]
    done = yield methodcaller("transition", target, _fitting(ways, record))
    return (Done(action, done),)


def _fitting(ways: _Ways, record: LifecycleRecord[Any]) -> Transition[Any]:
    """Return the transition that the state allows; the first one if none is, which says so then."""
    return next((way for way in ways if record.state in way.sources), ways[0])


def _is_reached(verb: str, record: LifecycleRecord[Any]) -> bool:
    """Return whether nothing is left to do; a deployment that runs with other content than the newest is not there."""
    is_behind = record.state is DigState.UP and record.applied != record.revision
    return record.state.value in REACHED.get(verb, ()) and not is_behind


def _make_phase(target: Key) -> Steps[None]:
    model = next((model for model in PHASES.values() if model.__emco__.kind == target.kind), None)
    if model is not None:
        parent = Key(model.__emco__.parent.__emco__.kind, *target.segments[:-1])  # type: ignore[union-attr]  # it has one
        yield methodcaller("put", model(parent=parent, name=target.name))


def _approved(action: Action, target: Key, record: LifecycleRecord[Any]) -> Steps[Done]:
    """Approve the content as the transaction sees it, which has what the bundle states; unless that is approved."""
    digest = yield methodcaller("digest", target)
    is_approved = record.approved is not None and record.approved.digest == digest
    if is_approved and record.state in {DigState.APPROVED, DigState.STARTING, DigState.UP}:
        return Done(action, record, is_new=False)
    way = _fitting(VERBS[target.kind]["approve"], record)
    return Done(action, (yield methodcaller("transition", target, way, digest=digest)))


def _reapproved(target: Key, record: LifecycleRecord[Any]) -> Steps[None]:
    """Approve what is about to be deployed: EMCO's documents ask for an update without a further approval."""
    if record.state in DigLifecycle.reapprove.sources:
        digest = yield methodcaller("digest", target)
        if record.approved is None or record.approved.digest != digest:
            yield methodcaller("transition", target, DigLifecycle.reapprove, digest=digest)


def _migrated(action: Action, source: Key) -> Steps[tuple[Done, ...]]:
    """Start the deployment that takes over, and stop this one, in one commit."""
    successor = successor_of(action, source)
    if successor == source:
        raise InvalidCall(f"Cannot migrate {source} to itself.", hint="name another version of the composite app.")
    started = yield methodcaller("transition", successor, DigLifecycle.instantiate)
    ended = yield methodcaller("transition", source, DigLifecycle.terminate)
    return Done(action, started), Done(action, ended)


def successor_of(action: Action, source: Key) -> Key:
    """Return the deployment that takes over from another one."""
    spec = _spec_of(action)
    project, app = source.segments[:2]
    return Key(source.kind, project, app, spec["targetCompositeAppVersion"], spec["targetDeploymentIntentGroup"])


def _spec_of(action: Action) -> Mapping[str, Any]:
    """Return the spec of an action, whose fields a document may write in any letter case."""
    wanted = ("revision", "targetCompositeAppVersion", "targetDeploymentIntentGroup")
    known = {name.lower(): name for name in wanted}
    return {known.get(name.lower()) or name: value for name, value in action.body["spec"].items()}


def ended(target: Key) -> Steps[LifecycleRecord[Any] | None]:
    """Terminate a resource if it is there and runs, in a transaction; None where nothing is left to do.

    Raises:
        TransitionRefused: Something holds it.
    """
    ways = VERBS[target.kind]["terminate"]
    try:
        record = yield from looked_up(target)
    except NotFound:
        return None
    if record.state not in ways[0].sources:
        return None
    terminated: LifecycleRecord[Any] = yield methodcaller("transition", target, ways[0])
    return terminated
