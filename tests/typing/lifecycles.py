"""The types that a caller of lifecycles sees; the type checkers read this file, and nobody runs it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, assert_type

from emco_store import (
    AsyncStore,
    F,
    Lifecycle,
    LifecycleRecord,
    Ref,
    Resource,
    Store,
    Transaction,
    Transition,
    approved,
    content,
    hold,
    some,
    transition,
)


class CloudState(StrEnum):
    """The states of a cloud."""

    CREATED = "Created"
    UP = "Instantiated"
    DOWN = "Terminated"


class CloudLifecycle(Lifecycle[CloudState]):
    """The lifecycle of a cloud."""

    initial = CloudState.CREATED
    instantiate = transition({CloudState.CREATED, CloudState.DOWN}, to=CloudState.UP)
    terminate = transition(CloudState.UP, to=CloudState.DOWN)
    deletable = {CloudState.CREATED, CloudState.DOWN}
    frozen = {CloudState.UP: (F.level, F.name)}


class Cloud(Resource, lifecycle=CloudLifecycle):
    """A root with a lifecycle."""

    level: int = 0


class DigState(StrEnum):
    """The states of a group."""

    CREATED = "Created"
    APPROVED = "Approved"
    UP = "Instantiated"


class DigLifecycle(Lifecycle[DigState]):
    """The lifecycle of a group."""

    initial = DigState.CREATED
    scope = content(targets=(Cloud, "AppProfile"))
    approve = transition({DigState.CREATED, DigState.UP}, to=DigState.APPROVED, approves=True)
    instantiate = transition(DigState.APPROVED, to=DigState.UP, guards=[approved(), some("GroupIntent")])
    deletable = {DigState.CREATED, DigState.APPROVED}
    holds = {DigState.UP: [hold(F.cloud, needs=CloudState.UP)]}


class Dig(Resource, lifecycle=DigLifecycle):
    """A root that holds a cloud."""

    cloud: Ref[Cloud]


def transitions_know_their_states() -> None:
    assert_type(CloudLifecycle.instantiate, Transition[CloudState])
    assert_type(DigLifecycle.approve, Transition[DigState])


def record_has_the_states_of_its_lifecycle(store: Store, tx: Transaction, dig: Dig, cloud: Cloud) -> None:
    assert_type(store.transition(dig, DigLifecycle.approve, digest="sha256:0"), LifecycleRecord[DigState])
    assert_type(store.transition(cloud, CloudLifecycle.terminate).state, CloudState)
    assert_type(tx.transition(dig.ref, DigLifecycle.instantiate, note="CHG-7"), LifecycleRecord[DigState])
    assert_type(store.lifecycle(dig), LifecycleRecord[Any])


async def asyncio_has_the_same_types(store: AsyncStore, dig: Dig) -> None:
    assert_type(await store.transition(dig, DigLifecycle.instantiate), LifecycleRecord[DigState])


def transition_given_as_text_is_refused(store: Store, dig: Dig) -> None:
    store.transition(dig, "approve")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it is what is shown
