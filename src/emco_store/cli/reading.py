"""The verbs that only read: ``get``, ``list``, ``count`` and ``graph``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emco_store import InvalidCall, InvalidResource, Key, Resource, Store
from emco_store.cli.arguments import Options
from emco_store.cli.conditions import read_condition, suggestion
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.graphs import (
    MAX_BOXES,
    Graph,
    draw_dot,
    draw_mermaid,
    draw_tree,
    graph_around,
    graph_of_models,
)  # fmt: skip
from emco_store.cli.items import META, card_of, plain, table_of
from emco_store.cli.opening import models, opened
from emco_store.cli.paths import Path, read_path
from emco_store.cli.screen import Screen
from emco_store.core.reserved import refuse_reserved
from emco_store.core.schema import Schema

_DRAWERS: Mapping[str, Callable[[Graph], str]] = {"mermaid": draw_mermaid, "dot": draw_dot}


def get(options: Options, screen: Screen) -> Exit:
    """Show resources by their keys."""
    keys = [read_key(text) for text in options.keys]
    with opened(options, screen) as store:
        items = store.get_many(keys)
    if options.output == "table":
        for number, item in enumerate(items):
            screen.show(*([""] if number else []), card_of(item))
    else:
        screen.write(write_value({"items": [plain(item) for item in items]}, options.output))
    return Exit.OK


def list_(options: Options, screen: Screen) -> Exit:
    """List a page of a kind; a document that cannot be read is shown as an error, and makes the exit code 1."""
    refuse_reserved(options.kind)
    columns = None if options.columns is None else [read_path(text.strip()) for text in options.columns.split(",")]
    with opened(options, screen) as store:
        model = store.schema.model_of(options.kind)
        for path in columns or ():
            _check_column(path, model)
        page = store.list(
            model or options.kind,
            under=None if options.under is None else read_key(options.under),
            where=[read_condition(text, model) for text in options.where],
            order_by=options.order_by,
            limit=options.limit,
            after=options.after,
        )
        if model is None and not page.items and options.after is None:
            raise _unknown_kind(options.kind, store)
    if options.output == "table":
        screen.show(*([table_of(page.items, columns)] if page.items else []))
        screen.note(f"{len(page.items)} shown" + (f"; the next page: --after {page.next}" if page.next else ""))
    else:
        value = {"items": [plain(item) for item in page.items], "next": page.next}
        screen.write(write_value(value, options.output))
    for problem in page.errors:
        screen.error(problem)
    return Exit.REFUSED if page.errors else Exit.OK


def count_(options: Options, screen: Screen) -> Exit:
    """Write how many resources of a kind there are."""
    refuse_reserved(options.kind)
    with opened(options, screen) as store:
        model = store.schema.model_of(options.kind)
        number = store.count(
            model or options.kind,
            under=None if options.under is None else read_key(options.under),
            where=[read_condition(text, model) for text in options.where],
        )
        if model is None and not number and not store.count(options.kind):
            raise _unknown_kind(options.kind, store)
    screen.write(f"{number}\n")
    return Exit.OK


def graph(options: Options, screen: Screen) -> Exit:
    """Draw the models, or the data around one key."""
    if options.depth < 0:
        raise InvalidCall(
            f"--depth {options.depth} is less than 0.", hint="give the number of steps from KEY, for example 2."
        )
    if options.key is None:
        drawn = graph_of_models(Schema(models(options.models)).models())
    else:
        key = read_key(options.key)
        with opened(options, screen) as store, screen.progress("Following references …"):
            drawn = graph_around(store, key, depth=options.depth)
    if options.format == "tree":
        screen.show(*draw_tree(drawn))
    else:
        screen.write(_DRAWERS[options.format](drawn))
    if drawn.cut:
        screen.note(
            f"note: {drawn.cut} or more resources beyond the first {MAX_BOXES} are not drawn; a smaller --depth helps"
        )
    return Exit.OK


def read_key(text: str) -> Key:
    """Parse a key from the command line.

    Raises:
        InvalidCall: It is not a key, or one of the store's own records.
    """
    try:
        key = Key.parse(text)
    except InvalidResource as problem:
        raise InvalidCall(
            f"{text!r:.200} is not a key.",
            why=problem.why if "/" in text else ["it has a kind and no name"],
            hint="write the kind and all names, starting from the root, for example App/p1/vfw/v1/sink.",
        ) from problem
    refuse_reserved(key.kind)
    return key


def _check_column(path: Path, model: type[Resource] | None) -> None:
    """Refuse a column that no resource of a kind can have."""
    if model is None or model.model_config.get("extra") == "allow":
        return
    known = META if path[0] == "meta" else model.model_fields
    name = str(path[1] if path[0] == "meta" and len(path) > 1 else path[0])
    if name not in known:
        raise InvalidCall(
            f"Cannot show the column {'.'.join(map(str, path))!r:.80}.",
            why=[f"{'meta' if path[0] == 'meta' else model.__emco__.kind} has no field {name!r:.80}"],
            hint=suggestion(name, known) or f"name one of: {', '.join(known)}.",
        )


def _unknown_kind(kind: str, store: Store) -> InvalidCall:
    known = [model.__emco__.kind for model in store.schema.models()]
    return InvalidCall(
        f"There is no kind {kind!r:.80}.",
        why=["there is no model and no resource of it"],
        hint=suggestion(kind, known) or f"name one of: {', '.join(known)}.",
    )
