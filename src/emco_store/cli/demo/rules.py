"""The steps of the demonstration about delete rules and versions, on a small application."""

from __future__ import annotations

from rich.text import Text

from emco_store import Conflict, DeleteRestricted, Key, Ref, Store, Transaction
from emco_store.cli.demo.models import App, Cluster, CompositeApp, Placement, Project, Provider
from emco_store.cli.demo.stage import Stage, source_of
from emco_store.cli.plans import plan_tree
from emco_store.core.wording import count

_PROJECT = Key("Project", "shop")
_CLUSTER = Key("Cluster", "edge", "c1")
_OLD = Key("CompositeApp", "shop", "web", "v1")
_KEPT = Key("Placement", "shop", "web", "v2", "everywhere")
_APP = Key("App", "shop", "web", "v2", "cart")


def fill(store: Store) -> None:
    """Create two versions of an application, and the clusters that they run on, in one transaction."""
    with store.transaction() as tx:
        project = tx.create(Project(name="shop", description="A shop in two versions"))
        provider = tx.create(Provider(name="edge"))
        clusters = [tx.create(Cluster(parent=provider, name=f"c{n}", region="eu")) for n in (1, 2, 3)]
        for version in ("v1", "v2"):
            above = tx.create(CompositeApp(parent=project, name="web", version=version))
            apps = [tx.create(App(parent=above, name=name, chart=f"{name}-{version}")) for name in ("cart", "front")]
            tx.create(
                Placement(parent=above, name="everywhere", app=apps[0], clusters=clusters[:2], standby=clusters[0])
            )


def plan_a_delete(stage: Stage, store: Store) -> None:
    """Show the plan of a delete that cascades, then apply it."""
    stage.step(
        "A delete, planned before it happens",
        "Delete rules stand in the models. A plan shows all that they would do, and writes nothing.",
    )
    stage.code("\n".join(source_of(model) for model in (App, Placement)).rstrip())
    stage.code("plan = store.plan_delete(version_1, cluster_1)")
    before = store.get(_KEPT)
    plan = store.plan_delete(_OLD, _CLUSTER)
    stage.show(plan_tree(plan))
    stage.gap()
    stage.code("store.apply(plan)   # all of it, or refused because something has moved")
    store.apply(plan)
    after = store.get(_KEPT)
    for name in ("clusters", "standby"):
        old, new = (_texts(getattr(placement, name)) for placement in (before, after))
        stage.show(Text(f"{_KEPT}  {name}: {old} → {new}"))
    stage.verdict(
        f"{count(len(plan.deletes), 'resource')} went, {len({change.key for change in plan.updates})} was changed, "
        f"in one commit: its version went from {before.meta.version} to {after.meta.version}"
    )


def refuse_a_delete(stage: Stage, store: Store) -> None:
    """Show that the refusal of a delete names all blockers."""
    stage.step(
        "A delete that would break something", "It is refused, and the error names every blocker, not the first."
    )
    stage.code("store.delete(cart, project)")
    try:
        store.delete(_APP, _PROJECT)
    except DeleteRestricted as problem:
        stage.error(problem)
        stage.verdict(f"nothing was written; error.blockers holds {len(problem.blockers)} of them")


def catch_a_lost_update(stage: Stage, store: Store, other: Store) -> None:
    """Show that of two readers of one version the second writer is refused, and that ``run`` repeats it.

    Args:
        stage: Where to show it.
        store: The store.
        other: Another store on the same data, as another service would have.
    """
    stage.step(
        "A lost update, caught",
        "Two services read the same version and both write: the second would undo the first without having seen it.",
    )
    stage.code(
        "first, second = store.get(cart), other.get(cart)\n"
        'store.update(first.model_copy(update={"replicas": first.replicas + 1}))\n'
        'other.update(second.model_copy(update={"replicas": second.replicas + 1}))'
    )
    first, second = store.get(_APP), other.get(_APP)
    store.update(_with_one_more(first))
    try:
        other.update(_with_one_more(second))
    except Conflict as problem:
        stage.error(problem)
        stage.gap()
    stage.code("other.run(add_a_replica)   # in a transaction, and again from its read on when it loses a race")
    attempts = 0

    def add_a_replica(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        app = tx.get(_APP)
        if attempts == 1:
            store.update(_with_one_more(store.get(_APP)))  # the other service commits between the read and the commit
        tx.update(_with_one_more(app))

    other.run(add_a_replica)
    replicas = store.get(_APP).replicas
    stage.verdict(f"{attempts} attempts, and nothing is lost: {first.replicas} replica and 3 more make {replicas}")


def _with_one_more(app: App) -> App:
    return app.model_copy(update={"replicas": app.replicas + 1})


def _texts(value: Ref[Cluster] | list[Ref[Cluster]] | None) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_texts(item) for item in value)}]"
    return "null" if value is None else value.text
