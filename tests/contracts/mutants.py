# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends that are broken on purpose, each in one way: the suite must catch every one by the rule that it breaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.memory import MemoryBackend, MemoryPort, _apply
from emco_store.backends.spaces import Space
from emco_store.core.documents import decode, encode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.rules import Rule
from emco_store.ports import (
    Commit,
    Durability,
    Get,
    Guarantees,
    Missing,
    Outcome,
    Receipt,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
)
from tests.contracts.broken_audits import BROKEN_AUDITS
from tests.contracts.broken_bulk import BROKEN_BULK, SilentAudit
from tests.contracts.broken_counts import BROKEN_COUNTS
from tests.contracts.broken_feeds import BROKEN_FEEDS
from tests.contracts.broken_gets import BROKEN_GETS
from tests.contracts.broken_holds import (
    FailsWithItsNeighbour,
    HoldsBackTheHolder,
    HoldsForEver,
    HoldsNothing,
    JudgesByTheStateBefore,
    KeepsHolds,
    LeaksARefusal,
    TakesHoldsAway,
)
from tests.contracts.broken_leases import BROKEN_LEASES
from tests.contracts.broken_many import BROKEN_MANY, EntersAHundredReferences
from tests.contracts.broken_namespaces import BROKEN_NAMESPACES
from tests.contracts.broken_origins import ForgetsOrigins, KeepsTheOldOrigin
from tests.contracts.broken_outcomes import (
    GuessesOutcomes,
    GuessesWhatItForgot,
    SettlesWithoutFencing,
    TrustsTheClockOfTheClient,
)
from tests.contracts.broken_scans import BROKEN_SCANS
from tests.contracts.broken_selections import ChecksSelectionsBeforeTheCommitOnly, TakesMatchesForTargets


class Mutant(MemoryBackend):
    """A memory backend with another port, or other indexes."""

    port_type: type[MemoryPort] = MemoryPort
    space_type: type[Space] = Space

    def __init__(self) -> None:
        super().__init__()
        self._spaces = defaultdict(self.space_type)

    def port(self, namespace: str) -> MemoryPort:
        return self.port_type(self, namespace)

    def async_port(self, namespace: str) -> ImmediatePort:
        return ImmediatePort(self.port(namespace))

    def space(self, namespace: str) -> Space:
        return self._spaces[namespace]


def mutant(*, port: type[MemoryPort] = MemoryPort, space: type[Space] = Space) -> type[Mutant]:
    """Make a backend of a broken part."""
    return type("Broken", (Mutant,), {"port_type": port, "space_type": space})


# commits that check too little


class ForgetsVersions(MemoryPort):
    """Does not look at what the commit expects."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, expect={}))


class OverwritesWhatIsThere(MemoryPort):
    """Checks versions, but not that a key is free: every create is an upsert."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, expect={key: stamp for key, stamp in commit.expect.items() if stamp}))


class ComparesNumbersOnly(MemoryPort):
    """Takes a resource that was created again for the one that was read, when the version is the same."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(commit.expect)))
        expect = {
            key: found[key].stamp if stamp and key in found and found[key].version == stamp.version else stamp
            for key, stamp in commit.expect.items()
        }
        return super().commit(replace(commit, expect=expect))


class ForgetsReads(MemoryPort):
    """Checks what it writes, and not what was only read: snapshot isolation."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        written = {*commit.deletes, *(record.key for record in commit.puts)}
        return super().commit(
            replace(commit, expect={key: stamp for key, stamp in commit.expect.items() if key in written})
        )


class IgnoresRequire(MemoryPort):
    """Does not look for the targets of new references."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, require=frozenset()))


class LeavesGuards(MemoryPort):
    """Looks for the targets of new references, and does not move their guards."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        made = {record.key for record in commit.puts}
        missing = [Missing(key) for key in sorted(commit.require) if key not in made and not self.get(Get((key,)))]
        if missing:
            return Refusal(tuple(missing))
        return super().commit(replace(commit, require=frozenset()))


class IgnoresSeals(MemoryPort):
    """Deletes without looking whether somebody has referred to the target since."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, sealed={}))


class IgnoresSealsOfWhatMustBeAbsent(MemoryPort):
    """Takes a record that must be absent and must be unchanged for one that must be absent."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        sealed = {key: seal for key, seal in commit.sealed.items() if commit.expect.get(key, seal) is not None}
        return super().commit(replace(commit, sealed=sealed))


class CountsOnWhatItCreates(MemoryPort):
    """Takes a record that the commit itself creates for one that exists."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        made = {record.key for record in commit.puts if commit.expect.get(record.key, record) is None}
        return super().commit(replace(commit, require=commit.require - made))


class MovesGuardsByLooking(MemoryPort):
    """Moves the guards of a commit that only checks."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt) and not commit.size:
            with self._backend.request(self._namespace, "commit", commit) as space:
                _apply(space, commit)
        return reply


