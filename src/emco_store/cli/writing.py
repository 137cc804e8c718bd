"""The verbs that write: ``apply`` and ``delete``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from emco_store import InvalidCall, Key, Plan, Store, StoreError, TransactionPlan
from emco_store.cli.arguments import Options
from emco_store.cli.bundles import read_files
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.opening import opened, warn_forgetful
from emco_store.cli.plans import coloured, show_plan
from emco_store.cli.reading import read_key
from emco_store.cli.reports import report_lines
from emco_store.cli.screen import Screen
from emco_store.cli.waiting import Waiting
from emco_store.core.wording import count
from emco_store.emco import (
    Bundle,
    Report,
    apply_bundle,
    plan_bundle,
    plan_bundle_delete,
    plan_run,
    read_bundle,
    run_bundle,
)


def apply(options: Options, screen: Screen) -> Exit:
    """Apply bundles as one transaction, and show what happened to each resource; with ``--run``, in their order."""
    bundle = read_bundle(read_files(options.file))
    if (options.run or options.prune or options.ask) and not (options.yes or options.plan) and not sys.stdin.isatty():
        raise InvalidCall(
            f"Cannot ask whether to {'carry out the actions' if options.run else 'apply it'}.",
            why=["the standard input is not a terminal"],
            hint="read the plan with --plan first, then give --yes.",
        )
    with opened(options, screen) as store:
        if options.run:
            return _run(options, screen, store, bundle)
        if options.plan:
            return _show(options, screen, store, bundle)
        by_plan = options.prune or options.ask
        report = (_by_plan if by_plan else _applied)(options, screen, store, bundle)
    if report is None:
        screen.note("nothing was done")
        return Exit.OK
    screen.show(*report_lines(report))
    warn_forgetful(options, screen)
    return Exit.OK


def _applied(options: Options, screen: Screen, store: Store, bundle: Bundle) -> Report | None:
    with screen.progress("Applying …"):
        return apply_bundle(store, bundle, name=options.name)


def _show(options: Options, screen: Screen, store: Store, bundle: Bundle) -> Exit:
    """Show what applying a bundle would do, and what its actions would do."""
    with screen.progress("Comparing …"):
        plan = plan_bundle(store, bundle, name=options.name, prune=options.prune)
    _show_changes(screen, plan)
    if plan.refusal is not None:
        screen.error(plan.refusal)
    actions = plan_run(store, bundle, waits=options.wait > 0) if bundle.actions else None
    if actions is not None:
        screen.show(*coloured(str(actions)))
    is_refused = plan.refusal is not None or (actions is not None and bool(actions.refusals))
    return Exit.REFUSED if is_refused else Exit.OK


def _show_changes(screen: Screen, plan: TransactionPlan[Report]) -> None:
    screen.show(*coloured(str(plan)))
    report = plan.result
    same = f"{count(len(report.unchanged), 'resource')} stay as they are"
    screen.show(f"  {same if len(report.unchanged) != 1 else '1 resource stays as it is'}")
    screen.show(*(f"  = {key}  (another bundle holds it, too)" for key in report.kept))


def _by_plan(options: Options, screen: Screen, store: Store, bundle: Bundle) -> Report | None:
    """Apply a plan; show it first and ask, if that is wanted or something would be deleted. None: it is not wanted."""
    with screen.progress("Comparing …"):
        plan = plan_bundle(store, bundle, name=options.name, prune=options.prune)
    if plan.refusal is None and (plan.deletes or options.ask) and not options.yes:
        _show_changes(screen, plan)
        goes = f", and delete {count(len(plan.deletes), 'resource')}" if plan.deletes else ""
        if not _is_yes(screen, f"Apply it{goes}?"):
            return None
    with screen.progress("Applying …"):
        return store.apply(plan)


def _run(options: Options, screen: Screen, store: Store, bundle: Bundle) -> Exit:
    """Show what a bundle would do with its actions; then carry it out, if that is wanted and nothing is refused."""
    plan = plan_run(store, bundle, waits=options.wait > 0)
    screen.show(*coloured(str(plan)))
    if plan.refusals or options.plan:
        return Exit.REFUSED if plan.refusals else Exit.OK
    if not options.yes and not _is_yes(screen, f"Carry out {count(len(plan.actions), 'action')}?"):
        screen.note("nothing was done")
        return Exit.OK
    wait = Waiting(store, screen, options.wait) if options.wait else None
    try:
        with screen.progress("Carrying out …"):
            report = run_bundle(store, bundle, wait=wait)
    except StoreError as problem:
        done = problem.fields.get("report")
        screen.note(f"before that: {done}" if done is not None else "nothing was done")
        raise
    screen.show(*str(report).split("\n"))
    warn_forgetful(options, screen)
    if wait is None:
        return Exit.OK
    with screen.progress("Waiting …"):
        return wait.finish(dict.fromkeys(one.record.key for one in report.done))


def _is_yes(screen: Screen, question: str) -> bool:
    screen.note(f"{question} Type yes to continue:")
    return sys.stdin.readline().strip().lower() == "yes"


def delete(options: Options, screen: Screen) -> Exit:
    """Delete resources, or show the plan. The plan that is shown is the plan that is applied."""
    keys = [read_key(text) for text in options.keys]
    texts = read_files(options.file)
    with opened(options, screen) as store:
        plan, absent = _planned(store, read_bundle(texts)) if texts else _plan_keys(store, keys, options)
        if not options.plan:
            store.apply(plan)
    for key in absent:
        screen.note(f"does not exist, skipped: {key}")
    if options.plan:
        return show_plan(options, screen, plan)
    done = plan.figures
    gone, changed = sum(done.deleted.values()), sum(done.changed.values())
    if options.output != "table":
        value = {"deleted": dict(done.deleted), "changed": dict(done.changed), "missing": [key.text for key in absent]}
        screen.write(write_value(value, options.output))
        return Exit.OK
    screen.show(f"{count(gone, 'resource')} deleted, {count(changed, 'resource')} changed")
    return Exit.OK


def _plan_keys(store: Store, keys: Sequence[Key], options: Options) -> tuple[Plan, tuple[Key, ...]]:
    """Plan the delete of keys, and say which of them do not exist where they need not."""
    plan = store.plan_delete(*keys, missing_ok=options.missing_ok)
    named = {deletion.key for deletion in plan.deletes if deletion.via is None}
    return plan, tuple(key for key in dict.fromkeys(keys) if key not in named)


def _planned(store: Store, bundle: Bundle) -> tuple[Plan, tuple[Key, ...]]:
    """Plan the delete of a bundle, and report the resources that do not exist."""
    found = plan_bundle_delete(store, bundle)
    return found.plan, found.absent
