"""What is sent to MongoDB for each request, and what its replies mean; pure, so it is tested without a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from emco_store.backends.mongo.documents import (
    IS_OVER,
    IS_RECORD,
    Document,
    decoded,
    encode,
    outcome_id,
    whole,
)
from emco_store.backends.mongo.feed import told
from emco_store.backends.mongo.indexes import BY_ID, NO_INDEX, OUTCOMES_KEPT, hinted
from emco_store.backends.mongo.pulses import ended
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE
from emco_store.core.records import Record, Seal, Stamp
from emco_store.core.txids import ahead_ms, begun_ms
from emco_store.ports import Commit, Hold, Outcome, ReferrerPage, ReferrerQuery, Release

FORGOTTEN = "forgotten"
"""The outcome of a commit that was settled when it may have been forgotten; such a commit can no longer happen."""
_MERGED = 1000
"""How many statements at most become one."""
FEW = 16
"""Up to so many guards or new records are a statement each, so that one command does all and goes in one message.

What many processes want is locked for a shorter time so, although the server works more.
"""
MANY = 5_000
"""From so many referrers on, a page is asked for without an order first: mostly it holds all of them.

An order lets the server merge an index scan for each target, or look at the whole collection.
"""
_NEVER_MADE: Document = {"$setOnInsert": {"_id": None}}
"""What an upsert cannot do, so that it fails where it finds nothing: see :func:`_strict`."""
_FREE: Document = {"k": {"$exists": False}}
"""The filter for what nobody holds."""
_BY_TEXT = attrgetter("key.text")
_NO_FENCES: dict[str, str] = {}
_ANY = -1
"""The number beyond which no beat counts, for a pulse that ends whatever has arrived."""


def collection(namespace: str) -> str:
    """Return the name of the collection of a namespace."""
    return f"emco.{namespace}"


def _state(uid: str, **numbers: int) -> Document:
    """Write the filter for a record in a state that :func:`stamp` or :func:`seal` has given."""
    there: Document = {"u": uid or {"$not": {"$type": "string", "$ne": ""}}}
    return there | {name: number or {"$not": {"$type": ["int", "long"], "$ne": 0}} for name, number in numbers.items()}


def _strict(query: Document, change: Document) -> Document:
    """Write a statement that must find its document; where it does not, it fails, and the transaction ends with it.

    A statement that finds less than it should is no failure by itself, so somebody would have to look at the reply
    before the transaction may be committed. As an upsert, it would have to insert the ``_id`` that it is refused.
    """
    return {"q": query, "u": {**change, **_NEVER_MADE}, "upsert": True, "hint": BY_ID}


IMPOSSIBLE: Document = _strict({"_id": outcome_id(""), "o": ""}, {"$inc": {"z": 1}})
"""A statement that finds nothing."""
NOTHING: Document = {"q": {"_id": outcome_id(""), "o": ""}, "u": {"$inc": {"z": 1}}}
"""The same where that is no failure."""


class Parts(NamedTuple):
    """The statements of one commit for an ``update`` command; each must find as many documents as it names.

    Each is a real change, so that it collides with every other transaction that does the same; one that changed nothing
    would not. In each part they are in the order of their ``_id``, so that two commits meet in the same order.

    Attributes:
        guards: The records of which nothing but the guard moves; see :func:`moves`.
        deletes: What makes tombstones of records.
        changes: Whatever else is done to what is there.
        creates: New records, as documents.
        touched: The records whose state matters or changes, apart from their guards.
        fences: The records of which nothing but the uid matters, each with its uid; see :func:`fences`.
    """

    guards: list[str]
    deletes: list[Document]
    changes: list[Document]
    creates: list[Document]
    touched: set[str]
    fences: list[tuple[str, str]]


class _Said(NamedTuple):
    """What a commit says of records, by the texts of their keys, which Python compares faster."""

    expect: dict[str, Stamp | None]
    sealed: dict[str, Seal]
    require: set[str]
    puts: dict[str, Record]
    deletes: set[str]
    holder: str
    fenced: dict[str, str]

    def is_free(self, text: str) -> bool:
        """Tell whether there must be no such record."""
        return text in self.expect and self.expect[text] is None

    def is_contradictory(self, text: str) -> bool:
        """Tell whether no state of the record can be all that is said of it."""
        seal = self.sealed.get(text)
        if self.is_free(text):
            return seal is not None or text in self.require or text in self.fenced
        stamp = self.expect.get(text)
        if stamp is not None and seal is not None and stamp.uid != seal.uid:
            return True
        known = stamp or seal
        return bool(self.fenced) and known is not None and self.fenced.get(text, known.uid) != known.uid


def parts_of(commit: Commit) -> Parts:
    """Write a commit, but for its outcome."""
    said = _Said(
        expect={key.text: stamp for key, stamp in commit.expect.items()},
        sealed={key.text: seal for key, seal in commit.sealed.items()},
        require={key.text for key in commit.require},
        puts={record.key.text: record for record in commit.puts},
        deletes={key.text for key in commit.deletes},
        holder=commit.holder,
        fenced={key.text: uid for key, uid in commit.fenced.items()} if commit.fenced else _NO_FENCES,
    )
    about = {*said.expect, *said.sealed, *said.puts, *said.deletes}
    # Whoever holds records looks for that, too.
    guards = set[str]() if said.holder else said.require - about
    new = {text for text in said.puts if said.is_free(text)} - said.deletes - said.sealed.keys() - said.require
    if said.fenced:
        guards.difference_update(said.fenced)
        new.difference_update(said.fenced)
    others = (about | said.require) - guards - said.deletes - new
    return Parts(
        guards=sorted(guards),
        deletes=[*_statements(said.deletes, said._replace(puts={}), is_delete=True)] if said.deletes else [],
        changes=[*_releases(commit), *_statements(others, said, is_delete=False), *_ends(commit)],
        creates=[_document(text, said) for text in sorted(new)],
        touched=about,
        fences=sorted(one for one in said.fenced.items() if one[0] not in about | said.require) if said.fenced else [],
    )


def fences(of: Iterable[tuple[str, str]]) -> Iterator[Document]:
    """Write fences as statements: each makes a record collide with its end, and moves nothing that is read."""
    for text, uid in of:
        yield _strict({"_id": text, "u": uid}, {"$inc": {"z": 1}})


def blind(commit: Commit) -> tuple[Key, ...]:
    """Return the leases that a commit ends or replaces without saying which they are."""
    written = [key for key in commit.deletes if key.kind == LEASE]
    written += [record.key for record in commit.puts if record.key.kind == LEASE]
    return tuple(key for key in written if key not in commit.expect and key not in commit.sealed)


def _ends(commit: Commit) -> Iterator[Document]:
    """Write the ends of pulses: of leases that are silent, deleted, or replaced."""
    numbers = {seen.uid: seen.number for seen in commit.silent.values()} if commit.silent else {}
    for key in commit.deletes:
        if key.kind == LEASE and (uid := _known_uid(commit, key)):
            numbers.setdefault(uid, _ANY)
    for record in commit.puts:
        if record.key.kind == LEASE and (uid := _known_uid(commit, record.key)) and uid != record.uid:
            numbers.setdefault(uid, _ANY)
    for uid in sorted(numbers):
        yield ended(uid, None if numbers[uid] == _ANY else numbers[uid])


def _known_uid(commit: Commit, key: Key) -> str:
    known = commit.expect.get(key) or commit.sealed.get(key)
    return known.uid if known else ""


def moves(counts: Mapping[str, int]) -> Iterator[Document]:
    """Write how guards move, and by how much each, as statements."""
    alike: dict[int, list[str]] = {}
    for text, count in counts.items():
        alike.setdefault(count, []).append(text)
    for count, texts in alike.items():
        texts.sort()
        change: Document = {"$inc": {"g": count}}
        if len(texts) <= FEW:
            yield from (_strict({"_id": text, **IS_RECORD, **_FREE}, change) for text in texts)
            continue
        for first in range(0, len(texts), _MERGED):
            whom = {"_id": {"$in": texts[first : first + _MERGED]}}
            yield {"q": {**whom, **IS_RECORD, **_FREE}, "u": change, "multi": True}


def outcome(
    text: str, told: Sequence[str], since: datetime | None = None, needs: Collection[str] = NO_INDEX
) -> Document:
    """Write an outcome as a statement; no outcome has this ``o``, so one that is there makes the insert fail.

    Args:
        text: Its id.
        told: What the feed tells of the commit; see :func:`.feed.told`.
        since: From when on it is remembered; None for now, by the clock of the server.
        needs: The indexes without which it must fail; see :func:`.indexes.needed`.
    """
    change: Document = {"$set": {"o": Outcome.COMMITTED.value, **fed(told)}, "$currentDate": {"t": True}}
    if since is not None:
        change = {"$set": {"o": Outcome.COMMITTED.value, "t": since, **fed(told)}}
    query, hint = hinted(needs)
    return {"q": {"_id": text, "o": "", **query}, "u": change, "upsert": True, "hint": hint}


def fed(told: Sequence[str]) -> Document:
    """Return the field of an outcome for the feed; a commit that writes nothing has none."""
    return {"f": told} if told else {}


def since(txid: str, now: datetime) -> datetime:
    """Return from when on an outcome is remembered: now, or later where the clock of its client is ahead."""
    return now + timedelta(milliseconds=ahead_ms(txid, int(now.timestamp() * 1000)))


def created(document: Document) -> Document:
    """Write a new record as a statement, which puts it in the place of a tombstone if there is one.

    Where a record is, the statement would have to insert an ``_id`` that is there already, and fails.
    """
    whole = {name: value for name, value in document.items() if name != "_id"}
    return {"q": {"_id": document["_id"], "x": {"$exists": True}}, "u": whole, "upsert": True, "hint": BY_ID}


def updates(commit: Commit) -> list[Document]:
    """Write a commit as the statements of one ``update`` command."""
    guards, deletes, changes, creates, _, fenced = parts_of(commit)
    made = map(created, creates)
    return [
        *moves(dict.fromkeys(guards, 1)),
        *fences(fenced),
        *deletes,
        *changes,
        *made,
        outcome(outcome_id(commit.txid), told(commit)),
    ]


def documents_in(statements: Iterable[Document]) -> int:
    """Count the documents that statements must find."""
    ids: list[Any] = [one["q"]["_id"] for one in statements]
    return sum([1 if type(found) is str else len(found["$in"]) for found in ids])


def may_insert(statement: Document) -> bool:
    """Tell whether a statement makes a document where it finds none, so that it counts either way."""
    return "upsert" in statement and not statement["u"].keys() & _NEVER_MADE.keys()


def is_referred_to(statement: Document) -> bool:
    """Tell whether a statement is for records that others have referred to: their guard has moved."""
    return isinstance(statement["q"].get("g"), int)


def settlement(txid: str) -> tuple[Document, Sequence[Document]]:
    """Write the filter and the update that give a commit the outcome "aborted", unless it has one.

    One that may have been forgotten gets the outcome "forgotten", which keeps it from happening as well.
    """
    fence: Any = Outcome.ABORTED.value
    times: list[Any] = ["$$NOW"]
    begun = begun_ms(txid)
    if begun is not None:
        began = datetime.fromtimestamp(begun / 1000, UTC)
        is_old = {"$gt": [{"$subtract": ["$$NOW", began]}, OUTCOMES_KEPT // timedelta(milliseconds=2)]}
        fence = {"$cond": [is_old, FORGOTTEN, fence]}
        times.append(began)
    return {"_id": outcome_id(txid)}, [{"$set": {"o": {"$ifNull": ["$o", fence]}, "t": {"$max": times}}}]


def _statements(texts: Iterable[str], said: _Said, *, is_delete: bool) -> Iterator[Document]:
    """Write what a commit does to records, as one statement for those to whom it does the same in the same state.

    The server takes less time for it. A uid belongs to one record for ever, so whoever has one of the keys and one of
    the uids has its own.
    """
    alike: dict[object, tuple[list[str], list[str]]] = {}
    for text in sorted(texts):
        uid, state = _uid_and_state(text, said)
        group = (state, not is_delete and text in said.require) if uid and text not in said.puts else text
        several = alike.get(group)
        if several is None:
            several = alike[group] = [], []
        several[0].append(text)
        several[1].append(uid)
    for ids, uids in alike.values():
        for first in range(0, len(ids), _MERGED):
            some = ids[first : first + _MERGED]
            statement = _statement(some[0], said, is_delete=is_delete)
            if len(some) > 1:
                whom = {"_id": {"$in": some}, "u": {"$in": uids[first : first + _MERGED]}}
                change = {name: what for name, what in statement["u"].items() if name not in _NEVER_MADE}
                statement = {"q": {**statement["q"], **whom}, "u": change, "multi": True}
            yield statement


def _uid_and_state(text: str, said: _Said) -> tuple[str, tuple[int | None, int | None]]:
    """Return the uid that a record must have, empty where none is known, and the version and the guard."""
    stamp, seal = said.expect.get(text), said.sealed.get(text)
    if stamp and seal and stamp.uid == seal.uid and not said.fenced:  # as in a large delete: nothing contradicts
        return stamp.uid, (stamp.version, seal.guard)
    whose = seal or stamp
    if whose is None or said.is_free(text) or said.is_contradictory(text):
        return "", (None, None)
    return whose.uid, (stamp and stamp.version, seal and seal.guard)


def _releases(commit: Commit) -> Iterator[Document]:
    """Free the unique values of all records that are replaced, so that they may change hands within the commit.

    The server looks at a unique index statement by statement, not at the end.
    """
    if commit.size > 1 and any(record.unique for record in commit.puts):
        for record in commit.puts:
            if commit.expect.get(record.key) is not None:
                query = {"_id": record.key.text, **IS_RECORD, **_not_held(commit.holder)}
                yield _strict(query, {"$unset": {"q": 1}})


def _document(text: str, said: _Said) -> Document:
    """Write a new record as its document."""
    document = whole(said.puts[text])
    document["z"] = 1
    return document


def _statement(text: str, said: _Said, *, is_delete: bool) -> Document:
    """Write what a commit does to one record, with all that it expects of it, as one statement."""
    must_be_free, put = said.is_free(text), said.puts.get(text)
    stamp, seal, is_required = said.expect.get(text), said.sealed.get(text), text in said.require
    known = stamp or seal
    # A put that rests on nothing is written over whatever is there.
    may_insert = must_be_free or not (known or is_required or text in said.fenced)
    query: Document = {"_id": text}
    if must_be_free:
        query["x"] = {"$exists": True}
    elif may_insert or (known is not None and known.uid):  # only a record has a uid
        query |= _not_held(said.holder)
    else:
        query |= {**IS_RECORD, **_not_held(said.holder)}
    if stamp is not None:
        query |= _state(stamp.uid, v=stamp.version)
    if seal is not None:
        query |= _state(seal.uid, g=seal.guard)
    if text in said.fenced:
        query["u"] = said.fenced[text]
    if said.is_contradictory(text):  # the statement finds nothing, since no outcome is empty
        return _strict({**query, "o": ""}, {"$inc": {"z": 1}})
    if put is not None:
        fields, gone = encode(put)
        change: Document = {"$set": fields, "$unset": gone | {"k": 1} if said.holder else gone}
    elif is_delete or must_be_free:
        change = {"$currentDate": {"x": True}, "$unset": dict.fromkeys("uvdecmprqigkw", 1)}
    else:
        change = {}
    change["$inc"] = {"g" if is_required and not is_delete else "z": 1}
    return {"q": query, "u": change, "upsert": True} if may_insert else _strict(query, change)


def _not_held(holder: str) -> Document:
    """Write the filter for a record that nobody else holds; one whose hold is over is told apart when it fails."""
    return {"$or": [_FREE, {"k.h": holder}]} if holder else _FREE


def holds(hold: Hold) -> list[Document]:
    """Write the beginning of a hold as statements; what others hold, and what is not there, does not match."""
    until = {"$add": ["$$NOW", hold.lasts // timedelta(milliseconds=1)]}
    change = [{"$set": {"k": {"h": {"$literal": hold.holder}, "t": until}}}]
    free = [{"k": {"$exists": False}}, {"k.h": hold.holder}, {"$expr": IS_OVER}]
    return [{"q": {**ids, **IS_RECORD, "$or": free}, "u": change, "multi": True} for ids in _portions(hold.keys)]


def releases(release: Release) -> list[Document]:
    """Write the end of a hold as statements."""
    mine = {"k.h": release.holder}
    return [{"q": {**ids, **mine}, "u": {"$unset": {"k": 1}}, "multi": True} for ids in _portions(release.keys)]


def _portions(keys: Sequence[Key]) -> Iterator[Document]:
    for first in range(0, len(keys), 1000):
        yield {"_id": {"$in": [key.text for key in keys[first : first + 1000]]}}


def by_id(keys: Sequence[Key]) -> Document:
    """Write the filter of a read by key; it may find a tombstone, which is no record to whoever reads it.

    For one key alone the server goes to the document without a plan, which takes it a fifth less time.
    """
    return {"_id": keys[0].text if len(keys) == 1 else {"$in": [key.text for key in keys]}}


def referrers(query: ReferrerQuery, *, in_order: bool = True) -> tuple[Document, int]:
    """Write a referrer query as filter and limit.

    Args:
        query: The query.
        in_order: Whether what is found will be in the order of ``_id``, so that another page may follow.
    """
    to: Document = {"r": {"$in": [key.text for key in query.targets]}}
    if in_order:
        to["_id"] = {"$gt": query.after}
    wanted = {"$or": [by_id(query.load), to]} if query.load else to
    return wanted, query.limit + len(query.load)


def referrer_page(
    query: ReferrerQuery, documents: Iterable[Mapping[str, Any]], last: str | None
) -> ReferrerPage:  # fmt: skip
    """Tell the records that were loaded from the referrers; one may be both.

    Args:
        query: The query.
        documents: What was found, in any order.
        last: Up to which ``_id`` documents were looked for; None for all.
    """
    # By the texts of the keys, which Python compares faster.
    sought = {key.text for key in query.targets}
    records = decoded(documents)
    loaded: dict[Key, Record] = {}
    if query.load:
        load = {key.text for key in query.load}
        records = list({record.key.text: record for record in records}.values())
        loaded = {record.key: record for record in records if record.key.text in load}
    found = [record for record in records if record.key.text > query.after and record.refers_to(sought)]
    found.sort(key=_BY_TEXT)
    page = tuple(found[: query.limit])
    following = page[-1].key.text if len(page) == query.limit else last
    return ReferrerPage(loaded, page, following)
