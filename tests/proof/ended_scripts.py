"""Commits on Redis that are ended in the midst by every cause that can be forced: never a half, and a true answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Annotated, Any

from redis import Redis, RedisError

from emco_store import Key, Ref, Resource, StoreError, indexed
from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.server import acl_line
from emco_store.contracts.harness import scanned
from emco_store.core.codec import draft
from emco_store.core.records import Record
from emco_store.ports import Commit, Get, Outcome, OutcomeLost, Port, Receipt, Refusal, Scan, Settle, Unreachable
from proof.nemesis import seeded
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig
from tests.servers.process import HOST, ServerMissing
from tests.servers.redis_nodes import Node, own_redis

RECORDS = 2000
"""Records of the large commit: enough for a script to be met in its midst, some 50 ms."""
NAMESPACE = "ended"
AOF = ("--appendonly", "yes", "--appendfsync", "always")
WAIT_S = 120.0
WAITING = threading.Event()
"""Never set: to wait for a moment that was drawn is to wait for it in vain."""


class Target(Resource):
    """All records refer to it."""


class Thing(Resource):
    """One of many that are always of the same generation."""

    to: Ref[Target] | None = None
    generation: Annotated[int, indexed()] = 0
    text: str = ""


@dataclass
class Large:
    """Many records on one server, rewritten by one commit at a time.

    Attributes:
        node: The server.
        generation: What is stored, as far as is known.
    """

    node: Node
    size: int = RECORDS
    generation: int = 0
    _sent: int = 0
    _records: list[Record] = field(default_factory=list)

    def begin(self) -> None:
        """Write the first generation."""
        target = draft(Target(name="t"), max_bytes=1000).record(uid="t", version=1, created_us=0, updated_us=0)
        with opened(self.node.url) as port:
            assert isinstance(port.ask(Commit("target", puts=(target,))), Receipt)
            assert isinstance(port.ask(self.next("")), Receipt)
        self.generation = 1

    def next(self, text: str) -> Commit:
        """Make the commit that writes the next generation, and rests on the one that is there."""
        self._sent += 1
        expect = {record.key: record.stamp for record in self._records if record.version == self.generation}
        puts = tuple(_thing(at, self.generation + 1, text) for at in range(self.size))
        self._records = list(puts)
        target = frozenset({Key("Target", "t")}) if self.generation == 0 else frozenset()
        return Commit(f"commit-{self._sent}", expect, target, puts=puts)

    def judge(self, said: object, commit: Commit) -> Iterator[str]:
        """Compare what is stored with what was said; settle what is not known."""
        with opened(self.node.url) as port:
            outcome = port.ask(Settle(commit.txid))
            found = {record.version for record in stored(port, "Thing")}
            sizes = len(list(stored(port, "Thing")))
        wanted = self.generation + (outcome is Outcome.COMMITTED)
        if found != {wanted} or sizes != self.size:
            yield f"{outcome}, and {sizes} records of the generations {sorted(found)} are there, not {wanted}"
        is_done = isinstance(said, Receipt)
        if (is_done or isinstance(said, Refusal | StoreError | Unreachable)) and is_done != (outcome == "committed"):
            yield f"the caller was told {said!r}, and it is {outcome}"
        self.generation = max(found)
        self._records = [_thing(at, self.generation, "") for at in range(self.size)]


def _thing(at: int, generation: int, text: str) -> Record:
    made = draft(Thing(name=f"n{at:05}", to="Target/t", generation=generation, text=text), max_bytes=100_000)
    return made.record(uid=f"u{at}", version=generation, created_us=0, updated_us=0)


@contextmanager
def opened(url: str, **options: Any) -> Generator[Port]:
    """Open a port on a server."""
    with Redis.from_url(url, retry=None, **options) as client:
        port = RedisBackend(client).port(NAMESPACE)
        port.open()
        yield port


def stored(port: Port, kind: str) -> Iterator[Record]:
    """Return all records of a kind."""
    yield from scanned(port, Scan(kind))


Cause = Callable[[Large, Commit, Random], tuple[str, object]]
"""Sends a commit and ends it; gives what came about and what the caller was told."""


def _send(port: Port, commit: Commit) -> object:
    try:
        return port.ask(commit)
    except (StoreError, OutcomeLost, Unreachable) as problem:
        return problem


def script_kill(large: Large, commit: Commit, random: Random) -> tuple[str, object]:
    """Ask for the end of the script from a moment on until there is an answer."""
    came = "not met"
    with (
        opened(large.node.url, socket_timeout=WAIT_S) as port,
        large.node.admin() as admin,
        _busy_soon(admin),
        ThreadPoolExecutor(1) as threads,
    ):
        sending = threads.submit(_send, port, commit)
        WAITING.wait(random.random() * 0.1)
        while not sending.done() and came == "not met":
            came = _kill_script(admin)
        return came, sending.result()


def _kill_script(admin: Any) -> str:
    try:
        admin.execute_command("SCRIPT KILL")
    except RedisError as problem:
        return "could not be killed any more" if "UNKILLABLE" in str(problem) else "not met"
    return "killed before its first write"


@contextmanager
def _busy_soon(admin: Any) -> Generator[None]:
    name = _threshold(admin)
    admin.config_set(name, 1)
    yield
    admin.config_set(name, 5000)


def _threshold(admin: Any) -> str:
    return "busy-reply-threshold" if admin.config_get("busy-reply-threshold") else "lua-time-limit"


def server_kill(large: Large, commit: Commit, random: Random) -> tuple[str, object]:
    """End the server as ``kill -9`` does, at a moment that is drawn, and start it again on its file."""
    with opened(large.node.url, socket_timeout=WAIT_S) as port, ThreadPoolExecutor(1) as threads:
        sending = threads.submit(_send, port, commit)
        WAITING.wait(random.random() * 0.15)
        large.node.kill()
        said = sending.result()
    large.node.start()
    return "after the reply" if isinstance(said, Receipt) else "before the reply", said


def shutdown(large: Large, commit: Commit, random: Random) -> tuple[str, object]:
    """Tell the server to end at once and to save nothing, which it does in the midst of a script too."""
    with opened(large.node.url, socket_timeout=WAIT_S) as port, large.node.admin() as admin:
        admin.config_set(_threshold(admin), 1)  # it listens to this in the midst of a script only when that is slow
        with ThreadPoolExecutor(1) as threads:
            sending = threads.submit(_send, port, commit)
            WAITING.wait(random.random() * 0.1)
            with suppress(RedisError):  # there is no answer
                admin.execute_command("SHUTDOWN", "NOSAVE")
            said = sending.result()
    large.node.process.wait(WAIT_S)
    large.node.start()
    return "after the reply" if isinstance(said, Receipt) else "before the reply", said


def impatience(large: Large, commit: Commit, random: Random) -> tuple[str, object]:
    """Have a client that waits for the reply no longer than a moment that is drawn."""
    with opened(large.node.url) as port:
        pool: Any = port._client.connection_pool  # type: ignore[attr-defined]  # the port is one of Redis
        pool.reset()  # so that its next connection is made with what follows
        pool.connection_kwargs["socket_timeout"] = 0.002 + random.random() * 0.05
        said = _send(port, commit)
    return "in time" if isinstance(said, Receipt) else "gave up", said


def memory(large: Large, commit: Commit, random: Random) -> tuple[str, object]:
    """Let the memory end within what the commit needs."""
    text = "x" * 400
    grown = replace(commit, puts=tuple(_with_text(put, text) for put in commit.puts))
    with large.node.admin() as admin, opened(large.node.url, socket_timeout=WAIT_S) as port:
        used = int(admin.info("memory")["used_memory"])
        admin.config_set("maxmemory", used + int(random.uniform(-0.1, 8) * len(grown.puts) * len(text)))
        said = _send(port, grown)
        admin.config_set("maxmemory", 0)
    return "refused" if isinstance(said, StoreError) else "not met", said


def _with_text(record: Record, text: str) -> Record:
    document = json.loads(record.document) | {"text": text}
    return replace(record, document=json.dumps(document, separators=(",", ":")).encode())


CAUSES: dict[str, Cause] = {
    "SCRIPT KILL": script_kill,
    "kill -9 of the server": server_kill,
    "SHUTDOWN NOSAVE": shutdown,
    "a client that does not wait": impatience,
    "maxmemory": memory,
}
FLIPS: Sequence[tuple[tuple[str, ...], tuple[str, ...]]] = (
    *((("ACL", "SETUSER", "app", f"-{denied}"), ("ACL", "SETUSER", "app", f"+{denied}"))
      for denied in ("hset", "zadd", "hdel", "zrem", "set", "hget", "type", "evalsha")),
    (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
    (("REPLICAOF", HOST, "1"), ("REPLICAOF", "NO", "ONE")),
    (("SCRIPT", "FLUSH"), ("PING",)),
)  # fmt: skip
"""Settings that refuse a commit, and what takes them back."""


def flipping(node: Node, random: Random, flips: int) -> tuple[dict[str, int], list[str]]:
    """Commit from several threads at once, in pipelines, while settings that refuse commits come and go."""
    node.ask("ACL", "SETUSER", "app", "reset", "on", ">secret", *acl_line(NAMESPACE).split())
    ended, counts = threading.Event(), {"done": 0, "refused": 0, "unknown": 0}
    larges = [_Small(node, number) for number in range(4)]
    url = node.url.replace("://", "://app:secret@")
    with opened(url, socket_timeout=WAIT_S) as port, ThreadPoolExecutor(len(larges)) as threads:
        working = [threads.submit(small.work, port, ended, counts) for small in larges]
        try:
            for _ in range(flips):
                on, off = random.choice(FLIPS)
                node.ask(*on)
                WAITING.wait(random.random() * 0.01)
                node.ask(*off)
                WAITING.wait(random.random() * 0.01)
        finally:
            ended.set()
        bad = [text for one in working for text in one.result()]
    with opened(node.url) as port:
        bad += [text for small in larges for text in small.judge(port)]
    return counts, bad


@dataclass
class _Small:
    """A few records that one thread rewrites, generation after generation."""

    node: Node
    number: int
    generation: int = 0

    def work(self, port: Port, ended: threading.Event, counts: dict[str, int]) -> list[str]:
        sent, bad = 0, list[str]()
        while not ended.is_set():
            sent += 1
            commit = self._next(sent)
            said = _send(port, commit)
            while isinstance(said, OutcomeLost):
                counts["unknown"] += 1
                said = _send(port, commit)
            counts["done" if isinstance(said, Receipt) else "refused"] += 1
            if isinstance(said, Receipt):
                self.generation += 1
            elif isinstance(said, Refusal):
                bad.append(f"nobody else writes these, and yet {said.failures[:2]}")
        return bad

    def _next(self, sent: int) -> Commit:
        puts = tuple(self._thing(at, self.generation + 1) for at in range(5))
        expect = {put.key: self._thing(at, self.generation).stamp for at, put in enumerate(puts)}
        known = dict.fromkeys(expect) if self.generation == 0 else expect
        return Commit(f"small-{self.number}-{sent}", known, puts=puts)

    def _thing(self, at: int, generation: int) -> Record:
        made = draft(Thing(name=f"s{self.number}-{at}", generation=generation), max_bytes=1000)
        return made.record(uid=f"s{self.number}-{at}", version=generation, created_us=0, updated_us=0)

    def judge(self, port: Port) -> Iterator[str]:
        found = port.ask(Get(tuple(self._thing(at, 1).key for at in range(5))))
        versions = sorted(record.version for record in found.values())
        if versions != [self.generation] * (5 if self.generation else 0):
            yield f"thread {self.number} was told of generation {self.generation}, and {versions} are there"


def ended_scripts(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - see Run
    """End large commits by every cause on servers of its own, of each version that is here."""
    result = PhaseResult("ended scripts", rig.name, seed)
    begun, random = time.monotonic(), seeded("ended scripts", seed)
    for version in (None, "wheel"):
        try:
            with own_redis(*AOF, binary=version) as node:
                half = None if budget.seconds is None else begun + budget.seconds * (0.5 if version is None else 1.0)
                _end_on(node, result, random, budget.operations, half)
        except ServerMissing as problem:
            result.notes.append(str(problem))
    return result


def _end_on(node: Node, result: PhaseResult, random: Random, rounds: int | None, end: float | None) -> None:
    large = Large(node, size=RECORDS)
    large.begin()
    done = 0
    for number, (name, cause) in product(range(rounds or 1_000_000), CAUSES.items()):
        if number and end is not None and time.monotonic() > end:
            break
        commit = large.next("")
        came, said = cause(large, commit, random)
        result.struck({f"{name}: {came}": 1})
        result.add(commits=1)
        result.violated([f"{name}, {came}: {text}" for text in large.judge(said, commit)])
        done = number
    counts, bad = flipping(node, random, 20 * (done + 1))
    result.add(**{f"{name} while settings flip": number for name, number in counts.items()})
    result.violated(bad)


PHASE = Phase(
    "ended scripts",
    "A commit on Redis that is ended by any cause has happened whole or not at all, and the caller is told the truth.",
    ("redis",),
    ended_scripts,
)
