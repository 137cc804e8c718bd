"""Calls of lifecycles, histories and statuses that cannot work, and records of theirs that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from emco_store import (
    AlreadyExists,
    Conflict,
    ContentChanged,
    DeleteRestricted,
    FlawKind,
    InvalidCall,
    InvalidModel,
    InvalidResource,
    Key,
    Lifecycle,
    NotFound,
    NotPermitted,
    Ref,
    Resource,
    StateForbids,
    TransitionRefused,
    check as function_guard,
    transition,
    yes,
)
from emco_store.core.lifecycle_records import standing_key
from emco_store.ports import Commit, Get
from tests.bad_input import lives
from tests.bad_input.case import NAMESPACE, Case, World, check, table
from tests.bad_input.lives import (
    CLOUD,
    DEPLOYMENT,
    PART,
    Cloud,
    CloudLifecycle,
    CloudStatus,
    Deployment,
    DeploymentLifecycle,
    DeploymentStatus,
    Part,
    Power,
    Stage,
)
from tests.bad_input.models import Zone

MOLTEN = b'{"state":"Molten","frozen":["region"]}'
"""A lifecycle record in a state that nobody has declared here."""
RESERVED = Key("emco__Lifecycle", "Cloud", "c")
NO_TEXT: dict[str, Any] = {
    "a-number": 5,
    "bytes": b"CHG-7",
    "a-list": ["CHG-7"],
    "half-a-character": "\ud800",
    "a-control-character": "a\x00b",
    "a-novel": "x" * 1001,
}
NO_TAG: dict[str, Any] = {
    "nothing": "",
    "now": "now",
    "a-number-as-text": "3",
    "none": None,
    "a-space": "a b",
    "a-line": "stable\n",
    "a-long-text": "a" * 64,
    "half-a-character": "\ud800",
}
NO_REVISION: dict[str, Any] = {**NO_TAG, "zero": 0, "a-negative-number": -1, "true": True, "a-fraction": 1.5}
NO_VERSION: dict[str, Any] = {"zero": 0, "a-negative-number": -1, "a-text": "1", "true": True, "none": None}
BY_KEY: dict[str, Callable[[Any, Key], object]] = {
    "get": lambda store, key: store.get(key),
    "get-many": lambda store, key: store.get_many([key]),
    "delete": lambda store, key: store.delete(key),
    "plan-delete": lambda store, key: store.plan_delete(key),
    "children": lambda store, key: store.children(key),
    "referrers": lambda store, key: store.referrers(key),
    "transition": lambda store, key: store.transition(key, CloudLifecycle.turn_on),
    "plan-transition": lambda store, key: store.plan_transition(key, CloudLifecycle.turn_on),
    "lifecycle": lambda store, key: store.lifecycle(key),
    "digest": lambda store, key: store.digest(key),
    "history": lambda store, key: store.history(key),
    "revision": lambda store, key: store.revision(key, 1),
    "diff": lambda store, key: store.diff(key, 1),
    "tag": lambda store, key: store.tag(key, 1, "stable"),
    "untag": lambda store, key: store.untag(key, "stable"),
    "prune": lambda store, key: store.prune(key),
    "rollback": lambda store, key: store.plan_rollback(key, 1),
    "restore": lambda store, key: store.plan_restore(key),
    "trail": lambda store, key: store.trail(key),
    "prune-trail": lambda store, key: store.prune_trail(key),
    "status": lambda store, key: store.status(key, CloudStatus),
    "statuses": lambda store, key: store.statuses(key),
    "condition": lambda store, key: store.condition(key, "Ready"),
    "sync-state": lambda store, key: store.sync_state(key),
}
OF_LIFECYCLES = ("transition", "plan-transition", "lifecycle")
OF_HISTORY = ("digest", "history", "revision", "diff", "tag", "untag", "prune", "rollback", "restore")


def known(*cases: Case) -> pytest.MarkDecorator:
    """Run a test once for each case, with a store that knows the models."""
    return table(*[case if case.given else replace(case, given=lives.create) for case in cases])


def _approve(world: World, **given: Any) -> object:
    return world.store.transition(DEPLOYMENT, DeploymentLifecycle.approve, **given)


def _turn_on(world: World, **given: Any) -> object:
    return world.store.transition(CLOUD, CloudLifecycle.turn_on, **given)


def _started(world: World, **given: Any) -> object:
    with world.store.acting(actor="worker"):
        return world.store.transition(DEPLOYMENT, DeploymentLifecycle.started, **given)


def _act(world: World, **given: Any) -> object:
    with world.store.acting(**given):
        return world.store.create(Zone(name="never"))


@known(
    *(
        Case(
            f"{name}-as-transition",
            "LIF-2",
            partial(lambda w, step: w.store.transition(DEPLOYMENT, step), step=step),
            InvalidCall,
        )
        for name, step in {
            "one-of-another-lifecycle": CloudLifecycle.turn_on,
            "its-name": "approve",
            "a-state": Stage.APPROVED,
            "the-class": DeploymentLifecycle,
            "none": None,
        }.items()
    ),
    Case("plan-of-a-name", "LIF-2", lambda w: w.store.plan_transition(DEPLOYMENT, "approve"), InvalidCall),
    Case("transition-of-a-text", "LIF-2", lambda w: w.store.transition("Cloud/c", CloudLifecycle.turn_on), InvalidCall),
    Case("transition-of-none", "LIF-2", lambda w: w.store.transition(None, CloudLifecycle.turn_on), InvalidCall),
    Case("approve-without-digest", "LIF-10", _approve, InvalidCall),
    *(
        Case(f"approve-with-{name}", "LIF-10", partial(_approve, digest=digest), InvalidCall)
        for name, digest in {
            "an-empty-digest": "",
            "a-word": "latest",
            "a-number": 5,
            "bytes": b"sha256:0",
            "half-a-character": "\ud800",
            "a-digest-and-a-line": "sha256:0\n",
        }.items()
    ),
    Case("digest-for-another-transition", "LIF-10", partial(_turn_on, digest="sha256:0"), InvalidCall),
    Case("end-without-operation", "LIF-8", _started, InvalidCall),
    Case("end-with-an-empty-operation", "LIF-8", partial(_started, operation=""), InvalidCall),
    Case("end-with-half-a-character", "LIF-8", partial(_started, operation="\ud800"), InvalidCall),
    Case("operation-for-another-transition", "LIF-8", partial(_turn_on, operation="o"), InvalidCall),
    *(Case(f"note-with-{name}", "LIF-4", partial(_turn_on, note=note), InvalidCall) for name, note in NO_TEXT.items()),
    *(
        Case(
            f"rollback-with-{name}-as-note",
            "HIS-1",
            partial(lambda w, note: w.store.plan_rollback(DEPLOYMENT, 1, note=note), note=note),
            InvalidCall,
        )
        for name, note in NO_TEXT.items()
    ),
    Case(
        "writer-who-is-another",
        "LIF-12",
        lambda w: w.store.transition(DEPLOYMENT, DeploymentLifecycle.started, operation="o"),
        NotPermitted,
        {"actor": "", "writers": ("worker",)},
    ),
    *(
        Case(
            f"list-by-{name}",
            "LIF-1",
            partial(lambda w, state: w.store.list(Cloud, state=state), state=state),
            InvalidCall,
        )
        for name, state in {
            "a-text": "On",
            "a-state-of-another-kind": Stage.DRAFT,
            "several-states": [Power.ON, Power.OFF],
            "a-number": 1,
        }.items()
    ),
    Case("list-by-state-without-lifecycle", "LIF-1", lambda w: w.store.list(Zone, state=Power.ON), InvalidCall),
)
def test_bad_transition_is_refused(case: Case, world: World):
    """LIF: A call that no state could make right is refused before anything is read."""
    check(case, world)


@known(
    *(
        Case(f"{verb}-of-a-reserved-key", "RES-1", partial(lambda w, ask: ask(w.store, RESERVED), ask=ask), InvalidCall)
        for verb, ask in BY_KEY.items()
    ),
    *(
        Case(
            f"{verb}-without-lifecycle",
            "LIF-1" if verb in OF_LIFECYCLES else "HIS-1",
            partial(lambda w, ask: ask(w.store, w.zone.key), ask=BY_KEY[verb]),
            InvalidCall,
        )
        for verb in (*OF_LIFECYCLES, *OF_HISTORY)
    ),
    Case("list-of-a-reserved-kind", "RES-1", lambda w: w.store.list("emco__Lifecycle"), InvalidCall),
    Case("create-of-a-status", "RES-1", lambda w: w.store.create(DeploymentStatus(parent=DEPLOYMENT)), InvalidCall),
    Case("delete-of-a-status", "RES-1", lambda w: w.store.delete(DeploymentStatus(parent=DEPLOYMENT)), InvalidCall),
    Case("list-of-statuses", "RES-1", lambda w: w.store.list(DeploymentStatus), InvalidCall),
    Case(
        "reference-to-a-reserved-record",
        "RES-1",
        lambda w: w.store.create(Deployment(name="d", cloud=Ref(RESERVED))),
        InvalidResource,
    ),
    Case("class-of-a-reserved-kind", "RES-1", lambda _: type("emco__Own", (Resource,), {}), InvalidModel),
    *(
        Case(f"acting-with-{name}-as-reason", "WHO-4", partial(_act, reason=text), InvalidCall)
        for name, text in NO_TEXT.items()
    ),
    *(
        Case(f"acting-with-{name}-as-actor", "WHO-4", partial(_act, actor=text), InvalidCall)
        for name, text in {**NO_TEXT, "nothing": "", "a-line": "a\nb"}.items()
    ),
)
def test_what_cannot_be_named_is_refused(case: Case, world: World):
    """RES-1, WHO-4: Records of the store's own are in no call; who acts is a text that can be shown."""
    check(case, world)


