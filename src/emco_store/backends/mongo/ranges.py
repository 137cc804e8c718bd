"""Scans of MongoDB: the bounds of a page by key, or by an indexed value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emco_store.backends.mongo.documents import BESIDE_OTHERS, IS_RECORD, Document, escaped, placed, unplaced
from emco_store.ports import Scan

_LAST = "\U0010ffff"


def scan(scan: Scan) -> tuple[Document, Document, Document]:
    """Write a scan as filter, order and index."""
    direction = -1 if scan.descending else 1
    prefix = scan.prefix or (f"{scan.kind}/" if scan.kind else "")
    # Without a prefix the bound still keeps out what is no text: MongoDB compares values of one type only.
    names: Document = {"$gte": prefix, "$lt": prefix + _LAST} if prefix else {"$gte": ""}
    if scan.field is None:
        if scan.until:
            names = _behind(names, scan.until, descending=True)
        if scan.after is not None:
            names = _behind(names, scan.after[1], descending=scan.descending)
        return {**({"_id": names} if prefix else _of_any_kind(names)), **IS_RECORD}, {"_id": direction}, {"_id": 1}
    field = f"i.{scan.kind}:{scan.field}"
    values: Document = {"$gte": escaped(scan.low or "")}
    if scan.equal is not None:  # the keys follow each other, so that the prefix is a bound
        values = {"$gte": placed(scan.equal, prefix), "$lt": placed(scan.equal, prefix + _LAST)}
    if scan.below is not None:
        values["$lt"] = escaped(scan.below)
    if scan.after is not None:
        values = _behind(values, placed(*scan.after), descending=scan.descending)
    return {field: values, "_id": names}, {field: direction}, {"i.$**": 1}


def _of_any_kind(names: Document) -> Document:
    """Write bounds of keys as a filter that passes over pulses and outcomes, instead of reading what is no record."""
    return {"$or": [{"$and": [{"_id": names}, {"_id": among}]} for among in BESIDE_OTHERS]}


def count(counted: Scan) -> Document:
    """Write the count of a scan as the rest of an ``aggregate``; with a field, the index alone answers it."""
    query, _, index = scan(counted)
    if counted.field is not None:
        del query["_id"]  # the name of the field says the kind, and the value of a point the prefix
    return {"pipeline": [{"$match": query}, {"$count": "n"}], "cursor": {}, "hint": index}


def _behind(bounds: Document, value: str, *, descending: bool) -> Document:
    if descending:
        return {**bounds, "$lt": min(value, bounds.get("$lt", value))}
    return {**bounds, "$gt": value}


def position(scan: Scan, document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the place of a document in the order of the scan that found it."""
    if scan.field is None:
        return "", document["_id"]
    return unplaced(document["i"][f"{scan.kind}:{scan.field}"]), document["_id"]
