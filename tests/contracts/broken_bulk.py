# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends that take only so much at a time, compare texts loosely or leave something behind, each with its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from emco_store.backends.memory import MemoryPort
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Audit,
    Audited,
    Commit,
    Count,
    Get,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
    Taken,
)

Texts = tuple[tuple[str, str], ...]


# only so much at a time


class SplitsLargeCommits(MemoryPort):
    """Sends a commit of many records in parts, each with its own preconditions."""

    size = 20

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if len(commit.puts) <= self.size:
            return super().commit(commit)
        first, rest = commit.puts[: self.size], commit.puts[self.size :]
        keys = {one.key for one in first}
        expect = {key: stamp for key, stamp in commit.expect.items() if key in keys}
        reply = super().commit(Commit(f"{commit.txid}+", expect, puts=first))
        return reply if isinstance(reply, Refusal) else self.commit(replace(commit, puts=rest, expect={
            key: stamp for key, stamp in commit.expect.items() if key not in keys
        }))  # fmt: skip


class SplitsCommitsAt128(SplitsLargeCommits):
    """Sends more than 128 records in parts."""

    size = 128


class SplitsLargeDeletes(MemoryPort):
    """Deletes a hundred records before it looks at what the rest of the commit rests on."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if len(commit.deletes) > 100:
            super().commit(Commit(f"{commit.txid}+", deletes=commit.deletes[:100]))
        return super().commit(commit)


class GetsTwenty(MemoryPort):
    """Returns some records only, as a server does that fills no larger reply."""

    most = 20

    def get(self, request: Get) -> Mapping[Key, Record]:
        return super().get(Get(request.keys[: self.most]))


class GetsAHundred(GetsTwenty):
    """Returns a hundred records."""

    most = 100


class GetsTwoHundred(GetsTwenty):
    """Returns two hundred records."""

    most = 200


class LoadsAHundred(MemoryPort):
    """Loads a hundred records along with referrers."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, load=query.load[:100]))


class CountsAHundred(MemoryPort):
    """Counts no further than a page."""

    def count(self, count: Count) -> int:
        return min(super().count(count), 100)


class AuditsAHundred(MemoryPort):
    """Examines a hundred entries, and says that it is all."""

    def audit(self, audit: Audit) -> Audited:
        return replace(super().audit(replace(audit, limit=100)), next=None)


# texts that are compared loosely


class FoldsCase(MemoryPort):
    """Takes unique values that differ by case for the same."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(
            replace(commit, puts=tuple([replace(p, unique=self.pairs(p.unique)) for p in commit.puts]))
        )

    def pairs(self, unique: Texts) -> Texts:
        return tuple([(name, self.text(value)) for name, value in unique])

    def text(self, value: str) -> str:
        return value.casefold()


class StripsSpaces(FoldsCase):
    """Takes unique values that differ by a space at their end for the same."""

    def text(self, value: str) -> str:
        return value.rstrip(" ")


class CutsUniques(FoldsCase):
    """Compares the first 255 characters of unique values."""

    def text(self, value: str) -> str:
        return value[:255]


class EndsUniquesAtNul(FoldsCase):
    """Compares unique values up to a NUL."""

    def text(self, value: str) -> str:
        return value.partition("\0")[0]


class SharesUniquesOfFields(FoldsCase):
    """Keeps the unique values of all fields in one place."""

    def pairs(self, unique: Texts) -> Texts:
        return tuple([("serial", value) for _, value in unique])


class SharesUniquesOfKinds(MemoryPort):
    """Keeps the unique values of all kinds in one place."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        with self._backend.request(self._namespace, "commit", commit) as space:
            owners = {(name, value): owner for (_, name, value), owner in space.unique.items()}
        for put in commit.puts:
            for name, value in put.unique:
                owner = owners.get((name, value))
                if owner is not None and owner.kind != put.key.kind:
                    return Refusal((Taken(put.key, name, owner),))
        return super().commit(commit)


