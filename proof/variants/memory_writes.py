# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Variants of the memory backend that check or write wrongly, or forget."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.judging import judge
from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.contracts.harness import Mode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Commit,
    Failure,
    Get,
    Hold,
    Missing,
    Moved,
    Outcome,
    Receipt,
    Refusal,
    Release,
    Settle,
    Stale,
    Taken,
)
from proof.variants.broken import Broken, BrokenPort, Variant, of_backend, of_port, of_space

Claim = tuple[str, str, str]

# checks


class ChecksTwentyFiveAtMost(MemoryPort):
    """Checks the first twenty-five expectations, as many as one request of its server takes."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, expect=dict(list(commit.expect.items())[:25])))


class SealsTenAtMost(MemoryPort):
    """Checks the first ten seals."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, sealed=dict(list(commit.sealed.items())[:10])))


class ExpectsUidsOnly(MemoryPort):
    """Compares whose record it is, and not in which version."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(commit.expect)))
        same = {
            key: found[key].stamp if stamp and key in found and found[key].uid == stamp.uid else stamp
            for key, stamp in commit.expect.items()
        }
        return super().commit(replace(commit, expect=same))


class SealsByGuardOnly(MemoryPort):
    """Takes a record that was made again for the one that was sealed, when their guards are the same."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(commit.sealed)))
        same = {
            key: found[key].seal if key in found and found[key].guard == seal.guard else seal
            for key, seal in commit.sealed.items()
        }
        return super().commit(replace(commit, sealed=same))


class SealsWhatItWritesNot(MemoryPort):
    """Skips the seal of what it deletes, since it is gone anyway."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        sealed = {key: seal for key, seal in commit.sealed.items() if key not in commit.deletes}
        return super().commit(replace(commit, sealed=sealed))


class ChecksWhatItDeletesNot(MemoryPort):
    """Deletes whatever is there by then."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        expect = {key: stamp for key, stamp in commit.expect.items() if key not in commit.deletes}
        return super().commit(replace(commit, expect=expect))


class _Tells(MemoryPort):
    """Tells other failures than there are."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        return Refusal(tuple(map(self.told, reply.failures))) if isinstance(reply, Refusal) else reply

    def told(self, failure: Failure) -> Failure:
        raise NotImplementedError


class SaysThatNothingWasThere(_Tells):
    """Names no state that it has found."""

    def told(self, failure: Failure) -> Failure:
        return replace(failure, found=None) if isinstance(failure, Stale) else failure


class NamesTheWrongOwner(_Tells):
    """Says that a unique value belongs to the record that wants it."""

    def told(self, failure: Failure) -> Failure:
        return replace(failure, owner=failure.key) if isinstance(failure, Taken) else failure


class TakesMovedForMissing(_Tells):
    """Says of a target that was referred to meanwhile that it is gone."""

    def told(self, failure: Failure) -> Failure:
        return Missing(failure.key) if isinstance(failure, Moved) else failure


# guards


class LosesGuards(BrokenPort):
    """Writes a record over the one that was there, the count of its referrers included."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            for record in commit.puts:
                if record.key.text in self.space.records and record.key not in commit.require:
                    self.space.records[record.key.text] = self.space.records[record.key.text].guarded(0)
        return reply


class StoresTheGuardOfThePut(BrokenPort):
    """Stores the guard that a put carries, which is that of an earlier read."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            for record in commit.puts:
                if record.key.text in self.space.records and record.key not in commit.require:
                    found = self.space.records[record.key.text]
                    self.space.records[record.key.text] = found.guarded(record.guard)
        return reply


class MovesOneGuard(BrokenPort):
    """Moves the guard of the first target only."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        before = {key: self.space.records.get(key.text) for key in sorted(commit.require)[1:]}
        reply = super().commit(commit)
        for key, record in before.items():
            if record is not None and isinstance(reply, Receipt) and key.text in self.space.records:
                self.space.records[key.text] = self.space.records[key.text].guarded(record.guard)
        return reply


# writes