@known(
    *(
        Case(
            f"{verb}-of-{name}",
            "HIS-1",
            partial(lambda w, ask, which: ask(w.store, which), ask=ask, which=which),
            InvalidCall,
        )
        for verb, ask in {
            "revision": lambda store, which: store.revision(DEPLOYMENT, which),
            "diff": lambda store, which: store.diff(DEPLOYMENT, which, "now"),
            "rollback": lambda store, which: store.plan_rollback(DEPLOYMENT, which),
            "tag": lambda store, which: store.tag(DEPLOYMENT, which, "stable"),
        }.items()
        for name, which in NO_REVISION.items()
    ),
    *(
        Case(
            f"{verb}-named-{name}",
            "HIS-1",
            partial(lambda w, ask, tag: ask(w.store, tag), ask=ask, tag=tag),
            InvalidCall,
        )
        for verb, ask in {
            "tag": lambda store, tag: store.tag(DEPLOYMENT, 1, tag),
            "untag": lambda store, tag: store.untag(DEPLOYMENT, tag),
        }.items()
        for name, tag in NO_TAG.items()
    ),
    *(
        Case(
            f"prune-to-{name}",
            "HIS-11",
            partial(lambda w, keep: w.store.prune(DEPLOYMENT, keep=keep), keep=keep),
            InvalidCall,
        )
        for name, keep in {"zero": 0, "a-negative-number": -1, "a-text": "5", "true": True, "none": None}.items()
    ),
    Case("history-of-zero", "HIS-5", lambda w: w.store.history(DEPLOYMENT, limit=0), InvalidCall),
    Case("history-after-a-word", "HIS-5", lambda w: w.store.history(DEPLOYMENT, after="x"), InvalidCall),
    Case(
        "leave-out-a-text", "HIS-6", lambda w: w.store.plan_rollback(DEPLOYMENT, 1, leave_out="Part/d/p"), InvalidCall
    ),
    Case(
        "leave-out-one-resource",
        "HIS-6",
        lambda w: w.store.plan_rollback(DEPLOYMENT, 1, leave_out=Part(parent=DEPLOYMENT, name="p")),
        InvalidCall,
    ),
)
def test_bad_call_of_a_history_is_refused(case: Case, world: World):
    """HIS: What names no revision, no tag and no number is refused before anything is read."""
    check(case, world)


