"""Why a commit is refused, and what becomes of several that go together; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from emco_store.backends.mongo.documents import (
    IS_OVER,
    IS_RECORD,
    PULSE,
    Document,
    claim_of,
    listed,
    outcome_id,
    pulse_id,
    seal,
    stamp,
)
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Alive,
    Commit,
    Failure,
    Fenced,
    Held,
    Lapsed,
    Missing,
    Moved,
    Outcome,
    Receipt,
    Refusal,
    Stale,
    Taken,
)

SHOWN: Mapping[str, Any] = {**dict.fromkeys("uvgqoxkn", 1), "over": IS_OVER}
"""What must be shown of a document to judge commits."""


def evidence(commits: Sequence[Commit]) -> Document:
    """Write the filter for all documents that must be seen to judge commits."""
    ids = [text for commit in commits for text in (*(key.text for key in commit.keys), outcome_id(commit.txid))]
    for commit in commits:
        ids += [key.text for key in commit.fenced]
        ids += [pulse_id(seen.uid) for seen in commit.silent.values()]
    claims = [claim for commit in commits for claim in _claims(commit)]
    query: Document = {"_id": {"$in": ids}}
    return {"$or": [query, {"q": {"$in": claims}}]} if claims else query


def judge(commits: Iterable[Commit], documents: Iterable[Mapping[str, Any]]) -> list[Receipt | Refusal | None]:
    """Say what becomes of commits one after the other; None for one that may go.

    Each is judged by what those before it will have done, so the replies hold only once all of those are carried out.
    """
    state = _State(documents)
    return [state.judged(commit) for commit in commits]


def removals(documents: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Write the removal of all holds that are over as statements."""
    return [
        {"q": {"_id": document["_id"], "k": document["k"]}, "u": {"$unset": {"k": 1}}}
        for document in documents
        if "k" in document and document["over"]
    ]


def unless_moved(reply: Receipt | Refusal, keys: Collection[Key]) -> Receipt | Refusal | None:
    """Return a reply without what some records refuse that have changed since they were read; None if that was all."""
    if isinstance(reply, Receipt):
        return reply
    failures = tuple(one for one in reply.failures if not (isinstance(one, Stale) and one.key in keys))
    return Refusal(failures) if failures else None


class _State:
    """What the collection holds, as far as the commits that are judged can tell."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._records: dict[str, Mapping[str, Any]] = {}
        self._outcomes: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        for document in documents:
            if document.get("o") == PULSE:
                self._numbers[document["_id"]] = _whole(document.get("n"))
            elif "o" in document:
                self._outcomes[document["_id"]] = document["o"]
            elif not document.keys() & IS_RECORD.keys():
                self._add(document["_id"], document)

    def judged(self, commit: Commit) -> Receipt | Refusal | None:
        """Judge one commit, and carry it out if it may go."""
        outcome = self._outcomes.get(outcome_id(commit.txid))
        if outcome is not None:
            return Receipt(commit.txid) if outcome == Outcome.COMMITTED else Refusal((Fenced(commit.txid),))
        failures = (*self._unmet(commit), *self._held(commit), *self._taken(commit))
        if failures:
            return Refusal(failures)
        if commit.size or commit.silent:
            self._carry_out(commit)
        return None

    def _add(self, text: str, document: Mapping[str, Any]) -> None:
        self._records[text] = document
        self._owners |= dict.fromkeys(listed(document.get("q")), text)

    def _drop(self, text: str) -> None:
        for claim in listed(self._records.pop(text, {}).get("q")):
            self._owners.pop(claim, None)

    def _unmet(self, commit: Commit) -> Iterator[Failure]:
        for key, expected in commit.expect.items():
            document = self._records.get(key.text)
            found = None if document is None else stamp(document)
            if found != expected:
                yield Stale(key, expected, found)
        yield from (Missing(key) for key in sorted(commit.require) if key.text not in self._records)
        for key, wanted in commit.sealed.items():
            document = self._records.get(key.text)
            if document is None or seal(document) != wanted:
                yield Moved(key)
        for key, uid in commit.fenced.items():
            if stamp(self._records.get(key.text, {})).uid != uid:
                yield Lapsed(key)
        for key, seen in commit.silent.items():
            if self._numbers.get(pulse_id(seen.uid), seen.number) > seen.number:
                yield Alive(key)

    def _held(self, commit: Commit) -> Iterator[Held]:
        for key in sorted(commit.keys) if commit.size else ():
            document = self._records.get(key.text, {})
            if "k" in document and not document["over"] and document["k"].get("h") != commit.holder:
                yield Held(key)

    def _taken(self, commit: Commit) -> Iterator[Taken]:
        going = {key.text for key in commit.deletes} | {record.key.text for record in commit.puts}
        claimed: dict[str, Key] = {}
        for record in commit.puts:
            for name, value in record.unique:
                claim = claim_of(record.key.kind, name, value)
                owner = self._owners.get(claim)
                first = claimed.setdefault(claim, record.key)
                if owner is not None and owner not in going:
                    yield Taken(record.key, name, Key.parse(owner))
                elif first != record.key:
                    yield Taken(record.key, name, first)

    def _carry_out(self, commit: Commit) -> None:
        for seen in commit.silent.values():
            self._numbers.pop(pulse_id(seen.uid), None)
        guards = {record.key.text: seal(self._records.get(record.key.text, {})).guard for record in commit.puts}
        for text in (*(key.text for key in commit.deletes), *(record.key.text for record in commit.puts)):
            self._numbers.pop(pulse_id(stamp(self._records.get(text, {})).uid), None)
            self._drop(text)
        for record in commit.puts:
            text = record.key.text
            claims = _claims_of(record)
            self._add(text, {"u": record.uid, "v": record.version, "g": guards[text], "q": claims})
        for key in commit.require:
            document = self._records[key.text]
            self._records[key.text] = {**document, "g": seal(document).guard + 1}
        self._outcomes[outcome_id(commit.txid)] = Outcome.COMMITTED


def _whole(number: object) -> int:
    return number if isinstance(number, int) else 0


def _claims(commit: Commit) -> list[str]:
    return [claim for record in commit.puts for claim in _claims_of(record)]


def _claims_of(record: Record) -> list[str]:
    return [claim_of(record.key.kind, name, text) for name, text in record.unique]
