"""The indexes of a namespace's collection, and which of them a request needs; pure.

Each index costs every insert and delete, whether the record is in it or not. So three of the six are made when they
are first needed. The server itself sees to it that they are there: each request that needs one names it as a hint, and
the server refuses a hint to an index that it does not have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from emco_store.backends.mongo.documents import Document
from emco_store.ports import Commit

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
TOMBSTONE_TTL = timedelta(hours=1)
"""How long a tombstone stays. Only transactions that meet it need it, so any time would do."""
UNIQUE, VALUES, PULSES = "unique", "values", "pulses"
"""The indexes that are made when they are first needed."""
BY_ID = "_id_"
"""The index of the ``_id``; to name it spares the server a look at the others."""
NO_INDEX: frozenset[str] = frozenset()
FIELDS = frozenset({VALUES})
"""What a scan by a field needs."""
DUE = frozenset({PULSES})
"""What a look for leases that are due needs."""
_SECOND = timedelta(seconds=1)

INDEXES: Sequence[Document] = (
    {"name": "referrers", "key": {"r": 1, "_id": 1}, "partialFilterExpression": {"r": {"$exists": True}}},
    {"name": UNIQUE, "key": {"q": 1}, "unique": True, "sparse": True},
    {"name": VALUES, "key": {"i.$**": 1}},
    {"name": "ghosts", "key": {"x": 1}, "expireAfterSeconds": TOMBSTONE_TTL // _SECOND, "sparse": True},
    {"name": "outcomes", "key": {"t": 1}, "expireAfterSeconds": OUTCOMES_KEPT // _SECOND, "sparse": True},
    {"name": PULSES, "key": {"b": 1}, "sparse": True},
)
"""All of them. Their names never change: MongoDB refuses one index under two names."""
LATER: Mapping[str, str] = {UNIQUE: "q", VALUES: "i", PULSES: "b"}
"""Those that are made when they are first needed, each with the field of the documents that are in it."""
FIRST: frozenset[str] = frozenset(index["name"] for index in INDEXES) - LATER.keys()
"""Those that are made when a store opens."""
_NEVER: Mapping[str, Document] = {UNIQUE: {"q": {"$lt": ""}}, VALUES: {"i.-": {"$lt": ""}}}
"""What a filter adds to have an index as its hint; no document fulfils it."""


def needed(commits: Iterable[Commit]) -> frozenset[str]:
    """Return the indexes that must be there when the commits are carried out.

    That of unique values must be, or two records could have one value. That of indexed values is made along with the
    first of them, since a reader that made it would have to wait for those of all records.
    """
    found = set[str]()
    for commit in commits:
        for record in commit.puts:
            if record.unique:
                found.add(UNIQUE)
            if record.index:
                found.add(VALUES)
    return frozenset(found) if found else NO_INDEX


def hinted(names: Collection[str]) -> tuple[Document, str]:
    """Return what makes an upsert that is to find nothing fail where an index is missing: a filter, and a hint.

    A statement has one hint. A unique value is indexed as well, so what makes the one index makes the other.
    """
    name = UNIQUE if UNIQUE in names else VALUES if VALUES in names else ""
    return (_NEVER[name], name) if name else ({}, BY_ID)


def used(document: Mapping[str, Any]) -> set[str]:
    """Return the indexes that must be there because a document is in them: those that its commit has named."""
    return {name for name in _NEVER if LATER[name] in document}


def making(collection: str, names: Iterable[str]) -> Document:
    """Write the command that makes indexes, and does nothing where they are there.

    A member that is down does not stop it, since a majority is enough.
    """
    wanted = frozenset(names)
    specs = [index for index in INDEXES if index["name"] in wanted]
    majority: Document = {"commitQuorum": "majority", "writeConcern": {"w": "majority"}}
    return {"createIndexes": collection, "indexes": specs, **majority}