@known(
    *(
        Case(
            f"observed-{name}",
            "GEN-3",
            partial(
                lambda w, version: w.store.set_status(DeploymentStatus(parent=DEPLOYMENT), observed=version),
                version=version,
            ),
            InvalidCall,
        )
        for name, version in NO_VERSION.items()
    ),
    Case(
        "observed-another-resource",
        "GEN-3",
        lambda w: w.store.set_status(DeploymentStatus(parent=DEPLOYMENT), observed=w.zone),
        InvalidCall,
    ),
    Case("report-of-a-resource", "GEN-2", lambda w: w.store.set_status(w.zone, observed=1), InvalidCall),
    Case("report-of-none", "GEN-2", lambda w: w.store.set_status(None, observed=1), InvalidCall),
    Case(
        "report-without-resource",
        "GEN-2",
        lambda w: w.store.set_status(DeploymentStatus(), observed=1),
        InvalidResource,
    ),
    Case("status-of-another-kind", "GEN-2", lambda w: w.store.status(DEPLOYMENT, CloudStatus), InvalidCall),
    Case("status-of-a-resource-class", "GEN-2", lambda w: w.store.status(DEPLOYMENT, Deployment), InvalidCall),
    Case("condition-without-a-name", "GEN-4", lambda w: w.store.condition(DEPLOYMENT, ""), InvalidCall),
    Case(
        "condition-by-another-kind", "GEN-4", lambda w: w.store.condition(CLOUD, "R", by=DeploymentStatus), InvalidCall
    ),
    Case(
        "condition-that-is-true-itself",
        "BAD-6",
        lambda _: DeploymentStatus(parent=DEPLOYMENT, conditions={"Ready": True}),
        InvalidResource,
    ),
    Case(
        "reason-with-half-a-character",
        "BAD-6",
        lambda w: w.store.set_status(
            DeploymentStatus(parent=DEPLOYMENT, conditions={"Ready": yes("\ud800")}), observed=1
        ),
        InvalidResource,
    ),
)
def test_bad_status_is_refused(case: Case, world: World):
    """GEN: A report that no resource could make right is refused before anything is read."""
    check(case, world)


