"""The types that a caller of a store sees; the type checkers read this file, and nobody runs it."""

from __future__ import annotations

from typing import Annotated, Any, assert_type

from emco_store import (
    CASCADE,
    REMOVE,
    SET_NULL,
    AsyncStore,
    AsyncTransaction,
    Condition,
    F,
    InvalidResource,
    Iteration,
    Key,
    Outcome,
    Page,
    Plan,
    Ref,
    Resource,
    Status,
    Store,
    Transaction,
    connect,
    connect_async,
    on_delete,
    unique,
    yes,
)


class Project(Resource):
    """A root."""


class App(Resource, parent=Project, on_parent_delete=CASCADE):
    """A child."""

    chart: Annotated[str, unique()] = ""


class Cluster(Resource, key=("region", "name")):
    """Another root, with two names of its own."""

    region: str


class Placement(Resource, parent=Project):
    """A resource with references of every shape."""

    app: Ref[App]
    either: Ref[App | Cluster]
    clusters: Annotated[list[Ref[Cluster]], on_delete(REMOVE)] = []
    standby: Annotated[Ref[Cluster] | None, on_delete(SET_NULL)] = None


class PlacementStatus(Status, of=Placement, writer="scheduler"):
    """What is observed of a placement."""

    runs_on: list[Ref[Cluster]] = []


def a_status_has_its_class(store: Store, tx: Transaction, placement: Placement) -> None:
    status = PlacementStatus(parent=placement, conditions={"Ready": yes("Up")})
    assert_type(store.set_status(status, observed=placement), PlacementStatus)
    assert_type(tx.set_status(status, observed=3), PlacementStatus)
    assert_type(store.status(placement, PlacementStatus), PlacementStatus | None)
    assert_type(tx.status(placement.key, PlacementStatus), PlacementStatus | None)
    assert_type(store.statuses(placement), tuple[Any, ...])
    assert_type(store.condition(placement, "Ready", by=PlacementStatus), Condition)
    assert_type(store.condition(placement, "Ready").is_true, bool)
    assert_type(status.conditions["Ready"].value, bool | None)
    assert_type(status.observed, int)
    store.set_status(placement, observed=1)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]  # it is no status
    store.status(placement, Placement)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]  # it is no class of statuses


async def a_status_has_its_class_when_awaited(store: AsyncStore, placement: Placement) -> None:
    assert_type(await store.set_status(PlacementStatus(parent=placement), observed=1), PlacementStatus)
    assert_type(await store.status(placement, PlacementStatus), PlacementStatus | None)


def resources_are_made_of_what_pydantic_takes(project: Project) -> None:
    app = App(parent=project, name="sink")
    assert_type(app, App)
    assert_type(app.name, str)
    assert_type(app.parent, Ref[Any])
    assert_type(app.parent.key, Key)
    assert_type(app.parent.name, str)
    assert_type(app.key.name, str)
    assert_type(app.key, Key)
    assert_type(app.ref, Ref[App])
    assert_type(Placement(parent=project.key, name="web", app="sink", either=app, clusters=["eu/c1"]), Placement)


def get_gives_the_class_that_was_asked_for(store: Store, placement: Placement, key: Key) -> None:
    assert_type(store.get(App, "p1", "sink"), App)
    assert_type(store.get(App, "p1", "sink", if_version=1), App)
    assert_type(store.get(placement.app), App)
    assert_type(store.get(placement.either), App | Cluster)
    assert_type(store.get(placement.ref), Placement)
    assert_type(store.get(placement), Placement)
    assert_type(store.get(key), Any)
    assert_type(store.get_many([placement, placement.app, key]), tuple[Any, ...])


def get_many_gives_the_class_of_its_targets(
    store: Store, tx: Transaction, placement: Placement, key: Key, apps: tuple[App, ...]
) -> None:
    assert_type(store.get_many(placement.clusters), tuple[Cluster, ...])
    assert_type(store.get_many(placement.clusters, missing_ok=True), tuple[Cluster | None, ...])
    assert_type(store.get_many([placement.app]), tuple[App, ...])
    assert_type(store.get_many(apps), tuple[App, ...])
    assert_type(store.get_many(apps, missing_ok=True), tuple[App | None, ...])
    assert_type(store.get_many([key, key]), tuple[Any, ...])
    assert_type(tx.get_many(placement.clusters), tuple[Cluster, ...])
    assert_type(tx.get_many(placement.clusters, missing_ok=True), tuple[Cluster | None, ...])


