"""Processes that are killed at a random moment under load: what they were told is there, and nothing is half done."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emco_store import CASCADE, Key, Ref, Resource, Store, StoreError, connect
from emco_store.contracts.harness import scanned
from emco_store.core.records import Record
from emco_store.ports import Scan
from proof.nemesis import seeded
from proof.operations import flaws
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig, at_url
from tests.proof.leftovers import end, short_lives, wait_for_quiet

CLIENTS = 4
"""Threads of each process."""
PARTS = 3
LIFE_S = (0.05, 0.6)
"""A process lives for so long after its first acknowledged unit."""
WAIT_S = 180.0
WAITING = threading.Event()
"""Never set: to wait for a moment that was drawn is to wait for it in vain."""


class Hot(Resource):
    """All units refer to it, so every one moves its guard."""

    beats: int = 0


class Ledger(Resource):
    """Counts the units of one client."""

    count: int = 0


class Unit(Resource):
    """What one transaction creates, and a later one deletes with all its parts."""

    hot: Ref[Hot]


class Part(Resource, parent=Unit, on_parent_delete=CASCADE):
    """Goes with its unit."""


MODELS = (Hot, Ledger, Unit, Part)
HOT = Ref[Hot]("Hot/h")


def work(url: str, namespace: str, life: str, path: str) -> None:
    """Let clients commit until the process is killed; every word is in the file before the next request is sent."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with connect(at_url(url), namespace=namespace, models=MODELS) as store:
        threads = [threading.Thread(target=_client, args=(store, f"{life}c{at}", log)) for at in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _client(store: Store, name: str, log: int) -> None:
    store.put(Ledger(name=name))
    number = 0
    while True:
        number += 1
        _told(log, name, number, lambda: store.run(lambda tx: _create(tx, name, number)))  # noqa: B023 - called at once
        if number % 3 == 0:
            _told(log, name, -number, lambda: store.delete(Key("Unit", f"{name}-{number}")))  # noqa: B023 - as above


def _create(tx: Any, name: str, number: int) -> None:
    ledger = tx.get(Ledger, name)
    tx.update(ledger.model_copy(update={"count": ledger.count + 1}))
    unit = tx.create(Unit(name=f"{name}-{number}", hot=HOT))
    for part in range(PARTS):
        tx.create(Part(name=f"p{part}", parent=unit))


def _told(log: int, name: str, number: int, call: Callable[[], Any]) -> None:
    """Write down that something begins, and how it ended; what failed may have happened or not."""
    os.write(log, f"begin {name} {number}\n".encode())
    try:
        call()
    except StoreError as problem:
        os.write(log, f"failed {name} {number} {type(problem).__name__}\n".encode())
        return
    os.write(log, f"done {name} {number}\n".encode())


def killed_load(rig: Rig, budget: Budget, *, seed: int, out: Path, by_hand: bool = False) -> PhaseResult:
    """Kill processes under load, again and again, and audit what each has left.

    Args:
        rig: The backend.
        budget: How much to do; ``operations`` is the number of processes.
        seed: How long each lives.
        out: Where they write down what they were told.
        by_hand: End what the dead leave on MongoDB at once, as the server itself does later.
    """
    result = PhaseResult("killed under load", rig.name, seed)
    begun, namespace, random = time.monotonic(), rig.namespace(), seeded("killed under load", seed)
    with short_lives(rig), connect(rig.backend, namespace=namespace, models=MODELS) as store:
        store.put(Hot(name="h"))
        for number in range(budget.operations or 1_000_000):
            if number and budget.seconds is not None and time.monotonic() - begun > budget.seconds:
                break
            path = out / f"life-{number}.log"
            if not _live_and_die(rig, namespace, f"l{number}", path, random.uniform(*LIFE_S)):
                result.violated([f"life {number} ended by itself: {path.read_text()[-300:]}"])
            result.add(kills=1)
            result.struck({"SIGKILL": 1})
            if by_hand:
                end(rig)
            waited_s = _go_on(store)
            wait_for_quiet(rig)
            _go_on(store)  # so that what is read next is of a later moment than whatever the dead had sent
            result.most(worst_wait_s=waited_s)
            result.series.setdefault("wait_s", []).append(round(waited_s, 3))
            _audited(rig, namespace, store, path, result)
    rig.forget(namespace)
    return result


def _live_and_die(rig: Rig, namespace: str, life: str, path: Path, seconds: float) -> bool:
    """Run a process until it is killed; give whether it lived until then."""
    forking = multiprocessing.get_context("forkserver")
    process = forking.Process(target=work, args=(rig.url, namespace, life, str(path)), daemon=True)
    process.start()
    until = time.monotonic() + WAIT_S
    while not (path.exists() and "done" in path.read_text()) and process.is_alive() and time.monotonic() < until:
        WAITING.wait(0.01)
    WAITING.wait(seconds)
    lived = process.is_alive()
    process.kill()
    process.join()
    return lived


def _go_on(store: Store) -> float:
    """Write what the dead were writing, and give how long that took; it must not be kept from it for good."""
    begun = time.monotonic()
    while True:
        try:
            hot = store.get(Hot, "h")
            store.update(hot.model_copy(update={"beats": hot.beats + 1}))
        except StoreError:
            if time.monotonic() - begun > WAIT_S:
                raise
        else:
            return time.monotonic() - begun


def _audited(rig: Rig, namespace: str, store: Store, path: Path, result: PhaseResult) -> None:
    records = _records(rig, namespace)
    names = {text.split("/")[1] for text in records if text.startswith("Unit/")}
    heard: dict[str, dict[int, str]] = defaultdict(dict)
    for line in path.read_text().splitlines():
        word, client, number, *_ = line.split()
        heard[client][int(number)] = word
    for client, told in heard.items():
        result.add(units=len(told), acknowledged=sum(word == "done" for word in told.values()))
        result.violated([f"{client}: {text}" for text in _judged(client, told, names, store, records)])
    result.violated([f"after {path.stem}: {flaw}" for flaw in flaws(store)])


def _judged(
    client: str, told: dict[int, str], names: set[str], store: Store, records: dict[str, Record]
) -> Iterator[str]:
    created = [number for number in told if number > 0]
    for number in created:
        name = f"{client}-{number}"
        parts = sum(f"Part/{name}/p{part}" in records for part in range(PARTS))
        if parts != PARTS * (name in names):
            yield f"unit {number} is {'there' if name in names else 'gone'}, with {parts} of its {PARTS} parts"
        deleted = told.get(-number)
        if told[number] == "done" and deleted is None and name not in names:
            yield f"unit {number} was acknowledged, and is lost"
        if deleted == "done" and name in names:
            yield f"unit {number} was deleted, and is there"
    count = store.get(Ledger, client).count
    least = sum(told[number] == "done" for number in created)
    if not least <= count <= len(created):
        yield f"{least} units were acknowledged and {len(created)} begun, and {count} counted"
    last = max(created, default=0)
    was_counted, is_there = count == len(created), f"{client}-{last}" in names
    is_plain = told.get(last) == "begin" and "failed" not in told.values()
    if is_plain and was_counted is not is_there:
        yield f"unit {last} was {'counted' if was_counted else 'not counted'}, and is {'there' if is_there else 'not'}"


def _records(rig: Rig, namespace: str) -> dict[str, Record]:
    port = rig.backend.port(namespace)
    port.open()
    found = {record.key.text: record for record in scanned(port, Scan(None))}
    port.close()
    return found


PHASE = Phase(
    "killed under load",
    "A process that is killed at a random moment loses nothing that it was told, and leaves nothing half done.",
    ("redis", "mongo"),
    killed_load,
)