@known(
    Case(
        "observed-beyond-the-version",
        "GEN-3",
        lambda w: w.store.set_status(DeploymentStatus(parent=DEPLOYMENT), observed=9),
        InvalidCall,
        must_read=True,
        given=lives.create,
    ),
    Case(
        "observed-an-earlier-version",
        "GEN-3",
        lambda w: w.store.set_status(DeploymentStatus(parent=DEPLOYMENT), observed=1),
        Conflict,
        {"pinned": True},
        must_read=True,
        given=lives.report_twice,
    ),
    Case(
        "content-that-nobody-looked-at",
        "LIF-10",
        partial(_approve, digest="sha256:0"),
        ContentChanged,
        {"digest": "sha256:0", "key": DEPLOYMENT},
        must_commit=True,
        given=lives.create,
    ),
    Case(
        "transition-from-another-state",
        "LIF-2",
        lambda w: w.store.transition(DEPLOYMENT, DeploymentLifecycle.stop),
        TransitionRefused,
        {"state": "Draft", "allowed": ("approve",), "transition": "stop"},
        must_read=True,
        given=lives.create,
    ),
    Case(
        "report-of-an-operation-that-never-was",
        "LIF-8",
        partial(_started, operation="o"),
        TransitionRefused,
        {"state": "Starting"},
        must_read=True,
        given=lives.start,
    ),
    Case(
        "target-that-is-held",
        "LIF-6",
        lambda w: w.store.transition(CLOUD, CloudLifecycle.turn_off),
        TransitionRefused,
        {"state": "On"},
        must_read=True,
        given=lives.start,
    ),
    Case(
        "field-that-is-frozen",
        "LIF-7",
        lambda w: w.store.put(Cloud(name="c", region="us")),
        StateForbids,
        {"state": "On", "frozen": ("region",)},
        must_read=True,
        given=lives.start,
    ),
    Case(
        "delete-of-what-runs",
        "LIF-5",
        lambda w: w.store.delete(DEPLOYMENT),
        DeleteRestricted,
        must_read=True,
        given=lives.start,
    ),
    Case(
        "transition-of-what-is-not-there",
        "LIF-4",
        _turn_on,
        NotFound,
        {"keys": (CLOUD,)},
        must_read=True,
        given=lives.learn,
    ),
    Case(
        "rollback-to-what-was-never-recorded",
        "HIS-1",
        lambda w: w.store.plan_rollback(DEPLOYMENT, 7),
        NotFound,
        must_read=True,
        given=lives.approve,
    ),
    Case(
        "rollback-of-what-is-gone",
        "HIS-6",
        lambda w: w.store.plan_rollback(DEPLOYMENT, 1),
        NotFound,
        must_read=True,
        given=lives.delete,
    ),
    Case(
        "restore-of-what-is-there",
        "HIS-8",
        lambda w: w.store.plan_restore(DEPLOYMENT),
        AlreadyExists,
        {"key": DEPLOYMENT},
        must_read=True,
        given=lives.create,
    ),
    Case(
        "restore-without-history",
        "HIS-8",
        lambda w: w.store.plan_restore(DEPLOYMENT),
        NotFound,
        must_read=True,
        given=lives.learn,
    ),
    Case(
        "forget-what-is-there",
        "HIS-11",
        lambda w: w.store.prune(DEPLOYMENT, forget=True),
        AlreadyExists,
        {"key": DEPLOYMENT},
        must_read=True,
        given=lives.approve,
    ),
    Case(
        "untag-what-has-no-tag",
        "HIS-1",
        lambda w: w.store.untag(DEPLOYMENT, "stable"),
        NotFound,
        must_read=True,
        given=lives.approve,
    ),
)
def test_call_that_only_the_data_makes_wrong_is_refused(case: Case, world: World):
    """LIF, HIS, GEN: A call that the data makes wrong is one clear error, and writes nothing."""
    check(case, world)


