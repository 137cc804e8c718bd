"""Signing: what a plan has prepared gets the txid, the time and the origin of the call that applies the plan."""

from __future__ import annotations

from dataclasses import replace

from emco_store.core.naming import REVISION, TRAIL
from emco_store.core.origins import Origin
from emco_store.core.records import Record
from emco_store.core.revisions import signed_revision
from emco_store.core.trails import signed_entry


def signed(record: Record, txid: str, now_us: int, origin: Origin) -> Record:
    """Return a record of a plan as it is written when the plan is applied: it is a change of that moment.

    Args:
        record: The record as it was planned.
        txid: The name of the commit.
        now_us: The time of the commit, in microseconds since 1970, UTC.
        origin: The origin of the commit.

    Rules: DEL-9, HIS-1, WHO-1.
    """
    if record.key.kind == TRAIL:
        return signed_entry(record, txid, now_us, origin)
    if record.key.kind == REVISION:
        return signed_revision(record, now_us, origin)
    created_us = now_us if record.version == 1 else record.created_us
    return replace(record, created_us=created_us, updated_us=now_us, origin=origin)