class SortsByUtf16(MemoryPort):
    """Orders indexed texts as UTF-16 does."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        puts = [replace(p, index=tuple([(name, self.text(value)) for name, value in p.index])) for p in commit.puts]
        return super().commit(replace(commit, puts=tuple(puts)))

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(self.read(scan))

    def count(self, count: Count) -> int:
        return super().count(Count(self.read(count.scan)))

    def read(self, scan: Scan) -> Scan:
        equal, low, below = (None if one is None else self.text(one) for one in (scan.equal, scan.low, scan.below))
        return replace(scan, equal=equal, low=low, below=below)

    def text(self, value: str) -> str:
        return value.encode("utf-16-be").decode("latin-1")


class SortsWithoutCase(SortsByUtf16):
    """Orders indexed texts without regard to case."""

    def text(self, value: str) -> str:
        return value.casefold()


class CutsIndexedTexts(SortsByUtf16):
    """Indexes the first 255 characters."""

    def text(self, value: str) -> str:
        return value[:255]


class CutsNames(MemoryPort):
    """Keeps the first 200 characters of a name."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        expect = {_cut(key): stamp for key, stamp in commit.expect.items()}
        return super().commit(
            replace(commit, expect=expect, puts=tuple([replace(p, key=_cut(p.key)) for p in commit.puts]))
        )

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = super().get(Get(tuple([_cut(key) for key in request.keys])))
        return {key: replace(found[_cut(key)], key=key) for key in request.keys if _cut(key) in found}


def _cut(key: Key) -> Key:
    return Key(key.kind, *(segment[:200] for segment in key.segments))


# what is left behind


class SilentAudit(MemoryPort):
    """Finds nothing wrong with its own entries."""

    def audit(self, audit: Audit) -> Audited:
        return replace(super().audit(audit), flaws=())


class RepeatsReferrers(MemoryPort):
    """Returns a referrer once for each target."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        page = super().referrers(query)
        found = [one for one in page.referrers for _ in one.targets & set(query.targets)]
        return replace(page, referrers=tuple(found[: query.limit]))


class OrdersReferrersByTarget(MemoryPort):
    """Returns the referrers of the first target, then those of the next."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        page = super().referrers(query)
        found = sorted(
            page.referrers, key=lambda one: min(query.targets.index(t) for t in one.targets & set(query.targets))
        )
        return replace(page, referrers=tuple(found))


class GoesOnInTheFirstTargetOnly(MemoryPort):
    """Continues only the list of the first target."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, targets=query.targets[:1]) if query.after else query)


class ForgetsGuardsOfPuts(MemoryPort):
    """Begins the guard anew where a put changes what the record is found by."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        old = self.get(Get(tuple(put.key for put in commit.puts)))
        reply = super().commit(commit)
        with self._backend.request(self._namespace, "commit", commit) as space:
            for put in commit.puts if isinstance(reply, Receipt) else ():
                before = old.get(put.key)
                if before is not None and (before.edges, before.index) != (put.edges, put.index):
                    space.records[put.key.text] = space.records[put.key.text].guarded(0)
        return reply


BROKEN_BULK = (
    (SplitsLargeCommits, "ATM-7"),
    (SplitsCommitsAt128, "ATM-7"),
    (SplitsLargeDeletes, "ATM-7"),
    (GetsTwenty, "ID-22"),
    (GetsAHundred, "ID-22"),
    (GetsTwoHundred, "ID-22"),
    (LoadsAHundred, "ID-22"),
    (CountsAHundred, "ID-18"),
    (AuditsAHundred, "CHK-1"),
    (FoldsCase, "ID-6"),
    (StripsSpaces, "ID-6"),
    (CutsUniques, "ID-6"),
    (EndsUniquesAtNul, "ID-6"),
    (SharesUniquesOfFields, "ID-6"),
    (SharesUniquesOfKinds, "ID-6"),
    (SortsByUtf16, "ID-8"),
    (SortsWithoutCase, "ID-8"),
    (CutsIndexedTexts, "ID-8"),
    (CutsNames, "ID-23"),
    (RepeatsReferrers, "ID-16"),
    (OrdersReferrersByTarget, "ID-16"),
    (GoesOnInTheFirstTargetOnly, "ID-16"),
    (ForgetsGuardsOfPuts, "OCC-10"),
)
"""Mutants of a port, each with the rule that must catch it."""
