"""How commits become the commands of one transaction; pure.

Everything can be said in one ``update`` command, and what is small is. Of many records, a ``delete`` and an ``insert``
command cost the server a fraction of what the same costs as statements of an ``update`` command; and what several
commits do to one guard is one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import bson
from bson.raw_bson import RawBSONDocument

from emco_store.backends.mongo.commands import (
    FEW,
    Parts,
    created,
    documents_in,
    fed,
    fences,
    is_referred_to,
    may_insert,
    moves,
    outcome,
    parts_of,
    since,
)
from emco_store.backends.mongo.documents import Document, outcome_id
from emco_store.backends.mongo.feed import told
from emco_store.backends.mongo.indexes import needed
from emco_store.core.keys import Key
from emco_store.core.txids import ahead_ms
from emco_store.errors import InvalidResource
from emco_store.ports import Commit, Outcome

FEW_DELETES = 4
"""Up to so many deletes leave tombstones, which costs less than one command more."""
MARGIN_MS = 3_600_000
"""How far the clock of a client may be ahead without a need to remember its outcomes for longer than others."""
COMMAND_BYTES = 15 * 2**20
"""How large one command may become; the server takes 16 MiB, the frame of the command included."""
LISTS = {"update": "updates", "delete": "deletes", "insert": "documents"}
"""The name under which each command has its statements or documents."""


class Command(NamedTuple):
    """One command for one collection.

    Attributes:
        name: ``update``, ``delete`` or ``insert``.
        items: Its statements or documents, as they are sent.
        total: How many documents it must find or make.
        is_strict: Whether it fails by itself where it would find or make fewer.
    """

    name: str
    items: list[bytes]
    total: int
    is_strict: bool

    def on(self, collection: str) -> Document:
        """Write it for a collection, as PyMongo takes it."""
        return {self.name: collection, LISTS[self.name]: [RawBSONDocument(item) for item in self.items]}


@dataclass(frozen=True, slots=True)
class Sending:
    """One transaction.

    Attributes:
        deletes: Statements of ``delete`` commands, in the order in which these go.
        updates: Statements of an ``update`` command, at least one.
        inserts: New documents.
        outcomes: The txids whose outcomes are inserted as well, each with what the feed tells of it.
    """

    deletes: list[list[Document]]
    updates: list[Document]
    inserts: list[Document]
    outcomes: list[tuple[str, list[str]]]

    @property
    def goes_on(self) -> bool:
        """Whether new documents follow behind what tells the time."""
        return bool(self.inserts or self.outcomes)

    def begin(self) -> list[Command]:
        """Return the commands that say what time it is on the server.

        Raises:
            InvalidResource: A statement is larger than what can be sent.
        """
        deletes = [command for statements in self.deletes for command in in_commands("delete", statements)]
        return [*deletes, *in_commands("update", self.updates)]

    def finish(self, now: datetime) -> list[Command]:
        """Return the other commands.

        Raises:
            InvalidResource: A document is larger than what can be sent.
        """
        outcomes = (
            {"_id": outcome_id(txid), "o": Outcome.COMMITTED.value, "t": since(txid, now), **fed(changes)}
            for txid, changes in self.outcomes
        )
        return [*in_commands("insert", [*self.inserts, *outcomes])]


def sending(commits: Sequence[Commit], *, optimistic: bool, now_ms: int | None = None) -> Sending:
    """Write commits as one transaction in which each of them finds what those before it leave.

    Args:
        commits: At least one.
        optimistic: Whether to assume that no tombstone has the key of a new record, which is nearly always so; if one
            has, the transaction fails.
        now_ms: About when it is on the server, in milliseconds since 1970, if that is known.
    """
    parts = [parts_of(commit) for commit in commits]
    is_alone = len(parts) == 1
    has_deletes = is_alone and documents_in(parts[0].deletes) > FEW_DELETES
    is_free = is_alone or _is_each_once(part.touched for part in parts)
    shared = dict.fromkeys(parts[0].guards, 1) if is_alone else _shared_guards(parts) if is_free else {}
    updates = [*moves(shared)]
    passed = _shared_fences(parts) if is_free else set[tuple[str, str]]()
    if passed:
        updates += fences(sorted(passed))
    creates: list[Document] = []
    for part in parts:
        if own := {text: 1 for text in part.guards if text not in shared}:
            updates += moves(own)
        if part.fences:
            updates += fences(one for one in part.fences if one not in passed)
        # A delete of what need not exist finds less than it names, unless it is written as an update.
        updates += (one for one in part.deletes if not has_deletes or may_insert(one))
        updates += part.changes
        is_later = is_free and (is_alone or not (part.deletes or part.changes))
        if optimistic and is_later:
            creates += part.creates
        else:
            updates += map(created, part.creates)
    outcomes = [(commit.txid, told(commit)) for commit in commits]
    inserted = len(outcomes) - 1 if len(creates) + len(outcomes) - 1 > FEW else 0
    if not inserted and len(creates) <= FEW:
        updates += map(created, creates)
        creates = []
    first, needs = len(outcomes) - inserted, needed(commits)
    return Sending(
        deletes=_deletes(parts[0].deletes) if has_deletes else [],
        updates=[
            *updates,
            *(outcome(outcome_id(txid), changes, _since(txid, now_ms), needs) for txid, changes in outcomes[:first]),
        ],
        inserts=creates,
        outcomes=outcomes[first:],
    )


def _since(txid: str, now_ms: int | None) -> datetime | None:
    """Return from when on an outcome is remembered, if that is much later than now."""
    ahead = 0 if now_ms is None else ahead_ms(txid, now_ms)
    return datetime.fromtimestamp(((now_ms or 0) + ahead) / 1000, UTC) if ahead > MARGIN_MS else None


def weight(commit: Commit) -> int:
    """Say how much of a transaction a commit takes: its records, and more when they are large."""
    number = len(commit.expect) + len(commit.require) + len(commit.sealed) + commit.size
    return max(number, sum(len(record.document) for record in commit.puts) // 2**14)


def are_apart(commits: Sequence[Commit]) -> bool:
    """Tell whether no two commits are about one record, apart from its guard.

    Where two are, what the one does to the record must stay before or behind what the other does to it.
    """
    return len(commits) == 1 or _is_each_once({key.text for key in commit.touched} for commit in commits)


def _is_each_once(sets: Iterable[set[str]]) -> bool:
    found = [*sets]
    return sum(map(len, found)) == len(set[str]().union(*found))


def _shared_guards(parts: Sequence[Parts]) -> dict[str, int]:
    """Count how far the commits together move each guard that may move ahead of everything else."""
    moving: dict[str, int] = {}
    for part in parts:
        for text in part.guards:
            moving[text] = moving.get(text, 0) + 1
    about = set[str]().union(*(part.touched for part in parts))
    return {text: count for text, count in moving.items() if text not in about}


def _shared_fences(parts: Sequence[Parts]) -> set[tuple[str, str]]:
    """Return the fences that may go ahead of everything else, each once for all commits that have it."""
    found = {one for part in parts if part.fences for one in part.fences}
    return {one for one in found if not any(one[0] in part.touched for part in parts)} if found else found


def _deletes(statements: Iterable[Document]) -> list[list[Document]]:
    """Write deletes for commands of their own: what others have referred to goes ahead of the rest.

    A guard that moves may have moved since it was read, and then nothing else is deleted in vain.
    """
    deletes: list[Document] = [{"q": one["q"], "limit": 0} for one in statements if not may_insert(one)]
    first = [one for one in deletes if is_referred_to(one)]
    rest = [one for one in deletes if not is_referred_to(one)]
    return [part for part in (first, rest) if part]


def in_commands(name: str, items: Iterable[Document]) -> Iterator[Command]:
    """Divide statements among as few commands as the server accepts, one up to 15 MiB.

    Raises:
        InvalidResource: One is larger than what can be sent.
    """
    batch: list[bytes] = []
    size = count = 0
    is_strict = True
    for item in items:
        raw = bson.encode(item)
        if len(raw) > COMMAND_BYTES:
            raise _too_large((item if name == "insert" else item["q"])["_id"], len(raw))
        size += len(raw)
        if size > COMMAND_BYTES:
            yield Command(name, batch, count, is_strict)
            batch, size, count, is_strict = [], len(raw), 0, True
        batch.append(raw)
        if name == "insert":
            count += 1
        else:
            count += documents_in([item])
            is_strict = is_strict and item.get("upsert", False)
    if batch:
        yield Command(name, batch, count, is_strict)


def _too_large(key: str, size: int) -> InvalidResource:
    return InvalidResource(
        f"Cannot store {key} on MongoDB.",
        why=[f"with all that it refers to it has {size:,} bytes, and at most {COMMAND_BYTES:,} can be sent"],
        hint="divide it into several resources; its references are stored beside the document and count too.",
        key=Key.parse(key),
        problems=("too large",),
    )
