"""The ways in which EMCO's lifecycles break, as races, on the shipped catalogue; and all races together."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any

from emco_store import Key
from emco_store.contracts.histories.clients import Ask, Request, Transact
from emco_store.emco import (
    CATALOGUE,
    App,
    CloudLifecycle,
    ClusterReference,
    DigLifecycle,
    DigState,
    LogicalCloud,
)
from tests.breakages.deployments import (
    application,
    approve,
    cloud_of,
    deployment,
    group_of,
    launch_cloud,
    placement,
    start,
)
from tests.proof import emco_races, emco_segment_races
from tests.proof.emco_races import Actor, End, Race

Prepared = Any
"""A resource to create, or a function that is given the transaction."""


# what a round begins with


def _approved(name: str) -> list[Prepared]:
    return [*deployment(name), lambda tx: launch_cloud(tx, name), lambda tx: approve(tx, name)]


def _started(name: str) -> list[Prepared]:
    return [*_approved(name), lambda tx: start(tx, name)]


def _running(name: str) -> list[Prepared]:
    def run(tx: Any) -> None:
        operation = start(tx, name).operation
        tx.transition(group_of(name), DigLifecycle.started, operation=operation)

    return [*_approved(name), *application(name, "v2"), lambda tx: approve(tx, name, "v2"), run]


def _terminated(name: str) -> list[Prepared]:
    def end(tx: Any) -> None:
        tx.transition(group_of(name), DigLifecycle.terminate)
        tx.transition(group_of(name), DigLifecycle.abandon)

    return [*_started(name), end]


def _down(name: str) -> list[Prepared]:
    return [*_approved(name)[:-1], lambda tx: tx.transition(cloud_of(name), CloudLifecycle.terminate)]


# what is done


def _step(make: Callable[[str], Generator[Ask, Any, Any]]) -> Actor:
    """Do it in one transaction, which is repeated while it loses."""

    def act(name: str) -> Generator[Request, Any, Any]:
        return (yield Transact(lambda: make(name)))

    return act


def _transition(key: Callable[[str], Key], step: Any) -> Actor:
    def script(name: str) -> Generator[Ask, Any, Any]:
        yield Ask("transition", (key(name), step))

    return _step(script)


def _delete_group(name: str) -> Generator[Ask, Any, Any]:
    below = [resource.key for resource in application(name)[4:]]
    yield Ask("delete", tuple(below))


def _delete_cloud(name: str) -> Generator[Ask, Any, Any]:
    yield Ask("delete", (cloud_of(name), Key("ClusterReference", name, "lc", "r"), *map(_key, application(name)[4:])))


def _key(resource: Any) -> Key:
    return resource.key  # type: ignore[no-any-return]  # what a resource has


def _place(name: str) -> Generator[Ask, Any, Any]:
    yield Ask("create", (placement(name, "more"),))


def _refer(name: str) -> Generator[Ask, Any, Any]:
    spec = {"clusterProvider": name, "cluster": "c1"}
    yield Ask("create", (ClusterReference(parent=cloud_of(name), name="s", spec=spec),))


def _edit(write: Callable[[str], Generator[Ask, Any, Any]]) -> Actor:
    """Change what belongs to the deployment, unless it is instantiated already."""

    def script(name: str) -> Generator[Ask, Any, Any]:
        record = yield Ask("lifecycle", (group_of(name),))
        if record.state is not DigState.APPROVED:
            return "too late"
        yield from write(name)
        return "changed"

    return _step(script)


def _change_chart(name: str) -> Generator[Ask, Any, Any]:
    app = yield Ask("get", (App, name, "shop", "v1", "web"))
    yield Ask("update", (app.model_copy(update={"file": "web-2.tgz"}),))


def _approve(name: str) -> Generator[Ask, Any, Any]:
    digest = yield Ask("digest", (group_of(name),))
    yield Ask("transition", (group_of(name), DigLifecycle.approve), {"digest": digest})


def _migrate(name: str) -> Generator[Ask, Any, Any]:
    yield Ask("transition", (group_of(name), DigLifecycle.terminate))
    yield Ask("transition", (group_of(name, "v2"), DigLifecycle.instantiate))


def _launch(name: str) -> Generator[Ask, Any, Any]:
    cloud = yield Ask("get", (LogicalCloud, *cloud_of(name).segments))
    yield Ask("transition", (cloud_of(name), CloudLifecycle.instantiate))
    return cloud.spec.namespace


def _rename(name: str) -> Generator[Ask, Any, Any]:
    cloud = yield Ask("get", (LogicalCloud, *cloud_of(name).segments))
    yield Ask("update", (cloud.model_copy(update={"spec": cloud.spec.model_copy(update={"namespace": "other"})}),))


def _report(name: str) -> Generator[Request, Any, Any]:
    record = yield Ask("lifecycle", (group_of(name),))
    yield Ask("transition", (group_of(name), DigLifecycle.started), {"operation": record.operation or "none"})


# what must not be


def _standing(end: End, key: Key) -> dict[str, Any]:
    record = end.records.get(f"emco__Lifecycle/{key.text}")
    return {} if record is None else json.loads(record.document)


def _state(end: End, version: str = "v1") -> str:
    return str(_standing(end, group_of(end.name, version)).get("state", "Created"))


def _whole(end: End) -> Iterator[str]:
    """The group is there with its state, or neither is."""
    key = group_of(end.name)
    if end.has(key) != bool(_standing(end, key)):
        yield f"of {key} and its state only one is there"


def _b30(end: End) -> Iterator[str]:
    yield from _whole(end)
    if end.done(0) and end.has(group_of(end.name)):
        yield "a group whose delete succeeded is there"
    if end.done(0) and end.done(1):
        yield "a group was deleted, and a placement was created in it"


def _b31(end: End) -> Iterator[str]:
    cloud = cloud_of(end.name)
    if end.done(0) and (end.has(cloud) or _standing(end, cloud)):
        yield "a cloud whose delete succeeded is there"
    if end.done(0) and any(end.done(at) for at in (1, 2)):
        yield "a cloud was deleted and used"
    if not end.done(0) and not _standing(end, cloud):
        yield "a cloud whose delete was refused has lost its state"


def _b39(end: End) -> Iterator[str]:
    changed = [at for at in (1, 2) if end.told[at] == ("done", "changed")]
    if end.done(0) and changed:
        yield f"what was approved is not what was instantiated: actors {changed} changed it before"
    if end.done(0) and _state(end) != "Instantiating":
        yield f"it was instantiated, and is {_state(end)}"


def _b40(end: End) -> Iterator[str]:
    wanted = 1 + sum(end.done(at) for at in range(3))
    prefix = f"emco__Revision/{group_of(end.name).text}/"
    numbers = sorted(int(text.rpartition("/")[2]) for text in end.records if text.startswith(prefix))
    if numbers != list(range(1, wanted + 1)):
        yield f"after {wanted} approvals there are the revisions {numbers}"


def _b41(end: End) -> Iterator[str]:
    states = (_state(end), _state(end, "v2"))
    expected = (
        "Terminating" if end.done(0) or end.done(1) else "Instantiated",
        "Instantiating" if end.done(0) or end.done(2) else "Approved",
    )
    if states != expected:
        yield f"source and target are {states}, where {expected} was acknowledged"
    if end.done(0) and (end.done(1) or end.done(2)):
        yield "one deployment has moved twice"


def _b42(end: End) -> Iterator[str]:
    yield from _whole(end)
    if end.done(0) and end.done(1):
        yield "a group was instantiated and deleted"
    if end.done(1) and end.has(group_of(end.name)):
        yield "a group whose delete succeeded is there"


def _b44(end: End) -> Iterator[str]:
    document = end.document(cloud_of(end.name))
    if end.done(0) and end.told[0][1] != document["spec"]["namespace"]:
        yield f"the cloud was instantiated in {end.told[0][1]}, and says {document['spec']['namespace']}"


def _b45(end: End) -> Iterator[str]:
    if end.done(0) and end.done(1):
        yield "an operation has ended twice"
    expected = "Instantiated" if end.done(0) else "InstantiateFailed" if end.done(1) else "Instantiating"
    if _state(end) != expected:
        yield f"the group is {_state(end)}, where {expected} was acknowledged"


def _race(number: str, what: str, emco: str, rules: tuple[str, ...], *rest: Any) -> Race:
    prepare, actors, judge = rest
    return Race(number, what, emco, rules, prepare, actors, judge, models=CATALOGUE)


LIFECYCLES = (
    _race("B30", "A terminated group is deleted with all that is below it, while an intent comes",
          "Its runtime data are deleted, the store refuses: it can never be deleted again",
          ("LIF-5", "DEL-7", "OCC-10"), _terminated, (_step(_delete_group), _step(_place)), _b30),
    _race("B31", "A terminated cloud is deleted, while it is given a cluster and a deployment",
          "Its runtime data are deleted, the store refuses: it can never be used again",
          ("LIF-5", "DEL-7", "OCC-10"), _down,
          (_step(_delete_cloud), _step(_refer), _step(_place)), _b31),
    _race("B39", "What was approved is instantiated, while an intent and an app below it change",
          "Whatever is there is instantiated; approval is bound to nothing",
          ("LIF-3", "LIF-10", "LIF-11"), _approved,
          (_transition(group_of, DigLifecycle.instantiate), _edit(_place), _edit(_change_chart)), _b39),
    _race("B40", "Three approvals at once", "Revision numbers begin again after terminate, stop and migrate",
          ("HIS-1", "HIS-2"), _approved, (_step(_approve),) * 3, _b40),
    _race("B41", "A deployment migrates, while its source is terminated and its target instantiated",
          "The source stays in a state from which it is deployed once more", ("LIF-2", "LIF-4"), _running,
          (_step(_migrate), _transition(group_of, DigLifecycle.terminate),
           _transition(lambda name: group_of(name, "v2"), DigLifecycle.instantiate)), _b41),
    _race("B42", "A group is deleted while it is instantiated",
          "A state that cannot be read counts as none: deleted while its workload runs", ("LIF-3", "LIF-5"), _approved,
          (_transition(group_of, DigLifecycle.instantiate), _step(_delete_group)), _b42),
    _race("B44", "The namespace of a cloud changes while it is instantiated",
          "Accepted at any time; the credentials of the old one stay", ("LIF-7",), deployment,
          (_step(_launch), _step(_rename)), _b44),
    _race("B45", "The end of an operation is reported while it is given up",
          "The caller sees a timeout, and the state is the one before", ("LIF-8",), _started,
          (_report, _transition(group_of, DigLifecycle.stop)), _b45),
)  # fmt: skip
RACES = (*emco_races.RACES, *emco_segment_races.SEGMENTS, *LIFECYCLES)
"""All races."""
WITHOUT = emco_races.WITHOUT | {
    "B27": "forgets versions",
    "B30": "no guard",
    "B31": "no guard",
    "B39": "checks nothing",
    "B40": "forgets versions",
    "B41": "forgets versions",
    "B42": "checks nothing",
    "B44": "forgets versions",
    "B45": "forgets versions",
}
"""See :data:`emco_races.WITHOUT`."""
ELSEWHERE = emco_races.ELSEWHERE | {
    "B32": (
        "A new instantiation deletes what the one before has left, and then fails",
        "The last id points nowhere, for ever",
        "No transition removes a revision, and a refused one writes nothing (LIF-2, HIS-1).",
    ),
    "B33": (
        "The state is written after the workload runs, and that write is lost",
        "A second copy is deployed, and nobody owns the first",
        "The state and the id of the operation are committed before anything happens outside (LIF-8).",
    ),
    "B34": (
        "The client hangs up while its call is carried out",
        "As B33, and what was begun is never cleaned up",
        "A transition is one commit, which is there whole or not at all (LIF-4, ATM-2).",
    ),
    "B35": (
        "An update is written in two parts, and the second one is lost",
        "No call leads out of the state between, except a delete while the workload runs",
        "An update is one commit, and from each state somebody can get on without the worker (LIF-4, LIF-9).",
    ),
    "B36": (
        "A rollback names a number that an earlier incarnation has had too",
        "The terminated one is brought back",
        "Numbers only rise, and belong to one uid (HIS-2).",
    ),
    "B37": (
        "A rollback of what is terminated",
        "Accepted, and nothing runs",
        "A rollback changes intent; the update that follows is a transition with its sources and guards (HIS-10).",
    ),
    "B38": (
        "Two objects of one name and kind in different namespaces",
        "One of them is not deployed, in silence",
        "A key has all names above the own one (ID-2); what runs where is a reference of a status (GEN-5).",
    ),
    "B43": (
        "A cluster is created, and the event to a controller fails",
        "An error for what exists; a later cluster keeps the old credentials",
        "What is in the store is one commit (ATM-1), and the event is part of it (FEED-1).",
    ),
    "B46": (
        "A deployment is stopped while its clusters are out of reach",
        "The stop cancels what would record its result; it stays in its state, and cannot be deleted",
        "A stop is a field of what is to run; it needs no worker, and outlives every supervisor (SUP-9).",
    ),
    "B47": (
        "The deployer dies during an update",
        "Both halves are skipped at the restart; the target is never applied, and the old one never removed",
        "What is to be done follows from what is stored, and the next supervisor does it (SUP-6).",
    ),
    "B48": (
        "One active record cannot be read at a restart",
        "Nothing after it is recovered",
        "It is reported, and all others are supervised (SUP-9).",
    ),
    "B49": (
        "A deployment is terminated after a restart of the deployer",
        "A second worker begins on the same queue, and cannot interrupt the first",
        "Who runs what is a leased reference, which a restart finds (SUP-6, LEA-5).",
    ),
    "B50": (
        "A deployment fails before anything was applied, and is updated with the same content",
        "Nothing is applied, because two intents are compared",
        "A checkpoint under the lease says what was applied; work that has lost its worker goes on (LEA-4, SUP-6).",
    ),
    "B51": (
        "A deployment that was stopped is updated",
        "The stop flag of the old one makes the update fail, and leaves what it had deployed",
        "There is one field that says whether it runs, and one record of what was applied (SUP-9).",
    ),
    "B52": (
        "An event comes that the state of a deployment does not allow",
        "It is skipped after the caller was told of success, and nobody learns of it",
        "The transition is refused to its caller; one that is accepted is an event that is told (LIF-2, FEED-1).",
    ),
    "B53": (
        "What is terminated is terminated again",
        "It is shown as failed, which it is not",
        "The call is refused and changes nothing, as is a report of an operation that has ended (LIF-2, LIF-8).",
    ),
    "B54": (
        "A request is put into the queue of the deployer, and that fails",
        "The request is lost, and the caller is told of success",
        "The request is the commit: its caller gets the error, or it is told once, with all that it says (FEED-10).",
    ),
}
"""See :data:`emco_races.ELSEWHERE`."""
