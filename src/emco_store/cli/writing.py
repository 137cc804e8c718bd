"""The verbs that write: ``apply`` and ``delete``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from emco_store import InvalidCall, Key, Plan, Store, StoreError
from emco_store.cli.arguments import Options
from emco_store.cli.bundles import read_files
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json, write_yaml
from emco_store.cli.opening import opened, warn_forgetful
from emco_store.cli.plans import coloured, show_plan
from emco_store.cli.reading import read_key
from emco_store.cli.reports import report_lines
from emco_store.cli.screen import Screen
from emco_store.cli.waiting import Waiting
from emco_store.core.wording import count
from emco_store.emco import Bundle, RunPlan, apply_bundle, plan_bundle_delete, plan_run, read_bundle, run_bundle


def apply(options: Options, screen: Screen) -> Exit:
    """Apply bundles as one transaction, and show what happened to each resource; with ``--run``, in their order."""
    bundle = read_bundle(read_files(options.file))
    if options.run and not options.yes and not sys.stdin.isatty():
        raise InvalidCall(
            "Cannot ask whether to carry out the actions.",
            why=["the standard input is not a terminal"],
            hint="read the plan with --plan first, then give --yes.",
        )
    with opened(options, screen) as store:
        if options.run or options.plan:
            return _run(options, screen, store, bundle)
        with screen.progress("Applying …"):
            report = apply_bundle(store, bundle)
    screen.show(*report_lines(report))
    warn_forgetful(options, screen)
    return Exit.OK


def _run(options: Options, screen: Screen, store: Store, bundle: Bundle) -> Exit:
    """Show what a bundle would do with its actions; then carry it out, if that is wanted and nothing is refused."""
    plan = plan_run(store, bundle, waits=options.wait > 0)
    screen.show(*coloured(str(plan)))
    if plan.refusals or options.plan:
        return Exit.REFUSED if plan.refusals else Exit.OK
    if not options.yes and not _is_wanted(screen, plan):
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


def _is_wanted(screen: Screen, plan: RunPlan) -> bool:
    screen.note(f"Carry out {count(len(plan.actions), 'action')}? Type yes to continue:")
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
        screen.write(write_json(value) + "\n" if options.output == "json" else write_yaml(value))
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