def writes_keep_the_class(store: Store, app: App) -> None:
    assert_type(store.create(app), App)
    assert_type(store.patch(app, {"chart": "web-2"}), App)
    assert_type(store.patch(app, lambda found: found.model_copy(update={"chart": f"{found.chart}-2"})), App)
    assert_type(store.patch(app.ref, lambda found: found.model_copy(update={"chart": "web-2"})), App)
    assert_type(store.patch(app.key, {"chart": "web-2"}), Any)
    assert_type(store.exists(App, "p1", "web"), bool)
    assert_type(store.count(App, where=F.chart == ""), int)
    assert_type(store.kinds(), tuple[str, ...])
    assert_type(store.update(app.model_copy(update={"chart": "sink-1.3"})), App)
    assert_type(store.put(app, if_version=1), App)


def pages_know_what_they_hold(store: Store, project: Project) -> None:
    page = store.list(App, parent=project, where=F.chart == "sink-1.3", order_by="name", limit=50, after=None)
    assert_type(page, Page[App])
    assert_type(page.resources, tuple[App, ...])
    assert_type(page.errors, tuple[InvalidResource, ...])
    assert_type(page.next, str | None)
    assert_type(list(page), list[App])
    assert_type(page.items, tuple[App | InvalidResource, ...])
    assert_type(store.list(Resource), Page[Resource])
    assert_type(store.list("App"), Page[Any])
    assert_type(store.iterate(App, parent=project), Iteration[App])
    assert_type(store.iterate(App, unreadable="give"), Iteration[App | InvalidResource])
    assert_type(store.iterate("App", unreadable="skip"), Iteration[Any])
    assert_type([app.chart for app in store.iterate(App, unreadable="skip")], list[str])
    assert_type(store.children(project), Page[Any])
    assert_type(store.referrers(project.key), Page[Any])


def fields_of_a_model_have_its_types(store: Store) -> None:
    fields = F(App)
    assert_type(fields.chart, str)
    assert_type(fields.parent.name, str)
    store.list(App, where=fields.chart == "web")
    store.list(App, where=[fields.chart == "web", F(fields.chart).in_(["a"]), fields.chart.startswith("w")])
    store.count(App, where=(fields.name == "a") | ~F.chart.startswith("a") | F.labels["a.b"].is_set())
    fields.charts  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # a misspelt name


def run_gives_what_its_function_gives(store: Store) -> None:
    def fn(tx: Transaction) -> App:
        assert_type(tx.list(App, stable=False), Page[App])
        assert_type(tx.list("App", stable=False), Page[Any])
        return tx.update(tx.get(App, "p1", "sink"))

    assert_type(store.run(fn), App)
    assert_type(store.run(lambda tx: tx.put(Project(name="p1"))), Project)


def plans_and_outcomes_have_their_own_types(store: Store, project: Project) -> None:
    plan = store.plan_delete(project, project.key, project.ref)
    assert_type(plan, Plan)
    store.apply(plan)
    assert_type(store.resolve("txid"), Outcome)


def connect_gives_the_blocking_store() -> None:
    with connect("memory://", namespace="demo") as store:
        assert_type(store, Store)
        with store.transaction() as tx:
            assert_type(tx, Transaction)
            assert_type(tx.get(App, "p1", "sink"), App)


async def connect_async_gives_the_same_types_awaited(app: App) -> None:
    async with connect_async("memory://", namespace="demo") as store:
        assert_type(store, AsyncStore)
        assert_type(await store.get(App, "p1", "sink"), App)
        assert_type(await store.get(app.ref), App)
        assert_type(await store.get(app), App)
        assert_type(await store.create(app), App)
        assert_type(await store.update(app), App)
        assert_type(await store.put(app), App)
        assert_type(await store.get_many([app.ref]), tuple[App, ...])
        assert_type(await store.get_many([app.ref], missing_ok=True), tuple[App | None, ...])
        assert_type((await store.list(App)).resources, tuple[App, ...])
        assert_type(await store.list("App"), Page[Any])
        async with store.transaction() as tx:
            assert_type(tx, AsyncTransaction)
            assert_type(await tx.get(app.ref), App)
        assert_type(await store.run(lambda tx: tx.get(App, "p1", "sink")), App)


def wrong_calls_are_refused(store: Store, app: App) -> None:
    store.get("App/p1/sink")  # type: ignore[call-overload]  # text alone does not say a class
    store.create(app.key)  # type: ignore[type-var]  # a key is no resource
    store.list(5)  # type: ignore[call-overload]  # neither a model nor a kind
    store.delete("App/p1/sink")  # type: ignore[arg-type]  # text is no key
