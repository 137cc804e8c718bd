"""Deployments under load: transitions, approvals, rollbacks, restores, statuses and deletes of what is held.

Every record that a client sees or writes is a step of its operation: resources, lifecycle records, revisions, statuses.
:mod:`proof.versions` makes lists of them for the checker of transactions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final

from emco_store.contracts.histories.clients import Ask, Client, Script, Transact, ask_and_record
from emco_store.contracts.histories.history import History, Result
from emco_store.contracts.histories.workloads import Shift
from emco_store.core.guards import approved
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import hold, transition
from emco_store.core.naming import LIFECYCLE, REVISION, REVISION_PART
from emco_store.core.query import F
from emco_store.core.records import Record
from emco_store.core.refs import Ref, on_delete
from emco_store.core.reserved import read_numbered, resource_of
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.status import Status
from emco_store.errors import StoreError
from emco_store.ports import Commit

HOT: Final = 2
"""Number of deployments at a time; each stands on a ground of its own number, or on its neighbour's."""
SPAN: Final = 16
"""Number of operations of each client on the same deployments, before new ones replace them: histories stay short."""
PARTS: Final = ("a", "b")

Step = list[Any]
"""``["saw", object, version, content]``, ``["made", …]``, ``["gone", object, None, None]``, ``["held", object of a
revision, its number, its note, {key: content}]`` or ``["kept", object of revisions, numbers that must be there, numbers
that are]``; an object is the text of a key and a uid, and a content is the number of the operation that wrote it first,
None if unknown."""


class Power(StrEnum):
    """The states of a ground."""

    OFF = "Off"
    ON = "On"


class PowerLifecycle(Lifecycle[Power]):
    """A ground can be deleted in both states, unless a deployment holds it."""

    initial = Power.OFF
    on = transition(Power.OFF, to=Power.ON)
    off = transition(Power.ON, to=Power.OFF)
    deletable = {Power.OFF, Power.ON}


class Ground(Resource, lifecycle=PowerLifecycle):
    """What deployments stand on."""

    value: int = 0


