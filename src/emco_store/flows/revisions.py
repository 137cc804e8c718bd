"""Revisions as flows: a revision is read together with its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.revisions import part_keys, read_document
from emco_store.flows.asking import Flow, records_at


def beginning_of(revision: Key, also: Iterable[Key] = ()) -> Flow[Mapping[Key, Record]]:
    """Return a revision with the first part of its content, and other records, in one request."""
    return (yield from records_at([*also, revision, *part_keys(revision, 1)]))


def parts_of(record: Record, found: Mapping[Key, Record]) -> Flow[Mapping[Key, Record]]:
    """Return the parts of a revision; only those that were not found yet are read.

    Raises:
        InvalidResource: The revision cannot be read.
    """
    keys = part_keys(record.key, read_document(record).parts)
    return {**found, **(yield from records_at(key for key in keys if key not in found))}
