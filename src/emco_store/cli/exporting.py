"""The verbs ``export`` and ``import``: resources leave a namespace and come back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from emco_store import Conflict, Export, Imported, ImportPlan, InvalidCall, Key, Resource, Store, StoreError
from emco_store.cli.arguments import Options
from emco_store.cli.bundles import read_files
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json, write_yaml
from emco_store.cli.opening import models, opened, warn_forgetful
from emco_store.cli.plans import coloured
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen
from emco_store.core.wording import count
from emco_store.emco import AppliedBundle, write_bundle
from emco_store.errors import shown

PASSES = 5
"""How often an export as a bundle starts again because resources changed while it read them."""


def export(options: Options, screen: Screen) -> Exit:
    """Write the resources of the namespace, or those under one, in the order of their keys."""
    under = None if options.under is None else read_key(options.under)
    if options.format == "emcoctl":
        return _export_bundle(options, screen, under)
    with opened(options, screen) as store, screen.progress("Reading …"):
        found = store.export(under=under)
    if options.format == "jsonl":
        screen.write(found.text)
    else:
        screen.write(_written(found, options.format))
    screen.note(f"{count(found.resources, 'resource')} exported")
    _note_the_rest(found, screen)
    return Exit.OK


def import_(options: Options, screen: Screen) -> Exit:
    """Create what exports hold, or show what that would do."""
    texts = read_files(options.file)
    known = models(options.models) if options.models else ()
    with opened(options, screen, known=known) as store:
        with screen.progress("Comparing …"):
            plan = store.plan_import(_lines(texts), replace=options.replace)
        if options.plan:
            screen.show(*coloured(str(plan)))
            if plan.refusal is not None:
                screen.error(plan.refusal)
            return Exit.OK if plan.refusal is None else Exit.REFUSED
        done = _carried_out(store, plan, screen)
    screen.show(str(done))
    warn_forgetful(options, screen)
    return Exit.OK


def _carried_out(store: Store, plan: ImportPlan, screen: Screen) -> Imported:
    """Carry a plan out; if it does not end well, say how far it came."""
    done = plan.begun
    with screen.progress("Importing …") as say:

        def tell(now: Imported) -> None:
            nonlocal done
            done = now
            say(f"Importing … {now}")

        try:
            return store.import_(plan, progress=tell)
        except (StoreError, KeyboardInterrupt):
            if done.created or done.updated:
                screen.note(f"before that: {done}; the same command goes on from there")
            raise


def _lines(texts: Sequence[tuple[str, str]]) -> list[str]:
    return [line for _, text in texts for line in text.split("\n")]


def _written(found: Export, form: str) -> str:
    """Return keys and documents, sorted, for people and other programs."""
    items = [{name: item[name] for name in ("key", "document")} for item in map(json.loads, found.lines[1:])]
    if form == "yaml":
        return "".join(f"---\n{write_yaml(item, sort_keys=True)}" for item in items)
    lines = (write_json(item, indent=None, sort_keys=True) for item in items)
    return "[\n" + ",\n".join(lines) + "\n]\n" if items else "[]\n"


def _note_the_rest(found: Export, screen: Screen) -> None:
    """Say what an import will need, and what no export holds."""
    if found.outside:
        names = ", ".join(shown([str(key) for key in found.outside]))
        screen.note(f"note: it refers to {count(len(found.outside), 'resource')} outside, which must be there: {names}")
    if found.left_out:
        screen.note(f"note: the namespace also holds {', '.join(found.left_out)}, which no export holds")


def _export_bundle(options: Options, screen: Screen, under: Key | None) -> Exit:
    if under is not None:
        raise InvalidCall(
            "Cannot export a part of a namespace as a bundle.",
            why=["--under and --format emcoctl are both given"],
            hint="use --format jsonl, yaml or json.",
        )
    with opened(options, screen) as store, screen.progress("Reading …"):
        items = [item for item in snapshot(store) if item.key.kind != AppliedBundle.__emco__.kind]
    screen.write(write_bundle(_typed(items)))
    screen.note(f"{count(len(items), 'resource')} exported")
    return Exit.OK


def snapshot(store: Store) -> list[Any]:
    """Read all resources as of one moment, in the order of their keys.

    Pages are read one after another, so one pass may show resources of different moments. If two passes see the same
    versions, that was the state between them.

    Raises:
        Conflict: Resources kept changing.
        InvalidResource: A document cannot be read. Leaving it out would lose it.
    """
    before = _pass(store)
    for _ in range(PASSES):
        items = _pass(store)
        if [(item.key, item.meta.uid, item.meta.version) for item in items] == [
            (item.key, item.meta.uid, item.meta.version) for item in before
        ]:
            return items
        before = items
    raise Conflict(
        "Cannot export: resources changed while they were read.",
        why=[f"{PASSES + 1} passes did not see the same state twice"],
        hint="run the export again when fewer services write.",
        keys=(),
    )


def _pass(store: Store) -> list[Any]:
    items: list[Any] = []
    after: str | None = None
    while True:
        page = store.list(Resource, limit=1000, after=after)
        for problem in page.errors:
            raise problem
        items += page.resources
        after = page.next
        if after is None:
            return sorted(items, key=lambda item: item.key)


def _typed(items: list[Any]) -> list[Resource]:
    strange = sorted({item.key.kind for item in items if not isinstance(item, Resource)})
    if strange:
        raise InvalidCall(
            "Cannot write these resources as a bundle.",
            why=[f"these kinds have no model here: {', '.join(strange)}"],
            hint="use --format jsonl, yaml or json, which need no models.",
        )
    return items
