"""The demonstration: its steps, in order."""

from __future__ import annotations

from importlib.resources import files

from rich.text import Text

from emco_store import MemoryBackend, Resource, Store, connect
from emco_store.cli.arguments import Options
from emco_store.cli.demo import rules
from emco_store.cli.demo.approval import change_what_was_approved
from emco_store.cli.demo.leases import lose_a_worker
from emco_store.cli.demo.models import MODELS
from emco_store.cli.demo.race import NAMESPACE, OPERATIONS, run_race, take_census
from emco_store.cli.demo.stage import Stage
from emco_store.cli.exits import Exit
from emco_store.cli.graphs import draw_tree, graph_of_models
from emco_store.cli.screen import Screen
from emco_store.core.wording import count
from emco_store.emco import CATALOGUE, Report, apply_bundle, read_bundle

EXAMPLE = "edge.yaml"


def demo(_: Options, screen: Screen) -> Exit:
    """Show all steps. Nothing is kept."""
    stage = Stage(screen)
    stage.show(Text("emco_store: resources that refer to one another, and references that never break.", style="bold"))
    with connect("memory://", namespace="demo", models=CATALOGUE) as store:
        _apply_bundle(stage, store)
        _draw_references(stage, store)
    backend = MemoryBackend()
    with (
        connect(backend, namespace="demo", models=MODELS) as store,
        connect(backend, namespace="demo", models=MODELS) as other,
    ):
        rules.fill(store)
        rules.plan_a_delete(stage, store)
        rules.refuse_a_delete(stage, store)
        rules.catch_a_lost_update(stage, store, other)
        change_what_was_approved(stage, store)
    lose_a_worker(stage)
    is_whole = _race(stage, screen)
    _say_what_is_next(stage)
    return Exit.OK if is_whole else Exit.REFUSED


def read_example() -> str:
    """Return the text of the example bundle, which is part of the package."""
    return files("emco_store.cli").joinpath(EXAMPLE).read_text("utf-8")


def _apply_bundle(stage: Stage, store: Store) -> None:
    stage.step(
        "A deployment comes in as one bundle",
        "One file of EMCO documents, applied as one transaction: all of it, or nothing.",
    )
    stage.code('report = apply_bundle(store, read_bundle([("examples/edge.yaml", text)]))')
    bundle = read_bundle([(EXAMPLE, read_example())])
    first, again = apply_bundle(store, bundle), apply_bundle(store, bundle)
    kinds = len({key.kind for key in first.created})
    stage.show(
        Text(f"{count(len(first.created), 'resource')} of {count(kinds, 'kind')} created"),
        Text(f"{count(len(first.actions), 'action')} asked for, not carried out yet: {_verbs(first)}"),
    )
    stage.verdict(
        f"applied again it changes nothing: {len(again.unchanged)} unchanged, "
        f"{len(again.created)} created, {len(again.updated)} updated"
    )


def _verbs(report: Report) -> str:
    return ", ".join(f"{action.verb} {action.target.name}" for action in report.actions)


def _draw_references(stage: Stage, store: Store) -> None:
    stage.step(
        "Who refers to whom",
        "The kinds of that bundle: branches are parents, arrows are references, and each says what a delete does.",
    )
    kinds = {item.key.kind for item in store.list(Resource, limit=1000)}
    graph = graph_of_models(model for model in CATALOGUE if model.__emco__.kind in kinds)
    stage.show(*draw_tree(graph))
    parents = sum(arrow.is_parent for arrow in graph.arrows)
    stage.verdict(
        f"{len(graph.boxes)} of {count(len(CATALOGUE), 'kind')}, {count(parents, 'parent')}, "
        f"{count(len(graph.arrows) - parents, 'place')} of references: declared in the models, checked at each commit"
    )


def _race(stage: Stage, screen: Screen) -> bool:
    stage.step(
        "Two services at once",
        f"One creates apps, clusters and placements that refer to them; the other deletes clusters, apps and whole "
        f"versions. {OPERATIONS} transactions each, in two threads, 1 ms of network on every request.",
    )
    with screen.progress("Two services are at work …"):
        backend, score = run_race()
    backend.hook = None
    with connect(backend, namespace=NAMESPACE, models=MODELS) as store:
        census = take_census(store)
    refused = ", ".join(f"{number} {name}" for name, number in sorted(score.refusals.items()))
    stage.show(
        Text(f"{2 * OPERATIONS} transactions: {score.commits} committed, {score.refusals.total()} refused ({refused})"),
        Text(f"{score.repeats} attempts lost a race and were repeated by run()"),
        Text(f"{census.resources} resources are left, with {census.references} references"),
    )
    if census.dangling:
        stage.show(Text(f"✗ {census.dangling} dangling: the store has broken its promise", style="bold red"))
    else:
        stage.verdict("every reference of every document looked up: 0 dangling")
    return not census.dangling


def _say_what_is_next(stage: Stage) -> None:
    stage.step("What to do next", "Everything above is a few calls of the library, or one command:")
    commands = (
        ("emco-store apply -f examples/edge.yaml --store URL", "the bundle, into a store that keeps it"),
        ("emco-store graph --format dot | dot -Tsvg > models.svg", "all of EMCO's kinds as one picture, with Graphviz"),
        ("emco-store graph Project/harbour --load examples/edge.yaml", "the data around one resource"),
        ("emco-store delete Project/harbour --plan --load examples/edge.yaml", "what would block a delete"),
        ("emco-store --help", "all verbs, and what the exit codes mean"),
    )
    for command, purpose in commands:
        stage.show(Text.assemble(("$ ", "dim"), (command, "bold")), Text(f"    {purpose}", style="dim"))