class WritesTwentyAtMost(MemoryPort):
    """Writes the first twenty records of a commit, as a driver that cuts its batches."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, puts=commit.puts[:20]))


class WritesInTwoParts(MemoryPort):
    """Sends what is above twenty records in a second request, and does not look at its answer."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(replace(commit, puts=commit.puts[:20]))
        if isinstance(reply, Receipt) and len(commit.puts) > 20:
            super().commit(Commit(f"{commit.txid}-2", puts=commit.puts[20:], holder=commit.holder))
        return reply


class WritesThePartsBackward(MemoryPort):
    """Sends what is above twenty records first, and the checks with the rest."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if len(commit.puts) > 20:
            super().commit(Commit(f"{commit.txid}-2", puts=commit.puts[20:], holder=commit.holder))
        return super().commit(replace(commit, puts=commit.puts[:20]))


class DeletesAHundredAtMost(MemoryPort):
    """Deletes the first hundred records of a commit."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, deletes=commit.deletes[:100]))


class _Writes(MemoryPort):
    """Changes what is written."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, puts=tuple(map(self.written, commit.puts))))

    def written(self, record: Record) -> Record:
        raise NotImplementedError


class SortsDocuments(_Writes):
    """Stores a document as its server would write it: with the keys of objects in order."""

    def written(self, record: Record) -> Record:
        try:
            document = json.loads(record.document)
        except ValueError:
            return record
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return replace(record, document=text.encode("utf-8", "surrogatepass"))


class SortsEdges(_Writes):
    """Stores references in the order of their targets."""

    def written(self, record: Record) -> Record:
        return replace(record, edges=tuple(sorted(record.edges, key=lambda edge: edge.target.text)))


class KeepsOneEdgeToATarget(_Writes):
    """Stores one reference to each target, as a table whose primary key is the pair."""

    def written(self, record: Record) -> Record:
        return replace(record, edges=tuple({edge.target: edge for edge in record.edges}.values()))


class WritesPlacesAsText(_Writes):
    """Stores the number of an entry in a list as text."""

    def written(self, record: Record) -> Record:
        return replace(
            record, edges=tuple(replace(edge, path=tuple(str(step) for step in edge.path)) for edge in record.edges)
        )


class ShortensDocuments(_Writes):
    """Stores 64 KiB of a document at most, as a column of that size in a lax mode."""

    def written(self, record: Record) -> Record:
        return replace(record, document=record.document[: 1 << 16])


class TakesTimesForNow(_Writes):
    """Dates a change by itself."""

    def written(self, record: Record) -> Record:
        return replace(record, updated_us=time.time_ns() // 1000)


# unique values


class _Claims(dict[Claim, Key]):
    """Unique values that are taken for others."""

    fold: Callable[[Claim], Claim]

    def get(self, claim: Claim, default: object = None) -> object:  # type: ignore[override]
        return super().get(self.fold(claim), default)

    def __getitem__(self, claim: Claim) -> Key:
        return super().__getitem__(self.fold(claim))

    def __setitem__(self, claim: Claim, owner: Key) -> None:
        super().__setitem__(self.fold(claim), owner)

    def __delitem__(self, claim: Claim) -> None:
        self.pop(self.fold(claim), None)


class _Folded(Space):
    """Has such values."""

    claims: type[_Claims]

    def __init__(self) -> None:
        super().__init__()
        self.unique = self.claims()


def _folding(name: str, what: str, fold: Callable[[Claim], Claim]) -> type[Space]:
    claims = type("Claims", (_Claims,), {"fold": staticmethod(fold)})
    return type(name, (_Folded,), {"__doc__": what, "claims": claims})


FOLDED = (
    _folding(
        "UniqueInAnyCase", "Takes unique values for the same that differ in case.", lambda c: (*c[:2], c[2].lower())
    ),
    _folding(
        "UniqueBesideSpaces", "Takes no notice of spaces at the end of a unique value.",
        lambda c: (*c[:2], c[2].rstrip(" ")),
    ),
    _folding(
        "UniqueByBeginnings", "Compares the first hundred characters of a unique value.",
        lambda c: (*c[:2], c[2][:100]),
    ),
    _folding("UniqueUpToNul", "Ends a unique value at its first NUL.", lambda c: (*c[:2], c[2].partition("\0")[0])),
    _folding("UniqueAcrossKinds", "Takes the unique values of all kinds for one set.", lambda c: ("", *c[1:])),
    _folding("UniqueAcrossFields", "Takes the unique values of all fields for one set.", lambda c: (c[0], "", c[2])),
    _folding(
        "UniqueByAscii", "Compares unique values without what is not ASCII.",
        lambda c: (*c[:2], c[2].encode("ascii", "ignore").decode()),
    ),
)  # fmt: skip


class ChecksUniquesAgainstTheStore(MemoryPort):
    """Compares unique values with those in the store, and not within a commit."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if not isinstance(reply, Refusal):
            return reply
        written = {record.key for record in commit.puts}
        others = tuple(one for one in reply.failures if not (isinstance(one, Taken) and one.owner in written))
        return Refusal(others) if others else super().commit(replace(commit, puts=_first_of_each(commit.puts)))


