# ruff: noqa: D102 - what a method should promise is in the base classes, and that it does not do so is in its class
"""Variants of a key-value backend: maps that are none, and lines of the base that are wrong."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Part, Snapshot, Span, Write
from emco_store.contracts import paused_map
from emco_store.contracts.damaging import Damage
from emco_store.contracts.pauses import Pauses
from emco_store.core.records import Record
from emco_store.ports import Backend, Durability
from proof.variants.broken import Variant, named
from proof.variants.lines import Line, of_line

EXAMPLE: Final = Path(__file__).parents[2] / "examples/third_party_backend/map_backend.py"


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("map_backend", EXAMPLE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Map(OrderedMap):
    """The map of the example, as it is."""

    name = "dictionary"
    durability = Durability.VOLATILE

    def __init__(self) -> None:
        self.inner: OrderedMap = _example().DictMap()

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with self.inner.snapshot() as inner:
            yield inner

    def write(self, write: Write) -> bool:
        return self.inner.write(write)

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        return self.inner.later(prefix, revision, limit)

    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        self.inner.wait(prefix, revision, within_s)

    def now_us(self) -> int:
        return self.inner.now_us()


# reads


class _View:
    """A snapshot that reads wrongly."""

    def __init__(self, inner: Snapshot) -> None:
        self.inner = inner

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        return self.inner.get(keys)

    def scan(self, span: Span) -> Part:
        return self.inner.scan(span)

    def count(self, span: Span) -> int:
        return self.inner.count(span)


class _Viewing(_Map):
    """Has such snapshots."""

    view: type[_View]

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with super().snapshot() as inner:
            yield self.view(inner)


def _viewing(view: type[_View]) -> type[_Viewing]:
    return type(view.__name__, (_Viewing,), {"__doc__": view.__doc__, "view": view})


class SaysThatNothingFollows(_View):
    """Says of each part that its span holds no more."""

    def scan(self, span: Span) -> Part:
        return replace(super().scan(span), more=False)


class CutsPartsAtAHundred(_View):
    """Reads a hundred entries at most, and says that nothing follows."""

    def scan(self, span: Span) -> Part:
        part = super().scan(replace(span, limit=min(span.limit, 100)))
        return replace(part, more=part.more and span.limit <= 100)


class CutsPartsAtTwenty(_View):
    """Reads twenty entries at most, and says that there is more: a page that is short, and right."""

    def scan(self, span: Span) -> Part:
        return super().scan(replace(span, limit=min(span.limit, 20)))


class GetsFewKeysAtMost(_View):
    """Reads the first 128 keys of those that are asked for, as many as one request takes."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        return super().get(keys[:128])


class IncludesTheKeyBeyond(_View):
    """Takes the end of a span for a part of it."""

    def scan(self, span: Span) -> Part:
        return super().scan(replace(span, below=span.below + b"\0"))


class ReadsForwardOnly(_View):
    """Takes no notice of the direction."""

    def scan(self, span: Span) -> Part:
        return super().scan(replace(span, descending=False))


class TurnsOnePageRound(_View):
    """Reads the beginning of a span and turns it round."""

    def scan(self, span: Span) -> Part:
        part = super().scan(replace(span, descending=False))
        return replace(part, entries=part.entries[::-1]) if span.descending else part


class CountsToTheLimit(_View):
    """Counts as many entries as the span may return."""

    def count(self, span: Span) -> int:
        return min(super().count(span), span.limit)


class EndsKeysAtNul(_View):
    """Takes two keys for one that differ after a NUL."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        found = dict(super().get(keys))
        for key in keys:
            head = key.partition(b"\0")[0] + b"\0"
            near = self.inner.scan(Span(head, head + b"\xff", 1)).entries
            if key not in found and b"\0" in key and near:
                found[key] = near[0]
        return found


class ReadsWhatIsThereNow(_Map):
    """Reads each part of a snapshot as of its own moment."""

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with super().snapshot() as inner:
            pass
        yield inner


class ReadsOneWriteBehind(_Map):
    """Reads from a copy that lacks the newest write."""

    def __init__(self) -> None:
        super().__init__()
        self._copy: OrderedMap = _example().DictMap()
        self._newest: Write | None = None

    def write(self, write: Write) -> bool:
        is_written = super().write(write)
        if is_written:
            if self._newest is not None:
                self._copy.write(replace(self._newest, when={}))
            self._newest = write
        return is_written

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with self._copy.snapshot() as inner:
            yield inner


# writes


class WritesWhatever(_Map):
    """Compares no revisions."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, when={}))


