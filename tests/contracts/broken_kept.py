"""Mutants of kept values."""

from __future__ import annotations

from emco_store.core.records import Record
from emco_store.core.resource import Resource


def compare_versions(_: bytes, value: Resource, record: Record) -> bool:
    """Take what has the same uid and version for the same."""
    return (value.meta.uid, value.meta.version) == (record.uid, record.version)


def compare_documents(document: bytes, _: Resource, record: Record) -> bool:
    """Take what has the same document for the same."""
    return document == record.document


def suit_all(_: type[Resource]) -> bool:
    """Keep the values of every model."""
    return True