def _first_of_each(puts: tuple[Record, ...]) -> tuple[Record, ...]:
    seen: set[tuple[str, str, str]] = set()
    kept: list[Record] = []
    for record in puts:
        own = {(record.key.kind, *pair) for pair in record.unique}
        kept.append(replace(record, unique=()) if own & seen else record)
        seen |= own
    return tuple(kept)


class WritesOneAfterTheOther(Space):
    """Removes the unique values of a record after another one of the same commit has taken them."""

    def drop(self, key: Key) -> None:
        record = self.records.get(key.text)
        if record is not None:
            for name, value in record.unique:
                self.unique.setdefault((key.kind, name, value), key)
        super().drop(key)


class DeletesLast(BrokenPort):
    """Deletes after it has written, and with a record its unique values, which another one has by now."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        gone = [self.space.records[key.text] for key in commit.deletes if key.text in self.space.records]
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            for record in gone:
                for name, value in record.unique:
                    self.space.unique.pop((record.key.kind, name, value), None)
        return reply


# outcomes


class RemembersTenOutcomes(BrokenPort):
    """Remembers the last ten outcomes."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        for txid in list(self.space.outcomes)[:-10]:
            del self.space.outcomes[txid]
        return reply


class ForgetsOutcomesAfterTwoSeconds(BrokenPort):
    """Remembers outcomes for two seconds."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        self._forget()
        return super().commit(commit)

    def settle(self, request: Settle) -> Outcome | None:
        self._forget()
        return super().settle(request)

    def _forget(self) -> None:
        now = self.broken.clock()
        for txid, (_, since) in list(self.space.outcomes.items()):
            if now - since > 2:
                del self.space.outcomes[txid]


class NotesChecks(BrokenPort):
    """Notes the txid of a commit that writes nothing."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            self.space.settled(commit.txid, self.broken.clock(), Outcome.COMMITTED)
        return reply


class RemembersTheLastFence(BrokenPort):
    """Keeps one txid that was settled as aborted."""

    def settle(self, request: Settle) -> Outcome | None:
        for txid, (outcome, _) in list(self.space.outcomes.items()):
            if outcome is Outcome.ABORTED and txid != request.txid:
                del self.space.outcomes[txid]
        return super().settle(request)


class ChecksBeforeTheTxid(BrokenPort):
    """Checks the preconditions of a commit that has happened before it looks for its txid."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        space = self.space
        answer = judge(commit, space.records, owners=space.unique, held=(), pulses=space.pulses, outcome=None)
        return super().commit(commit) if answer is None else answer


class SettlesAnythingAsCommitted(BrokenPort):
    """Says that a commit has happened if its records are there."""

    def settle(self, request: Settle) -> Outcome | None:
        if request.txid not in self.space.outcomes and self.space.records:
            return Outcome.COMMITTED
        return super().settle(request)


# holds


class HoldsTooShort(MemoryPort):
    """Ends a hold after a hundredth of its time."""

    def hold(self, hold: Hold) -> None:
        super().hold(replace(hold, lasts=hold.lasts / 100))


class HoldsOneOfMany(MemoryPort):
    """Holds the first record of a request."""

    def hold(self, hold: Hold) -> None:
        super().hold(replace(hold, keys=hold.keys[:1]))


class HoldsChecksUp(BrokenPort):
    """Refuses what only checks a record that is held."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        now = self.broken.clock()
        if not commit.size and any(self.space.is_held(key.text, commit.holder, now) for key in commit.keys):
            return super().commit(replace(commit, deletes=(Key("Nothing", "there"),)))
        return super().commit(commit)