class ComparesWhatIsThere(_Map):
    """Does not see that an entry should be absent and is there."""

    def write(self, write: Write) -> bool:
        when = {key: revision for key, revision in write.when.items() if revision != ABSENT}
        return super().write(replace(write, when=when))


class ComparesWhatIsAbsent(_Map):
    """Sees whether an entry is there, and not whether it has changed."""

    def write(self, write: Write) -> bool:
        with self.snapshot() as snapshot:
            now = {key: entry.revision for key, entry in snapshot.get(tuple(write.when)).items()}
        when = {key: now.get(key, revision) if revision else ABSENT for key, revision in write.when.items()}
        return super().write(replace(write, when=when))


class ComparesTheFirstHundred(_Map):
    """Compares a hundred revisions of a write at most."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, when=dict(list(write.when.items())[:100])))


class CountsVersionsOfKeys(_Map):
    """Gives each key revisions of its own, which begin again when it was removed; those of the feed go on."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[bytes, int] = {}

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with super().snapshot() as inner:
            yield _Versions(inner, self.versions)

    def write(self, write: Write) -> bool:
        with super().snapshot() as snapshot:
            now = {key: entry.revision for key, entry in snapshot.get(tuple(write.when)).items()}
        when = {
            key: now.get(key, -1) if revision == self.versions.get(key) else revision
            for key, revision in write.when.items()
        }
        is_written = super().write(replace(write, when=when))
        if is_written:
            for key in write.deletes:
                self.versions.pop(key, None)
            self.versions |= {key: self.versions.get(key, 0) + 1 for key in write.puts if not _is_of_the_feed(key)}
        return is_written


class _Versions(_View):
    """Reads with such revisions."""

    def __init__(self, inner: Snapshot, versions: Mapping[bytes, int]) -> None:
        super().__init__(inner)
        self._versions = versions

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        return {
            key: replace(entry, revision=self._versions.get(key, entry.revision))
            for key, entry in super().get(keys).items()
        }


def _is_of_the_feed(key: bytes) -> bool:
    return b"/f/" in key or b"/t/" in key


class WritesInBatches(_Map):
    """Sends puts beyond 128 in a second write, which compares nothing."""

    def write(self, write: Write) -> bool:
        puts = list(write.puts.items())
        is_written = super().write(replace(write, puts=dict(puts[:128])))
        if is_written and len(puts) > 128:
            super().write(Write(puts=dict(puts[128:])))
        return is_written


class PutsFewEntriesAtMost(_Map):
    """Puts the first 128 entries of a write."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, puts=dict(list(write.puts.items())[:128])))


class RemovesNothing(_Map):
    """Forgets to remove."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, deletes=frozenset()))


