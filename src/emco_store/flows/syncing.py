"""Syncing: read what is written, approved, carried out and observed of a resource, and compare the four."""

from __future__ import annotations

from typing import Any

from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.revisions import read_document, revision_key
from emco_store.core.status import read_report
from emco_store.core.sync_states import SyncState
from emco_store.flows import content, statuses
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.lifecycles import model_of
from emco_store.flows.unit import Unit


def sync_state(unit: Unit, key: Key) -> Flow[SyncState]:
    """Compare what is written of a resource with what was approved, carried out and observed.

    The statuses are read before the resource: those that are of its version then were so before. It takes a request
    more than reading the content, and another one where an older revision than the newest was carried out.

    Raises:
        NotFound: There is no such resource.
        InvalidCall: The model of its kind is not known here, or it has more than 10,000 members.
        InvalidResource: Its lifecycle record, or the revision that was carried out, cannot be read.

    Rules: GEN-6.
    """
    kinds, own = _targets(unit.context, key), standing_key(key)
    reported = yield from statuses.records_of(unit, key)
    found = yield from content.read(unit, key, kinds, beside=[own])
    stored = unit.current(own)
    standing = None if stored is None else read_standing(stored)
    approval = None if standing is None else standing.approved
    applied = "" if standing is None else (yield from _applied(key, found.root.uid, standing))
    return SyncState(
        key,
        found.root.version,
        found.digest,
        "" if approval is None else approval.digest,
        applied,
        {record.key.name: read_report(record).observed for record in reported},
    )


def sync_state_in(unit: Unit, key: Key) -> Flow[SyncState]:
    """Compare the same inside a transaction, which then rests on all of it; no status joins until the commit."""
    yield from unit.fetch([key])
    unit.seal(key)
    return (yield from sync_state(unit, key))


def _applied(key: Key, uid: str, standing: Standing) -> Flow[str]:
    """Return the digest of the revision that was carried out last; empty where none was.

    Where that revision is not there any more, it is a text that is the digest of no content.
    """
    number = standing.applied
    if number is None:
        return ""
    if number == standing.revisions:
        return standing.digest
    wanted = revision_key(key, uid, number)
    stored = (yield from records_at([wanted])).get(wanted)
    return "gone" if stored is None else read_document(stored).digest


def _targets(context: Context, key: Key) -> Any:
    """Return the kinds of the targets that belong to the content."""
    lifecycle = model_of(context, key, "tell the sync state of").__emco__.lifecycle
    return () if lifecycle is None else lifecycle.spec.targets
