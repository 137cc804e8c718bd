"""What EMCO's races broke: orphans, dangling references, doubles, lost histories, objects that came back as ghosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store import AlreadyExists, Conflict, DeleteRestricted, Key, MissingReference, NotFound, Store
from emco_store.contracts.harness import Bench, Lab
from emco_store.ports import Commit, ReferrerQuery
from tests.breakages.interleaving import Script, interleave, meanwhile
from tests.breakages.models import (
    Action,
    Cluster,
    ClusterReference,
    CompositeApp,
    Group,
    Project,
    furnish,
)

REFUSALS = Conflict | DeleteRestricted | MissingReference | NotFound
PROJECT = Key("Project", "new")
CHILD = Key("CompositeApp", "new", "shop", "v1")
CLUSTER = Key("Cluster", "edge", "c1")
GROUP = Key("Group", "p", "shop", "v1", "g")


def only_a_project(store: Store) -> None:
    """Begin with a project and nothing in it."""
    store.create(Project(name="new"))


def create_child_after_looking(store: Store) -> Iterator[None]:
    """Do what EMCO's handler does: look for the parent, then insert the child."""
    with store.transaction() as tx:
        yield
        tx.get(PROJECT)
        yield
        tx.create(CompositeApp(parent=PROJECT, name="shop", version="v1"))
        yield


def create_child_without_looking(store: Store) -> Iterator[None]:
    """Insert the child and leave the look to the commit."""
    yield
    store.create(CompositeApp(parent=PROJECT, name="shop", version="v1"))


def delete_project_after_looking(store: Store) -> Iterator[None]:
    """Do what EMCO's handler does: look for children, then delete."""
    with store.transaction() as tx:
        yield
        children = tx.children(PROJECT)
        yield
        if not len(children):
            tx.delete(PROJECT)
        yield


def delete_project(store: Store) -> Iterator[None]:
    """Delete in a transaction, which reads the referrers by itself."""
    with store.transaction() as tx:
        yield
        tx.delete(PROJECT)
        yield


@pytest.mark.parametrize("delete", [delete_project_after_looking, delete_project])
@pytest.mark.parametrize("create", [create_child_after_looking, create_child_without_looking])
def test_b3_child_created_while_its_parent_is_deleted_is_never_an_orphan(bench: Bench, create, delete):
    """B3, OCC-10: Of a create and the delete of its parent one comes first and the other is refused, in every order."""
    ends = set()
    for run in interleave(bench, only_a_project, create, delete):
        stored = run.lab.records()
        assert [] == run.lab.dangling(), run.order
        assert (CHILD.text in stored) <= (PROJECT.text in stored), run.order
        assert run.winners >= 1, run.order
        assert all(isinstance(error, REFUSALS) for error in run.errors if error is not None), run.order
        ends.add(CHILD.text in stored)

    assert {True, False} == ends


def blockers_of_delete(store: Store, target: Key) -> set[Key]:
    """Delete, and give who refused it; nobody where it was done."""
    try:
        store.delete(target)
    except DeleteRestricted as blocked:
        return {blocker.referrer for blocker in blocked.blockers}
    return set()


@pytest.mark.parametrize("kind", [ReferrerQuery, Commit])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_b3_child_created_in_the_midst_of_a_delete_blocks_it_or_comes_too_late(lab: Lab, kind, moment):
    """B3, OCC-10: Whatever request of a delete a create comes next to, no orphan is left."""
    only_a_project(lab.store)
    child = CompositeApp(parent=PROJECT, name="shop", version="v1")
    late = meanwhile(lab, kind, moment, lambda other: other.create(child))

    blockers = blockers_of_delete(lab.store, PROJECT)

    assert ({CHILD} if late == [] else set()) == blockers
    assert [] == lab.dangling()
    assert (PROJECT.text in lab.records()) is (CHILD.text in lab.records())
    assert (CHILD.text in lab.records()) is (late == [])


def test_b3_interrupted_pair_can_be_deleted_again(lab: Lab):
    """B3: What a race leaves behind is deleted in the ordinary way: child first, or both at once."""
    only_a_project(lab.store)
    child = lab.store.create(CompositeApp(parent=PROJECT, name="shop", version="v1"))

    with pytest.raises(DeleteRestricted):
        lab.store.delete(PROJECT)
    lab.store.delete(PROJECT, child)

    assert {} == lab.records()


def put_project(description: str) -> Script:
    """Return a caller that puts the project, in a transaction that reads first."""

    def script(store: Store) -> Iterator[None]:
        with store.transaction() as tx:
            yield
            tx.put(Project(name="new", description=description))
            yield

    return script


def test_b7_puts_of_one_new_project_make_one(bench: Bench):
    """B7, ID-1: However the puts of a new resource meet, there is one of it, listed once, and it can be deleted."""
    for run in interleave(bench, lambda _: None, put_project("left"), put_project("right")):
        assert {PROJECT.text: run.winners} == {key: version for key, (version, _) in run.lab.state().items()}, run.order
        assert [PROJECT] == [project.key for project in run.lab.store.list(Project).resources]
        run.lab.store.delete(PROJECT)
        assert {} == run.lab.records()


def test_b7_four_puts_at_once_make_one(lab: Lab):
    """B7, ID-5: Four puts of which each commits in the midst of the one before leave one resource."""
    for _ in range(3):
        meanwhile(lab, Commit, "before", lambda other: other.put(Project(name="new", description="one of four")))

    lab.store.put(Project(name="new", description="one of four"))

    assert {PROJECT.text: 1} == {key: version for key, (version, _) in lab.state().items()}
    lab.store.delete(PROJECT)
    assert {} == lab.records()


