"""The verbs of lifecycles: ``lifecycle`` shows where a resource is, ``transition`` changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from emco_store import (
    InvalidCall,
    InvalidResource,
    Key,
    LifecycleRecord,
    Resource,
    Store,
    StoreError,
    SyncState,
    Transition,
    TransitionPlan,
)
from emco_store.cli.arguments import Options
from emco_store.cli.conditions import suggestion
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.graphs import Step, diagram_of, draw_state_dot, draw_state_mermaid, draw_state_tree, lifecycle_of
from emco_store.cli.hints import plan_in_commands
from emco_store.cli.opening import models, opened
from emco_store.cli.plans import coloured
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.cli.verbs import FORGETFUL

_PAGE = 1000


def lifecycle(options: Options, screen: Screen) -> Exit:
    """Show where a resource is in its lifecycle, and which transitions leave its state."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        model = _model_of(store, key)
        spec = lifecycle_of(model)
        record = store.lifecycle(key)
        state = _sync_state(store, key)
    steps = [step for step in diagram_of(model).steps if step.source == record.state.value]
    if options.output == "table":
        screen.show(*_card(record, state, steps, can_be_deleted=record.state in spec.deletable))
    else:
        value = plain_record(record) | {
            "transitions": [step.name for step in steps],
            "deletable": record.state in spec.deletable,
            "sync": _plain_sync(state),
        }
        screen.write(write_value(value, options.output))
    if isinstance(state, StoreError):
        screen.error(state)
    return Exit.REFUSED if isinstance(state, StoreError) else Exit.OK


