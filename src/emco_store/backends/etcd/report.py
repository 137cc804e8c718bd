"""What a cluster of etcd looks like; for ``emco-store doctor``, so it writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from emco_store.backends.etcd.address import Address
from emco_store.backends.etcd.clock import NARROW_US
from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.etcd.messages import ALARMS, MEMBERS, STATUS, TXN, probe
from emco_store.backends.etcd.server import is_corrupting, is_unsynced, version_of
from emco_store.backends.etcd.wire import Wire
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
from emco_store.backends.keyvalue.feed import KEPT
from emco_store.core.wording import count
from emco_store.errors import Misconfigured, StoreError
from emco_store.ports import Durability, Unreachable

_METRICS = "/metrics"
_METRIC = re.compile(r"^(etcd_\w+) ([0-9.e+]+)$", re.MULTILINE)
_NEARLY_FULL = 0.8
_SAFER = "for production: three members or more, each on a machine of its own."
_ALARM_HINTS = {
    "NOSPACE": "compact and defragment, then `etcdctl alarm disarm`; or give it a greater --quota-backend-bytes.",
    "CORRUPT": "see etcd's guide to data corruption: remove the member that differs, and add it anew.",
}


def look(address: Address, rows: EtcdMap, read: Callable[[], object], kinds: Callable[[], Mapping[str, int]]) -> Report:
    """Look at a cluster, and at a namespace on it.

    Args:
        address: Where it is.
        rows: The map, which is open.
        read: Performs one read, as a store does.
        kinds: Counts the records of each kind.
    """
    try:
        durability = rows.durability
        findings = (
            *_each(address),
            *_members(rows.wire),
            durability_finding(durability, hint="" if durability is Durability.MAJORITY else _SAFER),
            *_alarms(rows.wire),
            *_metrics(rows.wire),
            _operations(address, rows.wire),
            latency("read", read),
            clock(rows.now_us, resolution_us=NARROW_US // 2),
            Finding("feed", f"the newest {KEPT:,} commits, once somebody reads it"),
        )
        return Report("etcd", findings, kinds(), durability=durability)
    except Unreachable as problem:
        return unreachable("etcd", "; ".join(problem.reasons))
    except StoreError as problem:
        return Report("etcd", (refusal("server", problem),), records=None)


def _each(address: Address) -> Iterator[Finding]:
    """Ask each member of the URL by itself."""
    for member in address.endpoints:
        wire = Wire(replace(address, endpoints=(member,)))
        try:
            status = wire.ask(STATUS, {})
        except Unreachable as problem:
            hint = "see that it runs; the others go on without it as long as they are a majority."
            yield Finding(f"{member}", "; ".join(problem.reasons), Verdict.ADVICE, hint)
            continue
        finally:
            wire.close()
        yield Finding.judged(
            f"{member}",
            f"etcd {status.get('version')}, {int(status.get('dbSize', 0)) / 2**20:.1f} MiB",
            bad=is_corrupting(version_of(status)),
            hint="use 3.5.3 or newer: 3.5.0 to 3.5.2 may spoil the data of a member that is killed under load.",
            verdict=Verdict.ADVICE,
        )


def _members(wire: Wire) -> Iterator[Finding]:
    members = wire.ask(MEMBERS, {})["members"]
    learners = sum(bool(member.get("isLearner")) for member in members)
    text = count(len(members) - learners, "member") + (f", {count(learners, 'learner')}" if learners else "")
    yield Finding("cluster", text)


def _alarms(wire: Wire) -> Iterator[Finding]:
    raised = {str(each.get("alarm")) for each in wire.ask(ALARMS, {"action": "GET"}).get("alarms", ())}
    for name in sorted(raised):
        yield Finding("alarm", name, Verdict.WRONG, _ALARM_HINTS.get(name, "see etcd's guide to maintenance."))


def _metrics(wire: Wire) -> Iterator[Finding]:
    """Look at what only the page for Prometheus tells; it may be elsewhere, or closed."""
    reply = wire.look(_METRICS)
    found: Mapping[str, Any] = {
        name: float(value) for name, value in _METRIC.findall(reply.body.decode(errors="replace"))
    }
    quota, used = found.get("etcd_server_quota_backend_bytes", 0), found.get("etcd_mvcc_db_total_size_in_bytes", 0)
    if not quota:
        yield Finding("metrics", "may not be read here, so its quota and whether it waits for its disk are unknown")
        return
    yield Finding.judged(
        "database",
        f"{used / 2**20:.1f} MiB of {quota / 2**20:,.0f} MiB",
        bad=used > _NEARLY_FULL * quota,
        hint="compact and defragment, or give it a greater --quota-backend-bytes, before it refuses every write.",
        verdict=Verdict.ADVICE,
    )
    if is_unsynced(found):
        hint = "start it without --unsafe-no-fsync: a power failure may take what was acknowledged, or all data."
        yield Finding("disk", "it does not wait for its disk", Verdict.WRONG, hint)


def _operations(address: Address, wire: Wire) -> Finding:
    most = address.max_txn_ops
    try:
        wire.ask(TXN, probe(most))
    except Misconfigured as problem:
        return Finding("operations in a write", f"{most:,} are refused", Verdict.WRONG, problem.hint)
    return Finding("operations in a write", f"{most:,}, as the URL says, are allowed")