class Phase(StrEnum):
    """The states of a deployment."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    STARTING = "Starting"
    RUNNING = "Running"


HOLDING: Final[tuple[Phase, ...]] = (Phase.STARTING, Phase.RUNNING)


class WorksLifecycle(Lifecycle[Phase]):
    """Approved content is started, with the ground held until it is halted."""

    initial = Phase.DRAFT
    approve = transition({Phase.DRAFT, Phase.APPROVED}, to=Phase.APPROVED, approves=True)
    start = transition(Phase.APPROVED, to=Phase.STARTING, begins=True, guards=[approved()])
    started = transition(Phase.STARTING, to=Phase.RUNNING, ends=True)
    halt = transition({Phase.STARTING, Phase.RUNNING}, to=Phase.DRAFT)
    deletable = {Phase.DRAFT, Phase.APPROVED}
    frozen = {Phase.STARTING: (F.ground,), Phase.RUNNING: (F.ground,)}
    holds = {state: [hold(F.ground, needs=Power.ON)] for state in HOLDING}


class Works(Resource, lifecycle=WorksLifecycle):
    """A deployment."""

    value: int = 0
    ground: Annotated[Ref[Ground] | None, on_delete(Rule.SET_NULL)] = None


class Piece(Resource, parent=Works, on_parent_delete=Rule.CASCADE):
    """A part of its content."""

    value: int = 0


class Gauge(Status, of=Works, writer="gauge"):
    """What is reported of it."""

    value: int = 0


MODELS: Final = (Ground, Works, Piece, Gauge)


# steps


def _object(resource: Any) -> str:
    return f"{resource.meta.key.text}@{resource.meta.uid}"


def _saw(resource: Any) -> Step:
    return ["saw", _object(resource), resource.meta.version, resource.value]


def _made(resource: Any) -> Step:
    return ["made", _object(resource), resource.meta.version, resource.value]


def _lifecycle_of(resource: Any) -> str:
    return f"{LIFECYCLE}/{_object(resource)}"


def _revisions_of(resource: Any) -> str:
    return f"{REVISION}/{_object(resource)}"


def steps_of(commit: Commit) -> list[Step]:
    """Return what a plan shows that it rests on, and writes."""
    uids = {key.text: stamp.uid for key, stamp in commit.expect.items() if stamp is not None}
    uids |= {record.key.text: record.uid for record in commit.puts}
    steps: list[Step] = []
    for key, stamp in commit.expect.items():
        if stamp is not None and (name := _named(key, stamp.uid, uids)):
            steps.append(["saw", name, stamp.version, None])
    for record in commit.puts:
        if record.key.kind == REVISION:
            document = json.loads(record.document)
            steps.append(["made", *_revision(record.key), int(document.get("note") or 0)])
        elif name := _named(record.key, record.uid, uids):
            steps.append(["made", name, record.version, _content(record)])
    steps += [["gone", name, None, None] for key in commit.deletes if (name := _named(key, uids.get(key.text), uids))]
    return steps


def _named(key: Key, uid: str | None, uids: Mapping[str, str]) -> str | None:
    if key.kind == LIFECYCLE:
        text = resource_of(key).text
        return f"{LIFECYCLE}/{text}@{uids[text]}" if text in uids else None
    return None if key.kind in {REVISION, REVISION_PART} or uid is None else f"{key.text}@{uid}"


def _revision(key: Key) -> tuple[str, int]:
    """Return the object and the version that a revision is."""
    resource, uid, number = read_numbered(key)
    return f"{REVISION}/{resource.text}@{uid}", number


def _content(record: Record) -> int | None:
    return None if record.key.kind == LIFECYCLE else int(json.loads(record.document).get("value", 0))


# the workload


@dataclass(slots=True)
class _Client:
    """One client, and what it knows.

    Attributes:
        shift: Its arguments.
        known: The resources as it has seen them last; it names them by these values, so their uids are certain.
        states: Their states then, or since.
        prunes: Whether it prunes histories, too.
    """

    shift: Shift
    known: dict[Key, Any] = field(default_factory=dict[Key, Any])
    states: dict[Key, Any] = field(default_factory=dict[Key, Any])
    prunes: bool = False

    def recorded(
        self, request: Ask | Transact, steps: list[Step], *, settles: bool = True
    ) -> Generator[Any, Any, bool]:
        """Make a request, and record its steps: those that are in the list when it ends, or is cancelled."""
        call = self.shift.recorder.call(self.shift.name, steps)
        try:
            return (yield from ask_and_record(call, request, settles=settles, answered=lambda _: steps))
        except GeneratorExit:
            call.ends(Result.UNKNOWN, steps, "cancelled")
            raise

    def transacted(self, *actions: Callable[[list[Step]], Script]) -> Generator[Any, Any, bool]:
        """Take actions in one transaction; each attempt begins again with no step."""
        steps: list[Step] = []

        def script() -> Script:
            steps.clear()
            for action in actions:
                yield from action(steps)

        settles = self.shift.random.random() < 0.5
        return (yield from self.recorded(Transact(script), steps, settles=settles))


def deployments(shift: Shift, *, prunes: bool = True) -> Client:
    """Take deployments through their lives, several clients at once; each has two at a time in view.

    Args:
        shift: The arguments of the client.
        prunes: Whether it prunes histories, too.
    """
    client, at = _Client(shift, prunes=prunes), 0
    while shift.goes_on(at):
        number = shift.random.randrange(HOT)
        works, ground = Key("Works", f"w{number}-{at // SPAN}"), Key("Ground", f"g{number}-{at // SPAN}")
        value = shift.value(at)
        if works not in client.known or shift.random.random() < _LOOKS:
            yield from client.transacted(partial(_look, client, works, ground))
        if client.known.get(ground) is None:
            has_happened = yield from client.transacted(partial(_create, Ground(name=ground.name, value=value)))
        elif client.known.get(works) is None:
            has_happened = yield from _bring(client, works, ground, value)
        else:
            has_happened = yield from _act(client, client.known[works], client.known[ground], value)
        if not has_happened or None in {client.known.get(works), client.known.get(ground)}:
            client.known.pop(works, None)
        at += 1


def _look(client: _Client, works: Key, ground: Key, steps: list[Step]) -> Script:
    """See a deployment and its ground, and their states."""
    found = yield Ask("get_many", ([works, ground],), {"missing_ok": True})
    states: dict[Key, Any] = {}
    for one in found:
        if one is not None:
            steps.append(_saw(one))
            states[one.key] = yield from _see_state(one, steps)
    client.known |= dict(zip((works, ground), found, strict=True))
    client.states |= states
    seen = client.known[works]
    if seen is not None and states[works] in HOLDING and seen.ground is not None and seen.ground.key == ground:
        steps.append(["rests", _object(seen), str(states[works]), str(states.get(ground, "absent"))])


def _see_state(resource: Any, steps: list[Step]) -> Generator[Ask, Any, Any]:
    record = yield Ask("lifecycle", (resource,))
    steps.append(["saw", _lifecycle_of(resource), record.version, None])
    if isinstance(resource, Works):
        steps.append(["saw", _revisions_of(resource), record.revision, None])
    return record.state


def _create(resource: Resource, steps: list[Step]) -> Script:
    steps.append(_made((yield Ask("create", (resource,)))))


def _bring(client: _Client, works: Key, ground: Key, value: int) -> Generator[Any, Any, bool]:
    """Create a deployment, or bring back one that is gone."""
    if client.shift.random.random() < 0.6 and (yield from _carried_out(client, Ask("plan_restore", (works,)))):
        return True
    made = Works(name=works.name, value=value, ground=client.known[ground].ref)
    return (yield from client.transacted(partial(_create, made)))


def _carried_out(client: _Client, planning: Ask) -> Generator[Any, Any, bool]:
    """Plan something, and carry it out; the plan names what it rests on and what it writes."""
    try:
        plan = yield planning
    except StoreError:
        return False
    return plan.refusal is None and (yield from client.recorded(Ask("apply", (plan,)), steps_of(plan.commit)))


def _act(client: _Client, works: Any, ground: Any, value: int) -> Generator[Any, Any, bool]:
    """Do something with a deployment that was there a moment ago."""
    choice = client.shift.random.random()
    if choice < 0.12:
        return (yield from _roll_back(client, works, value))
    if choice < 0.15:
        return (yield from _carried_out(client, Ask("plan_delete", (works,))))
    if choice < 0.20:
        return (yield from _carried_out(client, Ask("plan_delete", (ground,))))
    if choice < 0.22 and client.prunes:
        return (yield from client.recorded(Ask("prune", (works,), {"keep": 1}), []))
    if choice < 0.25:
        return (yield from _see_history(client, works))
    return (yield from client.transacted(*_drawn(client, works, ground, value)))


def _roll_back(client: _Client, works: Any, value: int) -> Generator[Any, Any, bool]:
    try:
        page = yield Ask("history", (works,), {"limit": 10})
    except StoreError:
        return False
    own = [revision for revision in page if revision.uid == works.meta.uid]
    if not own:
        return True
    chosen = client.shift.random.choice(own)
    return (yield from _carried_out(client, Ask("plan_rollback", (works, chosen), {"note": str(value)})))


def _see_history(client: _Client, works: Any) -> Generator[Any, Any, bool]:
    def answered(page: Iterable[Any] | None) -> list[Step]:
        numbers = [(one.number, int(one.note)) for one in page or () if one.uid == works.meta.uid]
        return [["saw", _revisions_of(works), *max(numbers)]] if numbers else []

    call = client.shift.recorder.call(client.shift.name, [])
    return (yield from ask_and_record(call, Ask("history", (works,), {"limit": 10}), settles=False, answered=answered))


def _drawn(client: _Client, works: Any, ground: Any, value: int) -> list[Callable[[list[Step]], Script]]:
    """Draw the actions of a transaction: edits, then reads and a report, then transitions, which rest on the edits."""
    random = client.shift.random
    drawn: dict[str, Callable[[list[Step]], Script]] = {}
    for name in random.choices(*zip(*_ACTIONS.items(), strict=True), k=random.choice((1, 1, 2, 2, 3))):
        if name in PARTS:
            drawn[name] = partial(_edit_piece, Key("Piece", works.name, name), value, goes=random.random() < 0.2)
        elif name == "edit":
            drawn[name] = partial(_edit, works.key, value)
        elif name == "report":
            drawn[name] = partial(_report, works, value, sees=random.random() < 0.5)
        elif name == "see":
            drawn[name] = partial(_see, works)
        elif name == "switch":
            drawn[name] = partial(_switch, client, ground, value)
        else:
            step = _NEXT[client.states[works.key]] if random.random() < 0.7 else random.choice(tuple(_NEXT.values()))
            drawn[name] = partial(_move, client, works, step, value)
    return [drawn[name] for name in _ACTIONS if name in drawn]


_LOOKS: Final = 0.25
"""The share of operations before which a client looks, although it knows what was there."""
_ACTIONS: Final = {"a": 3, "b": 2, "edit": 1, "report": 3, "see": 1, "switch": 2, "move": 5}
"""The actions in their order within a transaction, and how often each is drawn."""
_NEXT: Final = {
    Phase.DRAFT: "approve",
    Phase.APPROVED: "start",
    Phase.STARTING: "started",
    Phase.RUNNING: "halt",
}
"""How a deployment goes on."""


def _edit_piece(key: Key, value: int, steps: list[Step], *, goes: bool) -> Script:
    (found,) = yield Ask("get_many", ([key],), {"missing_ok": True})
    if found is None:
        yield from _create(Piece(name=key.name, parent=Ref(f"Works/{key.segments[0]}"), value=value), steps)
    elif goes:
        steps.append(_saw(found))
        yield Ask("delete", (key,))
        steps.append(["gone", _object(found), None, None])
    else:
        yield from _changed(found, value, steps)


def _edit(key: Key, value: int, steps: list[Step]) -> Script:
    (found,) = yield Ask("get_many", ([key],), {"missing_ok": True})
    if found is not None:
        yield from _changed(found, value, steps)


def _changed(found: Any, value: int, steps: list[Step]) -> Script:
    steps.append(_saw(found))
    steps.append(_made((yield Ask("update", (found.model_copy(update={"value": value}),)))))


def _report(works: Any, value: int, steps: list[Step], *, sees: bool) -> Script:
    before = (yield Ask("status", (works, Gauge))) if sees else None
    if before is not None:
        steps.append(_saw(before))
    steps.append(_made((yield Ask("set_status", (Gauge(parent=works.ref, value=value),), {"observed": 1}))))


def _see(works: Any, steps: list[Step]) -> Script:
    """See the parts and the state of a deployment, and what is reported of it."""
    keys = [Key("Piece", works.name, part) for part in PARTS]
    found = yield Ask("get_many", (keys,), {"missing_ok": True})
    status = yield Ask("status", (works, Gauge))
    steps.extend(_saw(one) for one in (*found, status) if one is not None)
    yield from _see_state(works, steps)


def _switch(client: _Client, ground: Any, value: int, steps: list[Step]) -> Script:
    step = PowerLifecycle.on if client.states[ground.key] is Power.OFF else PowerLifecycle.off
    record = yield Ask("transition", (ground, step), {"note": str(value)})
    steps.append(["made", _lifecycle_of(ground), record.version, value])
    client.states[ground.key] = record.state


def _move(client: _Client, works: Any, name: str, value: int, steps: list[Step]) -> Script:
    """Make a transition of a deployment. What it rests on is not read before, so that it must see to that itself."""
    options: dict[str, Any] = {"note": str(value)}
    if name == "approve":
        options["digest"] = yield Ask("digest", (works,))
    if name == "started":
        record = yield Ask("lifecycle", (works,))
        steps.append(["saw", _lifecycle_of(works), record.version, None])
        options["operation"] = record.operation or "none"
    record = yield Ask("transition", (works, getattr(WorksLifecycle, name)), options)
    steps.append(["made", _lifecycle_of(works), record.version, value])
    if name == "approve":
        steps.append(["made", _revisions_of(works), record.revision, value])
    client.states[works.key] = record.state


# the end


def works_in(known: History) -> set[str]:
    """Return the names of all deployments in a history."""
    names = {step[1].partition("@")[0] for operation in known.operations for step in operation.steps}
    return {name.partition("/")[2] for name in names if name.startswith("Works/")}


def last_looks(shift: Shift, names: Iterable[str]) -> Client:
    """See every deployment, its ground, its parts and its status once more, and then every revision of it.

    Args:
        shift: The arguments of the client.
        names: The names of deployments, such as ``w1-0``.
    """
    client = _Client(shift)
    for name in sorted(names):
        works, ground = Key("Works", name), Key("Ground", f"g{name[1:]}")
        yield from client.transacted(partial(_look, client, works, ground))
        found = client.known.get(works)
        if found is not None:
            yield from client.transacted(partial(_see, found))
            yield from _see_history(client, found)
        yield from _see_revisions(client, works)
        if found is not None:
            yield from _see_what_is_kept(client, found)


def _see_what_is_kept(client: _Client, works: Any) -> Client:
    """Record whether the revisions that a prune has to keep are there: the newest, and the one that is approved."""
    record = yield Ask("lifecycle", (works,))
    kept = {record.revision} | ({record.approved.revision} if record.approved is not None else set())
    page = yield Ask("history", (works,), {"limit": 1000})
    there = {revision.number for revision in page if revision.uid == works.meta.uid}
    step = ["kept", _revisions_of(works), sorted(kept - {0}), sorted(there)]
    client.shift.recorder.call(client.shift.name, [step]).ends(Result.OK)


def _see_revisions(client: _Client, works: Key) -> Client:
    """Record what each revision holds: it is what its writer has seen."""
    after: str | None = None
    while True:
        page = yield Ask("history", (works,), {"after": after})
        for revision in page:
            content = yield Ask("revision", (works, revision))
            held = {key.text: document["value"] for key, document in content.documents.items()}
            step = ["held", f"{REVISION}/{works.text}@{revision.uid}", revision.number, int(revision.note), held]
            client.shift.recorder.call(client.shift.name, [step]).ends(Result.OK)
        after = page.next
        if after is None:
            return