class HoldsWhatIsNotThere(BrokenPort):
    """Holds a record that does not exist, so that nobody can create it."""

    def hold(self, hold: Hold) -> None:
        super().hold(hold)
        until = self.broken.clock() + hold.lasts.total_seconds()
        for key in hold.keys:
            self.space.holds.setdefault(key.text, (hold.holder, until))


class HoldsPutsOnly(BrokenPort):
    """Lets others delete and refer to what is held."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        written = {record.key.text for record in commit.puts}
        held = {text: hold for text, hold in self.space.holds.items() if text not in written}
        for text in held:
            del self.space.holds[text]
        try:
            return super().commit(commit)
        finally:
            self.space.holds |= {text: hold for text, hold in held.items() if text in self.space.records}


class ReleasesForAll(BrokenPort):
    """Ends the holds of others too."""

    def release(self, release: Release) -> None:
        for key in release.keys:
            self.space.holds.pop(key.text, None)


class LengthensNoHold(BrokenPort):
    """Leaves the end of a hold where it was when its holder takes it again."""

    def hold(self, hold: Hold) -> None:
        keys = tuple(key for key in hold.keys if self.space.holds.get(key.text, ("",))[0] != hold.holder)
        super().hold(replace(hold, keys=keys))


# whole backends


class TakesNamespacesOfAnyCase(Broken):
    """Takes namespaces for the same that differ in case."""

    def port(self, namespace: str) -> MemoryPort:
        return super().port(namespace.lower())


class ShortensNamespaces(Broken):
    """Uses the first 32 characters of the name of a namespace."""

    def port(self, namespace: str) -> MemoryPort:
        return super().port(namespace[:32])


class TakesDashesForUnderscores(Broken):
    """Writes a namespace as a name of its server, which knows no dashes."""

    def port(self, namespace: str) -> MemoryPort:
        return super().port(namespace.replace("-", "_"))


class ForgetsWhatIsClosed(BrokenPort):
    """Ends the data with the port."""

    def close(self) -> None:
        self.broken.forget(self._namespace)


class KeepsAsyncioApart(Broken):
    """Opens other data for asyncio."""

    def async_port(self, namespace: str) -> ImmediatePort:
        return super().async_port(f"{namespace}-aio")


BROKEN: tuple[Variant, ...] = (
    *map(
        of_port,
        (
            ChecksTwentyFiveAtMost,
            SealsTenAtMost,
            ExpectsUidsOnly,
            SealsByGuardOnly,
            SealsWhatItWritesNot,
            ChecksWhatItDeletesNot,
            SaysThatNothingWasThere,
            NamesTheWrongOwner,
            TakesMovedForMissing,
            LosesGuards,
            StoresTheGuardOfThePut,
            MovesOneGuard,
            WritesTwentyAtMost,
            WritesInTwoParts,
            WritesThePartsBackward,
            DeletesAHundredAtMost,
            SortsDocuments,
            SortsEdges,
            KeepsOneEdgeToATarget,
            WritesPlacesAsText,
            ShortensDocuments,
            TakesTimesForNow,
            ChecksUniquesAgainstTheStore,
            DeletesLast,
            RemembersTenOutcomes,
            ForgetsOutcomesAfterTwoSeconds,
            NotesChecks,
            RemembersTheLastFence,
            ChecksBeforeTheTxid,
            SettlesAnythingAsCommitted,
            HoldsTooShort,
            HoldsOneOfMany,
            HoldsChecksUp,
            HoldsWhatIsNotThere,
            HoldsPutsOnly,
            ReleasesForAll,
            LengthensNoHold,
            ForgetsWhatIsClosed,
        ),
    ),
    *map(of_space, FOLDED),
    *map(
        of_backend,
        (
            TakesNamespacesOfAnyCase,
            ShortensNamespaces,
            TakesDashesForUnderscores,
        ),
    ),
    replace(of_backend(KeepsAsyncioApart), mode=Mode.ASYNCIO),
)