class RemovesFewEntriesAtMost(_Map):
    """Removes the first fifty entries of a write."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, deletes=frozenset(sorted(write.deletes)[:50])))


class ShortensEntries(_Map):
    """Stores 64 KiB of a value at most."""

    def write(self, write: Write) -> bool:
        return super().write(replace(write, puts={key: v[: 1 << 16] for key, v in write.puts.items()}))


class ChecksAndThenWrites(_Map):
    """Compares in one step, and writes in another."""

    def write(self, write: Write) -> bool:
        return super().write(Write(when=write.when)) and super().write(replace(write, when={}))


# the rest


class TellsInTheOrderOfKeys(_Map):
    """Returns what was put later in the order of its keys."""

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        found = super().later(prefix, revision, 1_000_000)
        return tuple(sorted(found, key=lambda entry: entry.key)[:limit])


class TellsTheNewest(_Map):
    """Returns the newest of what was put later, and not the oldest."""

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        found = super().later(prefix, revision, 1_000_000)
        return found[-limit:]


class TellsFromTheRevisionOn(_Map):
    """Returns what was put at a revision, too."""

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        return super().later(prefix, revision - 1, limit)


class TakesPrefixesForWholeTables(_Map):
    """Returns what was put later under the first part of a prefix."""

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        return super().later(prefix.partition(b"/")[0], revision, limit)


class TellsTheTimeInMilliseconds(_Map):
    """Counts milliseconds where microseconds are wanted."""

    def now_us(self) -> int:
        now_us = super().now_us()
        return now_us // 1000


class TellsWholeSeconds(_Map):
    """Has a clock of whole seconds."""

    def now_us(self) -> int:
        now_us = super().now_us()
        return now_us // 1_000_000 * 1_000_000


class StandsStill(_Map):
    """Tells the time at which it was made."""

    def __init__(self) -> None:
        super().__init__()
        self._begun_us = super().now_us()

    def now_us(self) -> int:
        return self._begun_us


class SortsWithoutCase(_View):
    """Returns the entries of a part in an order that knows no case."""

    def scan(self, span: Span) -> Part:
        part = super().scan(span)
        found = sorted(part.entries, key=lambda entry: entry.key.lower(), reverse=span.descending)
        return replace(part, entries=tuple(found))


MAPS: Final[Sequence[type[Any]]] = (
    *map(
        _viewing,
        (
            SaysThatNothingFollows,
            CutsPartsAtAHundred,
            GetsFewKeysAtMost,
            IncludesTheKeyBeyond,
            ReadsForwardOnly,
            TurnsOnePageRound,
            CountsToTheLimit,
            EndsKeysAtNul,
            SortsWithoutCase,
        ),
    ),
    ReadsWhatIsThereNow,
    ReadsOneWriteBehind,
    WritesWhatever,
    ComparesWhatIsThere,
    ComparesWhatIsAbsent,
    ComparesTheFirstHundred,
    CountsVersionsOfKeys,
    WritesInBatches,
    PutsFewEntriesAtMost,
    RemovesNothing,
    RemovesFewEntriesAtMost,
    ShortensEntries,
    ChecksAndThenWrites,
    TellsInTheOrderOfKeys,
    TellsTheNewest,
    TellsFromTheRevisionOn,
    TakesPrefixesForWholeTables,
    TellsTheTimeInMilliseconds,
    StandsStill,
)
SOUND_MAPS: Final[Sequence[type[Any]]] = (_viewing(CutsPartsAtTwenty), TellsWholeSeconds)


def _of_map(rows: type[Any]) -> Variant:
    return replace(named(rows, lambda: KeyValueBackend(rows())), inside=inside, damage=damage, rows=rows)


def inside(backend: Any, pauses: Pauses) -> AbstractContextManager[Backend]:
    """Let the suite into the middle of the requests of a backend on a map, as the modules are by then."""
    return paused_map.inside_map(backend, pauses)


def damage(backend: Any, namespace: str, record: Record, what: Damage) -> bool:
    """Remove or add a row beside a record, as the modules are by then."""
    return paused_map.damage_map(backend, namespace, record, what)


_BASE: Final = "emco_store.backends.keyvalue"
MODULES: Final = (
    "emco_store.backends.judging",
    *(f"{_BASE}.{name}" for name in ("rows", "ranges", "planning", "feed", "auditing", "port", "backend")),
    "emco_store.contracts.paused_map",
)
_PLANNING, _ROWS, _RANGES, _PORT = (f"{_BASE}.{name}" for name in ("planning", "rows", "ranges", "port"))
LINES: Final = (
    Line(
        "CarriesNoGuard", "A record that is written loses the count of its referrers.", _PLANNING,
        "guard = (0 if old is None else old.guard) +", "guard = 0 +",
    ),
    Line(
        "WritesOverTheRecord", "A commit does not compare the records that it rests on when it writes.", _PLANNING,
        "guarded += [names.record(key.text) for key in _all_keys(commit)]", "",
    ),
    Line(
        "WritesOverTheClaim", "A commit does not compare the owners of unique values when it writes.", _PLANNING,
        "*claims.values(), *pulses.values()]", "*pulses.values()]",
    ),
    Line(
        "WritesOverThePulse", "A commit does not compare the pulses that it ends when it writes.", _PLANNING,
        "*claims.values(), *pulses.values()]", "*claims.values()]",
    ),
    Line(
        "WritesOverTheOutcome", "A commit does not compare its own outcome when it writes.", _PLANNING,
        "guarded = [names.outcome(commit.txid), ", "guarded = [",
    ),
    Line(
        "ComparesWhatItWrites", "A commit compares the records that it writes, and not those that it has only read.",
        _PLANNING, "guarded += [names.record(key.text) for key in _all_keys(commit)]",
        "guarded += [names.record(key.text) for key in (*commit.deletes, *(put.key for put in commit.puts))]",
    ),
    Line(
        "ComparesNoTargets", "A commit does not compare the targets whose guards it moves.", _PLANNING,
        "guarded += [names.record(key.text) for key in _all_keys(commit)]",
        "guarded += [names.record(key.text) for key in commit.touched]",
    ),
    Line(
        "LeavesPulses", "A lease that ends leaves its pulse.", _PLANNING,
        "deletes.update(map(names.pulse, ended_pulses(commit, records)))", "",
    ),
    Line(
        "LeavesHolds", "A hold stays when its record is written.", _PLANNING,
        "deletes.update(row for row in map(names.hold,", "list(row for row in map(names.hold,",
    ),
    Line(
        "HoldsWithoutEnd", "A hold that is over hinders as before.", _PLANNING,
        "return hold.holder != holder and hold.until_us > now_us", "return hold.holder != holder",
    ),
    Line(
        "ForgetsWhatIsNotOver", "The sweep removes the outcomes that must be kept, and keeps the others.", _PLANNING,
        "return Settled.read(data).until_us <= now_us", "return Settled.read(data).until_us >= now_us",
    ),
    Line(
        "MixesNamespaces", "A namespace begins like the rows of another one whose name begins so.", _ROWS,
        'return b"%b%b/" % (PREFIX, self.namespace.encode())', 'return b"%b%b" % (PREFIX, self.namespace.encode())',
    ),
    Line(
        "EscapesNothing", "A NUL within a value ends it.", _ROWS, 'if "\\0" in text or "\\1" in text:', "if False:",
    ),
    Line(
        "FindsNamesakesOfTargets", "The referrers of a record are also those of records whose keys begin like its own.",
        _ROWS, "return self.referrers + part(target)", "return self.referrers + target.encode()",
    ),
    Line(
        "LeavesOldEntries", "The entries of what a record had before stay.", _ROWS,
        "before.keys() - after.keys()", "set[bytes]()",
    ),
    Line(
        "MovesNoEntries", "A record that is written keeps the entries of what it had before.", _ROWS,
        "{row: held for row, held in after.items() if row not in before}",
        "{row: held for row, held in after.items() if not before}",
    ),
    Line(
        "FindsNamesakesOfKinds", "A list of a kind holds records of the kinds whose names begin so.", _RANGES,
        '(f"{scan.kind}/" if scan.kind else "")', '(f"{scan.kind}" if scan.kind else "")',
    ),
    Line(
        "BeginsWithTheRowBefore", "A page of rows begins with the last one of the page before.", _RANGES,
        'Span(prefix + after + b"\\0" if after', "Span(prefix + after if after",
    ),
    Line(
        "SettlesOverAnything", "A settlement does not compare whether the commit has happened meanwhile.", _PORT,
        "Write({row: ABSENT}, {row: aborted})", "Write({}, {row: aborted})",
    ),
    Line(
        "BeatsOverAnything", "A beat does not compare whether its pulse has ended meanwhile.", _PORT,
        "self._map.write(Write(when, puts)) else None", "self._map.write(Write({}, puts)) else None",
    ),
    Line(
        "ReleasesWhateverIsThere", "A release does not compare whether the hold is another one by now.", _PORT,
        "self._map.write(Write(own, deletes=frozenset(own)))", "self._map.write(Write({}, deletes=frozenset(own)))",
    ),
    Line(
        "FreesWhatIsTaken", "A unique value is free if its owner is named by the commit in any way.",
        "emco_store.backends.judging", "going = {key.text for key in commit.deletes} |",
        "going = {key.text for key in commit.keys} |",
    ),
    Line(
        "CallsTheLastBeatLater", "A lease whose newest beat was seen counts as one that has beaten since.",
        "emco_store.backends.judging", "pulse.number > seen.number", "pulse.number >= seen.number",
    ),
)  # fmt: skip


def _dictionary() -> Backend:
    backend: Backend = _example().DictBackend()
    return backend


BROKEN: Final[Sequence[Variant]] = (
    *map(_of_map, MAPS),
    *(replace(of_line(line, MODULES, _dictionary), inside=inside, damage=damage) for line in LINES),
)
SOUND: Final = (
    Variant("(as it is)", "The backend of which these are variants.", _dictionary, inside=inside, damage=damage),
    *map(_of_map, SOUND_MAPS),
)
"""Backends that must pass."""
