"""What a crash or a lost reply could leave half done in EMCO: here all of it or nothing, at every request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store import (
    AlreadyExists,
    F,
    InvalidResource,
    Key,
    Outcome,
    RetryPolicy,
    Store,
    Unavailable,
    UnknownOutcome,
)
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Lab
from emco_store.ports import Commit, Get, ReferrerQuery
from tests.breakages.models import App, AppProfile, Cluster, Group, Intent, Kubeconfig, furnish

ONE_TRY = RetryPolicy(deadline_s=0.0, first_pause_s=0.0, longest_pause_s=0.0)
"""A caller that does not try again, so that the fault is what it sees."""


def create_group_with_its_intents(store: Store) -> None:
    """Create what EMCO creates in several writes: the object, its state and its content."""
    with store.transaction() as tx:
        profile = tx.get(Key("CompositeProfile", "p", "shop", "v1", "small"))
        group = tx.create(
            Group(parent="CompositeApp/p/shop/v1", name="new", profile=profile.key, cloud="LogicalCloud/p/lc")
        )
        tx.create(Intent(parent=group, name="i1", app="web"))
        tx.create(Intent(parent=group, name="i2", content="x" * 1000))


def create_cluster_with_kubeconfig(store: Store) -> None:
    """Create a cluster together with how it is reached."""

    def work(tx: Any) -> None:
        cluster = tx.create(Cluster(parent="Provider/edge", name="new"))
        tx.create(Kubeconfig(parent=cluster, name="admin", text={"clusters": ["$secret.name"]}))

    store.run(work)


def delete_group_with_its_intents(store: Store) -> None:
    """Delete a group, which takes its intents along."""
    store.delete(Key("Group", "p", "shop", "v1", "g"))


WORK: dict[str, tuple[Callable[[Store], None], frozenset[str]]] = {
    "create-a-group": (
        create_group_with_its_intents,
        frozenset({"Group/p/shop/v1/new", "Intent/p/shop/v1/new/i1", "Intent/p/shop/v1/new/i2"}),
    ),
    "create-a-cluster": (create_cluster_with_kubeconfig, frozenset({"Cluster/edge/new", "Kubeconfig/edge/new/admin"})),
    "delete-a-group": (delete_group_with_its_intents, frozenset({"Group/p/shop/v1/g", "Intent/p/shop/v1/g/i0"})),
}
FAULTS: dict[str, Callable[[Lab], None]] = {
    "read-not-answered": lambda lab: lab.faults.unreachable(Get),
    "referrers-not-answered": lambda lab: lab.faults.unreachable(ReferrerQuery),
    "commit-not-reached": lambda lab: lab.faults.unreachable(Commit),
    "commit-never-reached": lambda lab: lab.faults.unreachable(Commit, times=100),
    "request-lost": lambda lab: lab.faults.lose_request(),
    "reply-lost": lambda lab: lab.faults.lose_reply(),
    "every-request-lost": lambda lab: lab.faults.lose_request(times=100),
    "every-reply-lost": lambda lab: lab.faults.lose_reply(times=100),
    "client-dies-before-the-commit": lambda lab: lab.faults.do(Commit, _die),
    "client-dies-after-the-commit": lambda lab: lab.faults.do(Commit, _die, moment="after"),
}


def _die() -> None:
    raise ClientDied


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", WORK)
def test_b10_work_in_several_parts_is_done_whole_or_not_at_all(lab: Lab, name: str, fault: str):
    """B10, ATM-1 to ATM-5: Whatever is lost at whichever request, all parts are there or none, and it can go on."""
    work, parts = WORK[name]
    things = furnish(lab.store)
    lab.store.create(Intent(parent=things["group"], name="i0"))
    before = lab.state()
    FAULTS[fault](lab)

    txid = _attempt(work, lab)

    lab.faults.clear()
    changed = before.keys() ^ lab.state().keys()
    assert changed in (set(), parts)
    assert [] == lab.dangling()
    if txid is not None:
        assert (Outcome.COMMITTED if changed else Outcome.ABORTED) == lab.store.resolve(txid)
    if not changed:
        work(lab.store)
        assert parts == before.keys() ^ lab.state().keys()


def _attempt(work: Callable[[Store], None], lab: Lab) -> str | None:
    try:
        work(lab.open(retry=ONE_TRY))
    except UnknownOutcome as unknown:
        return unknown.txid
    except (Unavailable, ClientDied):
        return None
    return None


def test_b10_chart_that_is_too_large_leaves_no_app_behind(lab: Lab):
    """B10, BAD-3: A chart beyond the limit is refused before anything is written, and a smaller one is welcome."""
    things = furnish(lab.store)
    before = lab.state()
    lab.faults.clear()

    with pytest.raises(InvalidResource):
        lab.store.create(App(parent=things["composite"], name="big", chart="c" * 12_700_000))

    assert [] == lab.faults.requests
    assert before == lab.state()
    made = lab.store.create(App(parent=things["composite"], name="big", chart="c" * 1000))
    assert 1 == made.meta.version


def test_b10_repeat_after_a_lost_reply_is_no_second_create(lab: Lab):
    """B10, ATM-2: A create whose reply was lost is sent again and succeeds; it is not told that it exists already."""
    things = furnish(lab.store)
    lab.faults.lose_reply(times=2)

    made = lab.store.create(App(parent=things["composite"], name="sink"))

    assert made == lab.store.get(made)
    with pytest.raises(AlreadyExists):
        lab.store.create(App(parent=things["composite"], name="sink"))


@pytest.mark.parametrize("fault", ["request-lost", "reply-lost"])
def test_b10_look_up_by_a_field_finds_what_was_created(lab: Lab, fault: str):
    """B10, ATM-1: The values that a look-up goes by are written with the resource, never after it."""
    things = furnish(lab.store)
    FAULTS[fault](lab)

    made = lab.store.create(AppProfile(parent=things["profile"], name="for-web", app="web"))

    assert (made,) == lab.store.list(AppProfile, where=F.app == things["app"]).items