class NamesTheFirstFailureOnly(MemoryPort):
    """Stops checking at the first precondition that fails."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        return Refusal(reply.failures[:1]) if isinstance(reply, Refusal) else reply


# commits that are not atomic


class ChecksAfterWriting(MemoryPort):
    """Writes first, and says afterwards that it should not have."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Refusal):
            _apply(self._space(), replace(commit, require=frozenset()))
        return reply

    def _space(self) -> Space:
        return self._backend.space(self._namespace)  # type: ignore[attr-defined]


class WritesHalfOfARefusal(ChecksAfterWriting):
    """Leaves what it had written before it met the failure."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = MemoryPort.commit(self, commit)
        if isinstance(reply, Refusal):
            _apply(self._space(), Commit("half", puts=commit.puts[:1]))
        return reply


class ForgetsTxids(ChecksAfterWriting):
    """Takes a commit that is sent again for a new one."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        self._space().outcomes.pop(commit.txid, None)
        return super(ChecksAfterWriting, self).commit(commit)


class AppliesTwice(ChecksAfterWriting):
    """Knows the txid again, and writes once more all the same."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if self._space().settled(commit.txid, self._backend.clock()) is Outcome.COMMITTED:
            _apply(self._space(), replace(commit, require=frozenset()))
            return Receipt(commit.txid)
        return super(ChecksAfterWriting, self).commit(commit)


class RemembersRefusals(ChecksAfterWriting):
    """Takes a refusal for the end of a txid."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super(ChecksAfterWriting, self).commit(commit)
        if isinstance(reply, Refusal):
            self._space().settled(commit.txid, self._backend.clock(), Outcome.ABORTED)
        return reply


class IgnoresFences(ChecksAfterWriting):
    """Performs a commit that was settled as aborted."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if self._space().settled(commit.txid, self._backend.clock()) is Outcome.ABORTED:
            del self._space().outcomes[commit.txid]
        return super(ChecksAfterWriting, self).commit(commit)


# reads


class GetsByPrefix(MemoryPort):
    """Takes a key for the beginning of one."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = dict(super().get(request))
        for key in request.keys:
            first = super().scan(Scan(kind=None, prefix=key.text, limit=1))
            if key not in found and first.records:
                found[key] = first.records[0]
        return found


class GetsFromACache(MemoryPort):
    """Gives what a key once held, whatever has become of it."""

    def __init__(self, backend: MemoryBackend, namespace: str) -> None:
        super().__init__(backend, namespace)
        self._cache: dict[Key, Record] = {}

    def get(self, request: Get) -> Mapping[Key, Record]:
        for key, record in super().get(request).items():
            self._cache.setdefault(key, record)
        return {key: self._cache[key] for key in request.keys if key in self._cache}

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return replace(super().referrers(query), records=self.get(Get(query.load)))


# records that change on their way


class _Writes(MemoryPort):
    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, puts=tuple(map(self.written, commit.puts))))

    def written(self, record: Record) -> Record:
        raise NotImplementedError


class LosesRules(_Writes):
    """Stores references without their rules."""

    def written(self, record: Record) -> Record:
        return replace(record, edges=tuple(replace(edge, rule=Rule.RESTRICT) for edge in record.edges))


class MistakesDefaults(_Writes):
    """Stores the target of a reference as its default."""

    def written(self, record: Record) -> Record:
        return replace(
            record, edges=tuple(replace(edge, default=edge.default and edge.target) for edge in record.edges)
        )


class LosesMapKeys(_Writes):
    """Stores no references that stand in the keys of maps."""

    def written(self, record: Record) -> Record:
        return replace(record, edges=tuple(edge for edge in record.edges if not edge.at_key))


class NewIdentityOnPut(_Writes):
    """Gives a resource a new creation time with each change."""

    def written(self, record: Record) -> Record:
        return replace(record, created_us=record.updated_us)


class OneIdentityForAll(_Writes):
    """Does not tell a resource from the one that had its key before."""

    def written(self, record: Record) -> Record:
        return replace(record, uid="same")