def transition(options: Options, screen: Screen) -> Exit:
    """Make a transition of a resource, and show where it is then."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        step = _step_of(store, key, options.step)
        if options.plan:
            plan = store.plan_transition(key, step, operation=options.operation, note=options.note)
            return _show_plan(options, screen, plan)
        record = store.transition(
            key, step, digest=options.digest, operation=options.operation, note=options.note
        )  # fmt: skip
    if options.output == "table":
        screen.show(Text.assemble(key.text, ("  → ", "dim"), (str(record.state.value), "bold")))
        if record.operation is not None:
            screen.note(f"operation {record.operation} is under way")
    else:
        value = plain_record(record)
        screen.write(write_value(value, options.output))
    return Exit.OK


def draw_lifecycle(options: Options, screen: Screen) -> Exit:
    """Draw the lifecycle of a kind; where a store is given, with the numbers of resources in its states."""
    known = {model.__emco__.kind: model for model in models(options.models)}
    model = known.get(options.lifecycle)
    if model is None:
        with_one = [kind for kind, one in known.items() if one.__emco__.lifecycle is not None]
        raise InvalidCall(
            f"There is no kind {options.lifecycle!r:.80}.",
            why=["there is no model of it"],
            hint=suggestion(options.lifecycle, known) or f"kinds with a lifecycle: {', '.join(with_one) or 'none'}.",
        )
    diagram = diagram_of(model)
    if options.load or not options.store.startswith(FORGETFUL):
        with opened(options, screen) as store, screen.progress("Counting …"):
            diagram = diagram_of(model, _numbers(store, model))
    if options.format == "tree":
        screen.show(*draw_state_tree(diagram))
    else:
        screen.write((draw_state_mermaid if options.format == "mermaid" else draw_state_dot)(diagram))
    return Exit.OK


def _numbers(store: Store, model: type[Resource]) -> Mapping[str, int]:
    """Count the resources in each state, page by page."""
    numbers: dict[str, int] = {}
    for state in lifecycle_of(model).states:
        number = 0
        after: str | None = None
        while True:
            page = store.list(model, state=state, limit=_PAGE, after=after)
            number += len(page)
            after = page.next
            if after is None:
                break
        numbers[str(state.value)] = number
    return numbers


def _show_plan(options: Options, screen: Screen, plan: TransitionPlan[Any]) -> Exit:
    """Show what a transition would do; exit code 1 if it would be refused."""
    if options.output == "table":
        screen.show(*coloured(plan_in_commands(plan)))
    else:
        value = {
            "key": plan.key.text, "transition": plan.step.name, "state": str(plan.state.value),
            "to": str(plan.step.to.value), "digest": plan.digest, "members": [key.text for key in plan.members],
            "changes": [key.text for key in plan.changes], "refusals": list(plan.refusals),
        }  # fmt: skip
        screen.write(write_value(value, options.output))
    return Exit.REFUSED if plan.refusals else Exit.OK


def _model_of(store: Store, key: Key) -> type[Resource]:
    model = store.schema.model_of(key.kind)
    if model is None:
        known = [one.__emco__.kind for one in store.schema.models()]
        raise InvalidCall(
            f"There is no kind {key.kind!r:.80}.",
            why=["there is no model of it"],
            hint=suggestion(key.kind, known) or "give your own models with --models.",
        )
    return model


def _step_of(store: Store, key: Key, name: str) -> Transition[Any]:
    known: Mapping[str, Transition[Any]] = lifecycle_of(_model_of(store, key)).transitions
    if name not in known:
        raise InvalidCall(
            f"{key.kind} has no transition {name!r:.80}.",
            why=["its lifecycle does not declare it"],
            hint=suggestion(name, known) or f"name one of: {', '.join(known)}.",
        )
    return known[name]


def plain_record(record: LifecycleRecord[Any]) -> dict[str, Any]:
    """Return a lifecycle record as JSON values."""
    approved = record.approved
    return {
        "key": record.key.text,
        "state": str(record.state.value),
        "version": record.version,
        "since": None if record.since is None else record.since.isoformat(),
        "actor": record.actor,
        "note": record.note,
        "revision": record.revision,
        "approved": None if approved is None else approved.model_dump(mode="json"),
        "applied": record.applied,
        "operation": record.operation,
        "tags": dict(sorted(record.tags.items())),
    }


def _sync_state(store: Store, key: Key) -> SyncState | StoreError:
    """Return how what is written compares with what was approved, carried out and observed, or why that is unknown."""
    try:
        return store.sync_state(key)
    except (InvalidCall, InvalidResource) as problem:
        return problem


def _plain_sync(state: SyncState | StoreError) -> dict[str, Any] | None:
    if isinstance(state, StoreError):
        return None
    return {
        "words": list(state.words), "version": state.version, "digest": state.digest, "approved": state.approved,
        "applied": state.applied, "observed": dict(state.observed),
    }  # fmt: skip


def _card(
    record: LifecycleRecord[Any], state: SyncState | StoreError, steps: Sequence[Step], *, can_be_deleted: bool
) -> Iterator[RenderableType]:
    mark = ("can be deleted", "green") if can_be_deleted else ("locked", "red")
    yield Text.assemble((record.key.text, "bold"), "  ", (str(record.state.value), "bold"), "  ", mark)
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (*_facts(record), *_differences(state)):
        table.add_row(Text(name, style="dim"), Text(visible(value)))
    if table.row_count:
        yield Padding(table, (0, 0, 0, 2), expand=False)
    tree = Tree(Text("transitions from here" if steps else "no transition leaves this state", style="dim"))
    for step in steps:
        tree.add(Text.assemble(str(step), (" → ", "dim"), step.target))
    yield Padding(tree, (0, 0, 0, 2), expand=False)


def _facts(record: LifecycleRecord[Any]) -> Iterator[tuple[str, str]]:
    if record.since is not None:
        by = f" by {record.actor}" if record.actor else ""
        yield "since", f"{record.since:%Y-%m-%d %H:%M:%SZ}{by}"
    if record.note:
        yield "note", record.note
    if record.operation is not None:
        yield "operation", f"{record.operation}, under way"
    if record.revision:
        yield "newest revision", str(record.revision)
    if record.approved is not None:
        at = datetime.fromtimestamp(record.approved.at_us / 1_000_000, UTC)
        by = f" by {record.approved.actor}" if record.approved.actor else ""
        via = "" if record.approved.via is None else f", via revision {record.approved.via}"
        yield "approved", f"revision {record.approved.revision}{by} at {at:%Y-%m-%d %H:%M:%SZ}{via}"
    if record.applied is not None:
        yield "applied", f"revision {record.applied}"
    if record.tags:
        yield "tags", ", ".join(f"{name} = {number}" for name, number in sorted(record.tags.items()))


def _differences(state: SyncState | StoreError) -> Iterator[tuple[str, str]]:
    if isinstance(state, StoreError):
        return
    yield "sync", ", ".join(state.words) or "in sync"
    for writer, version in sorted(state.observed.items()):
        yield "observed", f"version {version} of {state.version} by {writer}"
