"""What an etcd server must be, read from its own report; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from emco_store.errors import NotSupported
from emco_store.ports import Durability

OLDEST = (3, 4)
CORRUPTING = ((3, 5, 0), (3, 5, 2))
"""The first and the last release that could lose the agreement of its members when one crashed under load."""
_MAJORITY = 3
_MANY_PUTS, _FEW_SYNCS = 100, 4


def version_of(status: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the version of a member, from its status."""
    return tuple(int(part) for part in re.findall(r"\d+", str(status.get("version", "0")))[:3])


def refuse_unfit(status: Mapping[str, Any]) -> None:
    """Refuse a member that cannot keep the promises.

    Raises:
        NotSupported: It is too old.
    """
    if version_of(status)[:2] < OLDEST:
        raise NotSupported(
            f"etcd {status.get('version')} is too old.",
            why=["its gateway has another form"],
            hint="use etcd 3.4 or newer, and 3.5.3 or newer of the 3.5.",
        )


def is_corrupting(version: Sequence[int]) -> bool:
    """Return whether a release could spoil its data when it crashed."""
    return CORRUPTING[0] <= tuple(version) <= CORRUPTING[1]


def durability_of(members: Sequence[Mapping[str, Any]]) -> Durability:
    """Return what an acknowledged write survives, by the members of the cluster that vote."""
    voters = [member for member in members if not member.get("isLearner")]
    return Durability.MAJORITY if len(voters) >= _MAJORITY else Durability.LOCAL_SYNC


def is_unsynced(metrics: Mapping[str, float]) -> bool:
    """Return whether a member has written much and waited for its disk next to never, by its metrics."""
    puts = max(metrics.get(name, 0) for name in ("etcd_mvcc_put_total", "etcd_debugging_mvcc_put_total"))
    return puts >= _MANY_PUTS and metrics.get("etcd_disk_wal_fsync_duration_seconds_count", 0) <= _FEW_SYNCS
