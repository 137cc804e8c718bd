"""Items: resources as plain values, as tables and as cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from emco_store import InvalidResource, Resource, Untyped
from emco_store.cli.formats import write_json, write_yaml
from emco_store.cli.paths import Path, value_at
from emco_store.cli.screen import visible
from emco_store.core.codec import draft
from emco_store.core.documents import LARGEST_MAX_BYTES, decode
from emco_store.core.evolution import without_stamp

META = ("uid", "version", "created_at", "updated_at", "actor", "reason", "operation")
"""What is shown of the metadata of a resource."""
MAX_COLUMNS = 6
"""Maximum number of fields in a table."""


def document_of(item: Resource | Untyped) -> dict[str, Any]:
    """Return the document as it would be stored: in the newest form, with whole references and sorted sets."""
    if isinstance(item, Untyped):
        return item.document
    return without_stamp(decode(draft(item, max_bytes=LARGEST_MAX_BYTES).document))


def plain(item: Any) -> dict[str, Any]:
    """Return a resource as JSON values; for one that cannot be read, its key and the problems."""
    if isinstance(item, InvalidResource):
        return {"key": str(item.key), "error": {"code": item.code, "problems": list(item.problems)}}
    return {"key": item.key.text, "meta": _meta_of(item), "document": document_of(item)}


def _meta_of(item: Resource | Untyped) -> dict[str, Any]:
    values = {name: getattr(item.meta, name) for name in META}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def table_of(items: Sequence[Any], columns: Sequence[Path] | None = None) -> Table:
    """Build a table with a line for each resource.

    Args:
        items: The resources, and errors in place of those that cannot be read.
        columns: The fields to show beside the key. Default: version, time and the most informative fields.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    documents = [{} if isinstance(item, InvalidResource) else document_of(item) for item in items]
    names = [".".join(map(str, path)) for path in columns] if columns is not None else _columns(items, documents)
    for heading in ("key", *(("version", "updated") if columns is None else ()), *names):
        table.add_column(visible(heading).upper(), no_wrap=True, overflow="ellipsis", justify="left")
    for item, document in zip(items, documents, strict=True):
        if isinstance(item, InvalidResource):
            reason = Text(visible("; ".join(item.problems)), style="red")
            table.add_row(Text(str(item.key)), *([Text("!", style="red")] if columns is None else []), reason)
        elif columns is not None:
            values = {**document, "meta": _meta_of(item)}
            table.add_row(Text(item.key.text), *(Text(_cell(value_at(values, path))) for path in columns))
        else:
            cells = [Text(_cell(document.get(name))) for name in names]
            updated = Text(_time(item.meta.updated_at), style="dim")
            table.add_row(Text(item.key.text), str(item.meta.version), updated, *cells)
    return table


def _columns(items: Sequence[Any], documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Choose the fields to show: those with values, single values first, without the fields of the key."""
    said = {name for item in items if isinstance(item, Resource) for name in type(item).__emco__.key_fields} | {"name"}
    weights: dict[str, bool] = {}
    for document in documents:
        for name, value in document.items():
            if name not in said and value not in (None, "", [], {}):
                weights[name] = weights.get(name, False) or isinstance(value, dict | list)
    return sorted(weights, key=weights.__getitem__)[:MAX_COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else write_json(_filled(value), indent=None)
    text = visible(text.replace("\n", "⏎"))
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - short enough for one line


def _filled(value: Any) -> Any:
    """Leave out null values, which tell a person nothing."""
    if isinstance(value, list):
        return [_filled(inner) for inner in cast("Any", value)]
    if isinstance(value, dict):
        return {name: _filled(inner) for name, inner in cast("Any", value).items() if inner is not None}
    return value


def card_of(item: Resource | Untyped) -> RenderableType:
    """Build a card of one resource: its key, its metadata, its document and its references."""
    meta = item.meta
    head = Text.assemble((item.key.text, "bold"), (f"  version {meta.version}", ""))
    times = f"uid {meta.uid}  created {_time(meta.created_at)}  updated {_time(meta.updated_at)}"
    by = f"written by {meta.actor}" if meta.actor else ""
    why = " ".join(part for part in (by, meta.reason and f"because: {meta.reason}") if part)
    lines: list[RenderableType] = [head]
    lines += [Padding(Text(visible(line), style="dim"), (0, 0, 0, 2), expand=False) for line in (times, why) if line]
    lines.append(Padding(Text(write_yaml(_filled(document_of(item))).rstrip()), (0, 0, 0, 2), expand=False))
    for edge in meta.edges:
        rule = (str(edge.rule), edge.rule.style)
        line = Text.assemble((visible(edge.place), ""), (" → ", "dim"), str(edge.target), "  ", rule)
        lines.append(Padding(line, (0, 0, 0, 2), expand=False))
    return Group(*lines)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