def create_project(description: str) -> Script:
    """Return a caller that creates the project with its own description."""

    def script(store: Store) -> Iterator[None]:
        with store.transaction() as tx:
            yield
            tx.create(Project(name="new", description=description))
            yield

    return script


def test_b8_second_create_of_a_resource_is_told_that_it_exists(bench: Bench):
    """B8, ID-1: Of two creates one wins and stays as it is; the other is told so."""
    for run in interleave(bench, lambda _: None, create_project("left"), create_project("right")):
        winner = "left" if run.errors[0] is None else "right"
        (loser,) = [error for error in run.errors if error is not None]
        assert isinstance(loser, AlreadyExists), run.order
        assert winner == run.lab.store.get(Project, "new").description, run.order


def move_on(state: str) -> Script:
    """Return a caller that appends to the history of the group, as every action of EMCO's life cycle does."""

    def script(store: Store) -> Iterator[None]:
        group = store.get(Group, *GROUP.segments)
        yield
        history = [*group.history, Action(state=state)]
        store.update(group.model_copy(update={"history": history}))

    return script


def move_on_in_a_transaction(state: str) -> Script:
    """Return the same caller, with a transaction around it."""

    def script(store: Store) -> Iterator[None]:
        with store.transaction() as tx:
            yield
            group = tx.get(Group, *GROUP.segments)
            yield
            tx.put(group.model_copy(update={"history": [*group.history, Action(state=state)]}))
            yield

    return script


def delete_group(store: Store) -> Iterator[None]:
    """Delete the group."""
    yield
    store.delete(GROUP)


@pytest.mark.parametrize("move", [move_on, move_on_in_a_transaction])
def test_b11_change_of_a_deleted_group_leaves_no_ghost(bench: Bench, move):
    """B11, ID-4: A change that read the group before its delete does not bring it back, not even half of it."""
    for run in interleave(bench, furnish, move("Instantiated"), delete_group):
        assert run.errors[1] is None, run.order
        assert GROUP.text not in run.lab.records(), run.order
        assert () == run.lab.store.list(Group).items, run.order
        assert [] == run.lab.dangling(), run.order


def test_b11_parent_of_a_deleted_group_can_be_deleted(lab: Lab):
    """B11: After a change came too late, lists work, and what lies above can be deleted."""
    things = furnish(lab.store)
    lab.store.delete(things["group"])

    with pytest.raises(NotFound):
        lab.store.update(things["group"].model_copy(update={"history": [Action(state="Stopped")]}))

    lab.store.delete(things["app"], things["profile"], things["composite"])
    assert () == lab.store.list(CompositeApp).items


@pytest.mark.parametrize("move", [move_on, move_on_in_a_transaction])
def test_b9_two_changes_of_one_history_lose_no_entry(bench: Bench, move):
    """B9, OCC-1: Each entry of a history is there, or its writer was told that it lost."""
    for run in interleave(bench, furnish, move("Approved"), move("Stopped")):
        written = {action.state for action in run.lab.store.get(GROUP).history}
        expected = {state for state, error in zip(("Approved", "Stopped"), run.errors, strict=True) if error is None}
        assert expected == written, run.order
        assert all(isinstance(error, Conflict) for error in run.errors if error), run.order


def refer_to_cluster(store: Store) -> Iterator[None]:
    """Insert a cluster reference after a look at the cluster."""
    with store.transaction() as tx:
        yield
        tx.get(CLUSTER)
        yield
        tx.create(ClusterReference(parent="LogicalCloud/p/lc", name="r", cluster=CLUSTER))
        yield


def re_point_to_cluster(store: Store) -> Iterator[None]:
    """Point an existing reference to the cluster."""
    found = store.get(ClusterReference, "p", "lc", "old")
    yield
    store.update(found.model_copy(update={"cluster": CLUSTER}))


def delete_cluster(store: Store) -> Iterator[None]:
    """Delete the cluster after a look at who refers to it."""
    with store.transaction() as tx:
        yield
        referrers = tx.referrers(CLUSTER)
        yield
        if not len(referrers):
            tx.delete(CLUSTER)
        yield


def with_an_old_reference(store: Store) -> None:
    """Begin with a reference to another cluster."""
    furnish(store)
    spare = store.create(Cluster(parent="Provider/edge", name="spare"))
    store.create(ClusterReference(parent="LogicalCloud/p/lc", name="old", cluster=spare))


@pytest.mark.parametrize("refer", [refer_to_cluster, re_point_to_cluster])
def test_b16_reference_made_while_its_target_is_deleted_never_dangles(bench: Bench, refer):
    """B16, OCC-10: Of a new reference and the delete of its target one comes first, in every order."""
    ends = set()
    for run in interleave(bench, with_an_old_reference, refer, delete_cluster):
        assert [] == run.lab.dangling(), run.order
        assert run.winners >= 1, run.order
        assert all(isinstance(error, REFUSALS) for error in run.errors if error is not None), run.order
        ends.add(CLUSTER.text in run.lab.records())

    assert {True, False} == ends


@pytest.mark.parametrize("kind", [ReferrerQuery, Commit])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_b16_reference_made_in_the_midst_of_a_delete_never_dangles(lab: Lab, kind, moment):
    """B16, OCC-10: Whatever request of a delete a new reference comes next to, it blocks it or comes too late."""
    furnish(lab.store)
    new = ClusterReference(parent="LogicalCloud/p/lc", name="r", cluster=CLUSTER)
    late = meanwhile(lab, kind, moment, lambda other: other.create(new))

    blockers = blockers_of_delete(lab.store, CLUSTER)

    assert ({new.key} if late == [] else set()) == blockers
    assert [] == lab.dangling()
    assert (CLUSTER.text in lab.records()) is (new.key.text in lab.records())
    assert (new.key.text in lab.records()) is (late == [])