def test_every_reason_of_a_refusal_has_its_hint(world: World):
    """LIF-2: A refusal names every reason, and for each what can be done about it."""
    lives.approve(world)
    world.store.update(world.store.get(DEPLOYMENT).model_copy(update={"title": "bad"}))
    world.store.delete(PART)

    with pytest.raises(TransitionRefused) as caught:
        world.store.transition(DEPLOYMENT, DeploymentLifecycle.start)

    assert [
        "approved(): revision 1, which was approved, is not the content now; 2 of 3 changed: Deployment/d, Part/d/p",
        "some(Part): 0 of 1 that are needed below it",
        "hold cloud: Cloud/c is Off, On is needed",
        "check(has_no_second_name): its title is bad",
    ] == list(caught.value.reasons)
    assert [
        'store.diff(key, 1, "now") shows the change',
        "approve it (approve), or roll back",
        "create 1 more Part below Deployment/d",
        "bring Cloud/c to On (turn_on).",
    ] == caught.value.hint.split("; ")


# records that cannot be read


def _damage(world: World, key: Key, document: bytes) -> None:
    port = world.backend.port(NAMESPACE)
    record = port.ask(Get((key,)))[key]
    broken = replace(record, version=record.version + 1, document=document)
    port.ask(Commit(f"damage-{broken.version}", {key: record.stamp}, puts=(broken,)))


@pytest.mark.parametrize("document", [b"{", b"7", b'{"state":7}', MOLTEN, b"\xff"])
def test_lifecycle_record_that_cannot_be_read_fails_closed(world: World, document: bytes):
    """LIF-3, LIF-5, HIS-12: Nothing moves or thaws by it, its edge still keeps the resource, and a check names it."""
    lives.start(world)
    _damage(world, standing_key(CLOUD), document)
    before = world.dump()

    for call in (
        lambda: world.store.transition(CLOUD, CloudLifecycle.turn_off),
        lambda: world.store.plan_transition(CLOUD, CloudLifecycle.turn_off),
        lambda: world.store.lifecycle(CLOUD),
    ):
        with pytest.raises(InvalidResource) as caught:
            call()
        assert caught.value.hint
    with pytest.raises(InvalidResource if document != MOLTEN else StateForbids):
        world.store.put(Cloud(name="c", region="us"))
    with pytest.raises(DeleteRestricted):
        world.store.delete(CLOUD)

    assert before == world.dump()
    assert [(FlawKind.INVALID, standing_key(CLOUD).text)] == [
        (flaw.kind, flaw.key) for flaw in world.store.check().flaws
    ]


def test_member_that_cannot_be_read_is_content_by_its_bytes(world: World):
    """LIF-11, HIS-6: Another text in it is another content, and a rollback puts the recorded one in its place."""
    lives.approve(world)
    digests = {world.store.digest(DEPLOYMENT)}
    for document in (b"{", b"[", b"\xff"):
        _damage(world, PART, document)
        digests.add(world.store.digest(DEPLOYMENT))
    assert 4 == len(digests)

    plan = world.store.plan_rollback(DEPLOYMENT, 1)
    world.store.apply(plan)

    assert [PART] == [change.key for change in plan.updates]
    assert "" == world.store.get(PART).image


# classes


@pytest.mark.parametrize("answer", [True, 7, "", ["no"]])
def test_function_that_answers_with_something_else_is_refused(world: World, answer: object):
    """LIF-2: A guard's function returns None or a reason; anything else is a mistake, and never a yes."""

    class BoxLifecycle(Lifecycle[Power]):
        initial = Power.OFF
        turn_on = transition(Power.OFF, to=Power.ON, guards=[function_guard(lambda *_: answer)])
        deletable = frozenset({Power.OFF, Power.ON})

    class Box(Resource, lifecycle=BoxLifecycle):
        pass

    box = world.store.create(Box(name="b"))
    world.asked.clear()

    check(
        Case(
            "answer",
            "LIF-2",
            lambda w: w.store.transition(box, BoxLifecycle.turn_on),
            InvalidCall,
            must_read=True,
        ),
        world,
    )