class RoundsTimes(_Writes):
    """Keeps milliseconds, as some servers' dates do."""

    def written(self, record: Record) -> Record:
        return replace(record, created_us=record.created_us // 1000 * 1000, updated_us=record.updated_us // 1000 * 1000)


class RoundsIntegers(_Writes):
    """Passes numbers through a double, as Lua's cjson does."""

    def written(self, record: Record) -> Record:
        return replace(record, document=encode(_rounded(decode(record.document))))


class MistakesEmptyLists(_Writes):
    """Writes an empty list as an empty map, as Lua's cjson does."""

    def written(self, record: Record) -> Record:
        return replace(record, document=record.document.replace(b"[]", b"{}"))


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return int(float(value)) if type(value) is int and abs(value) < 2**62 else value


# indexes that are not kept


class KeepsOldReferrers(Space):
    """Does not take a record out of the look-up of referrers."""

    def drop(self, key: Key) -> None:
        kept = {text: set(found) for text, found in self.referrers.items()}
        super().drop(key)
        for text, found in kept.items():
            self.referrers[text] |= {one for one in found if one in self.records or one == key.text}


class ReferrersOfRecords(MemoryPort):
    """Gives the referrers that are still there, so that the index above does not stumble over its own leftovers."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        with self._backend.request(self._namespace, "referrers", query) as space:
            for found in space.referrers.values():
                found.intersection_update(space.records)
        return super().referrers(query)


class FindsFirstReferenceOnly(Space):
    """Finds a record by its first reference only."""

    def add(self, record: Record) -> None:
        super().add(record)
        for edge in record.edges[1:]:
            if edge.target != record.edges[0].target:
                self.referrers[edge.target.text].discard(record.key.text)


class KeepsOldUniques(Space):
    """Does not free a unique value when its owner changes or goes."""

    def drop(self, key: Key) -> None:
        kept = dict(self.unique)
        super().drop(key)
        self.unique = kept | self.unique


class ChecksNoUniques(Space):
    """Lets every resource have every value."""

    def add(self, record: Record) -> None:
        super().add(replace(record, unique=()))


class LeavesTheIndex(Space):
    """Does not move a record in the order when its values change."""

    def drop(self, key: Key) -> None:
        old = self.records.get(key.text)
        super().drop(key)
        self._old = old.index if old is not None else ()

    def add(self, record: Record) -> None:
        old, self._old = getattr(self, "_old", ()), ()
        super().add(replace(record, index=old or record.index))


class Boasts(MemoryPort):
    """Names no isolation."""

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees("memory", "", Durability.MAJORITY)


MUTANTS: dict[str, tuple[type[MemoryBackend], str]] = {
    **{
        port.__name__: (mutant(port=port), rule)
        for port, rule in (
            (ForgetsVersions, "OCC-2"),
            (ForgetsReads, "OCC-1"),
            (OverwritesWhatIsThere, "ID-1"),
            (ComparesNumbersOnly, "ID-4"),
            (IgnoresRequire, "REF-2"),
            (LeavesGuards, "OCC-10"),
            (IgnoresSeals, "OCC-4"),
            (IgnoresSealsOfWhatMustBeAbsent, "ATM-3"),
            (CountsOnWhatItCreates, "ATM-3"),
            (MovesGuardsByLooking, "ATM-3"),
            (NamesTheFirstFailureOnly, "ATM-3"),
            (ForgetsOrigins, "WHO-1"),
            (KeepsTheOldOrigin, "WHO-1"),
            (HoldsNothing, "OCC-11"),
            (HoldsForEver, "OCC-11"),
            (HoldsBackTheHolder, "OCC-11"),
            (TakesHoldsAway, "OCC-11"),
            (KeepsHolds, "OCC-11"),
            (FailsWithItsNeighbour, "ATM-6"),
            (LeaksARefusal, "ATM-6"),
            (JudgesByTheStateBefore, "ATM-6"),
            (ChecksAfterWriting, "ATM-3"),
            (WritesHalfOfARefusal, "ATM-1"),
            (ForgetsTxids, "ATM-2"),
            (AppliesTwice, "ATM-2"),
            (RemembersRefusals, "ATM-3"),
            (IgnoresFences, "ATM-5"),
            (GuessesOutcomes, "ATM-5"),
            (SettlesWithoutFencing, "ATM-5"),
            (GuessesWhatItForgot, "ATM-5"),
            (TrustsTheClockOfTheClient, "ATM-5"),
            (GetsByPrefix, "ID-2"),
            (GetsFromACache, "ID-11"),
            (LosesRules, "ALL-2"),
            (MistakesDefaults, "DEL-5"),
            (LosesMapKeys, "DEL-1"),
            (NewIdentityOnPut, "ID-5"),
            (OneIdentityForAll, "ID-11"),
            (RoundsTimes, "ID-13"),
            (RoundsIntegers, "ID-13"),
            (MistakesEmptyLists, "ID-13"),
            (Boasts, "DUR-1"),
            (ChecksSelectionsBeforeTheCommitOnly, "OCC-12"),
            (TakesMatchesForTargets, "DEL-13"),
            *BROKEN_BULK,
            *BROKEN_SCANS,
            *BROKEN_AUDITS,
            *BROKEN_COUNTS,
            *BROKEN_LEASES,
            *BROKEN_FEEDS,
            *BROKEN_MANY,
        )
    },
    **{
        space.__name__: (mutant(space=space), rule)
        for space, rule in (
            (FindsFirstReferenceOnly, "DEL-1"),
            (KeepsOldUniques, "ID-6"),
            (ChecksNoUniques, "ID-6"),
            (LeavesTheIndex, "ID-8"),
            (EntersAHundredReferences, "REF-13"),
        )
    },
    "LeavesReferrersOfTheDeleted": (mutant(port=SilentAudit, space=KeepsOldReferrers), "REF-13"),
    "KeepsOldReferrers": (mutant(port=ReferrersOfRecords, space=KeepsOldReferrers), "REF-13"),
    "ForgetsVersionsOfRepairs": (mutant(port=ForgetsVersions), "CHK-8"),
    **BROKEN_NAMESPACES,
    **BROKEN_GETS,
}
"""Each broken backend, with the rule that must catch it."""
