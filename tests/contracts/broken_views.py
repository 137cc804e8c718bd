"""Views that are broken on purpose, each in one way."""

from __future__ import annotations

from typing import Any

from emco_store.core import auditing, codec
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.resource import Resource
from emco_store.core.sets import Orders
from emco_store.errors import InvalidResource

_edges, _examine = codec._edges, auditing.examine


def refuse_more_fields(record: Record, model: type[Any]) -> Any:
    """Refuse documents with fields that the class does not declare, as a mirror class does."""
    more = decode(record.document).keys() - model.model_fields.keys()
    if model.__emco__.is_view and more:
        raise InvalidResource(f"Cannot read {record.key}.", why=sorted(more), hint="", key=record.key)
    return codec.load(record, model)


def hold_no_view(spec: Any, resource: Resource, document: Any, orders: Orders, own: Key) -> Any:
    """Leave out the references to views, as if they were text."""
    edges, keys = _edges(spec, resource, document, orders, own)
    return tuple(edge for edge in edges if edge.is_parent or edge.target.kind != "Berth"), keys


def refuse_nothing(context: Any, what: str, key: Key) -> None:
    """Let every call through."""


def write_by_views(model: type[Resource] | None) -> type[Resource] | None:
    """Take a view for a model by which its kind is written."""
    return model


def check_without_views(record: Record, model: Any, absent: Any) -> Any:
    """Compare with models alone."""
    is_view = model is not None and model.__emco__.is_view
    return _examine(record, None if is_view else model, absent)
