"""What a MongoDB server and a namespace on it look like; for ``emco-store doctor``, so it writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from pymongo.errors import ExecutionTimeout, OperationFailure

from emco_store.backends.health import (
    Finding,
    Report,
    Verdict,
    clock,
    durability_finding,
    latency,
    refusal,
    unreachable,
)
from emco_store.backends.mongo import commands, indexes, pulses
from emco_store.backends.mongo.errors import Collided, translated
from emco_store.backends.mongo.outages import addresses, outage
from emco_store.backends.mongo.server import guarantees
from emco_store.core.wording import count
from emco_store.errors import StoreError
from emco_store.ports import Durability, Unreachable

COUNT_WITHIN_MS = 10_000
"""How long the count of records may take on the server."""
_ENOUGH_MEMBERS = 3
_LONG_S = 10
_WINDOW = timedelta(days=1)
_NEARLY_FULL = 0.8


def look(client: Any, database: str, namespace: str, read: Callable[[], object], *, transport: Finding) -> Report:
    """Look at the server behind a client, and at a namespace.

    Args:
        client: A blocking client of PyMongo.
        database: The name of the database.
        namespace: The namespace.
        read: Performs one read, as a store does.
        transport: How that read reaches the server.
    """
    named = addresses(client)
    try:
        with translated():
            hello = client.admin.command("hello")
            version = str(client.admin.command("buildInfo")["version"])
            findings = [Finding("server", f"MongoDB {version}"), _topology(hello)]
            durability, refusals = _judged(hello, version, findings)
            findings += refusals
            findings.append(latency("ping", lambda: client.admin.command("ping")))
            findings.append(clock(lambda: _now_us(client), resolution_us=1000))
            if durability is not None:
                findings += [transport, latency("read", read), *_settings(client)]
            collection = client[database][commands.collection(namespace)]
            findings += [*_indexes(collection), *_feed(client)]
            return Report("mongodb", tuple(findings), _records(collection), durability=durability)
    except Unreachable:
        found = outage(client, named)
        return unreachable("mongodb", "; ".join(found.reasons) if found else "it does not answer in time")
    except Collided:
        return unreachable("mongodb", "it was busy with a change of its own")
    except StoreError as problem:
        return Report("mongodb", (refusal("server", problem),), records=None)


def _topology(hello: Mapping[str, Any]) -> Finding:
    if hello.get("msg") == "isdbgrid":
        return Finding(
            "topology", "sharded cluster", Verdict.WRONG, "connect to a replica set: nothing is proven on sharded ones."
        )
    if "setName" not in hello:
        hint = "start it with --replSet NAME and run rs.initiate() once: only a replica set has transactions."
        return Finding("topology", "standalone", Verdict.WRONG, hint)
    members = [*hello.get("hosts", ()), *hello.get("passives", ())]
    arbiters = hello.get("arbiters", ())
    numbers = f"{count(len(members), 'member')}, {count(len(arbiters), 'arbiter')}"
    return Finding.judged(
        "topology",
        f"replica set {hello['setName']}, {numbers}: {', '.join(members)}",
        bad=len(members) < _ENOUGH_MEMBERS,
        hint=f"for production: {_ENOUGH_MEMBERS} members that hold data; fewer lose data, or stop, with one disk.",
        verdict=Verdict.ADVICE,
    )


def _judged(hello: Mapping[str, Any], version: str, findings: list[Finding]) -> tuple[Durability | None, list[Finding]]:
    """Say what a store would say on opening, where it is not said yet."""
    try:
        found = guarantees(hello, version).durability
    except StoreError as problem:
        if any(finding.verdict is Verdict.WRONG for finding in findings):
            return None, []
        return None, [refusal("promises", problem)]
    return found, [durability_finding(found)]


def _settings(client: Any) -> Iterator[Finding]:
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure:
        yield Finding("write concern", "majority, asked for by the store; the set's own settings may not be read")
    else:
        journaled = config.get("writeConcernMajorityJournalDefault", True)
        yield Finding.judged(
            "write concern",
            f"majority, {'journaled' if journaled else 'not journaled'}; asked for by the store",
            bad=not journaled,
            hint="rs.reconfig() with writeConcernMajorityJournalDefault: true; else a power failure loses commits.",
        )
    name = "transactionLifetimeLimitSeconds"
    try:
        limit_s = client.admin.command("getParameter", 1, **{name: 1})[name]
    except OperationFailure:
        return
    yield Finding.judged(
        "transaction lifetime",
        f"{limit_s} s",
        bad=limit_s > _LONG_S,
        hint=f"setParameter {name}: 5 on every member: a client that dies in a commit blocks its records for so long.",
        verdict=Verdict.ADVICE,
    )


def _now_us(client: Any) -> int:
    return pulses.micros(client.admin.command("hello")["localTime"])


def _indexes(collection: Any) -> Iterator[Finding]:
    """Say which indexes there are, and which of them nothing needs, as where an earlier release has made them."""
    try:
        there = set(collection.index_information())
        idle = sorted(name for name in there & indexes.LATER.keys() if not _is_used(collection, name))
    except OperationFailure:
        yield Finding("indexes", "may not be read by this user")
        return
    if not there:
        yield Finding("indexes", "none yet: the first store that opens the namespace makes them")
        return
    missing = sorted(indexes.FIRST - there)
    yield Finding.judged(
        "indexes",
        f"missing: {', '.join(missing)}" if missing else ", ".join(sorted(there)),
        bad=bool(missing),
        hint="open a store once as a user who may create indexes: connect() makes those that are missing.",
    )
    if idle:
        yield Finding(
            "idle indexes",
            f"{', '.join(idle)}: nothing is in them, and each slows down every create and delete",
            Verdict.ADVICE,
            "dropIndexes for them, once no program runs an earlier release; a store makes an index when it needs it.",
        )


def _is_used(collection: Any, name: str) -> bool:
    """Tell whether any document is in an index, by a look into that index."""
    wanted = {indexes.LATER[name]: {"$exists": True}}
    return collection.find_one(wanted, {"_id": 1}, hint=name, max_time_ms=COUNT_WITHIN_MS) is not None


def _feed(client: Any) -> Iterator[Finding]:
    """Say how far back the feed of every namespace goes: as far as the oplog."""
    oplog = client["local"]["oplog.rs"]
    try:
        ends = [oplog.find_one({}, {"ts": 1}, sort=[("$natural", way)]) for way in (1, -1)]
        size = client["local"].command("collStats", "oplog.rs")
    except OperationFailure:
        yield Finding("feed", "how far the oplog goes back may not be read by this user")
        return
    if None in ends:  # there is no replica set
        return
    first, last = (end["ts"].time for end in ends)
    window = timedelta(seconds=last - first)
    yield Finding.judged(
        "feed",
        f"the oplog goes back {window}, {size['size'] / 2**20:.0f} of {size['maxSize'] / 2**20:.0f} MiB",
        bad=window < _WINDOW and size["size"] > _NEARLY_FULL * size["maxSize"],
        hint="replSetResizeOplog with a larger size or minRetentionHours on every member: a reader that is away for "
        "longer gets FeedGap.",
        verdict=Verdict.ADVICE,
    )


def _records(collection: Any) -> Mapping[str, int] | None:
    """Count the records of each kind, which reads all of them."""
    kind = {"$arrayElemAt": [{"$split": ["$_id", "/"]}, 0]}
    stages = [
        {"$match": {"d": {"$exists": True}}},
        {"$group": {"_id": kind, "count": {"$sum": 1}}},
        {"$sort": {"_id": 1}},
    ]
    try:
        return {group["_id"]: group["count"] for group in collection.aggregate(stages, maxTimeMS=COUNT_WITHIN_MS)}
    except (ExecutionTimeout, OperationFailure):
        return None
