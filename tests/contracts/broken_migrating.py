# ruff: noqa: ARG001 - they have the parameters of what they take the place of
"""Programs that break what is promised of several versions of one model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from emco_store.core.documents import decode, encode
from emco_store.core.evolution import Evolution, Form, _made_by, _stamped
from emco_store.core.keys import Key
from emco_store.core.migrations import Migrated, Unmigrated
from emco_store.core.records import Record
from emco_store.errors import Conflict
from emco_store.flows import migrating
from emco_store.flows.asking import Flow, read
from emco_store.flows.writing import Writing, is_same


def write_all_fields(self: Any, resource: Any) -> set[str]:
    """Write fields that nobody uses."""
    return set()


def use_nothing(self: Any, resource: Any) -> int:
    """Forget that a document holds what came later."""
    return 1


def stamp_the_version(self: Evolution, document: bytes, used: int) -> bytes:
    """Demand the version of whoever wrote a document, whatever it holds."""
    return _stamped(document, Form(self.form, self.version))


def take_the_newest_step(self: Evolution, document: bytes, key: Key, form: int) -> bytes:
    """Leave out the steps between."""
    return encode(_made_by(self.steps[self.form], self.form, decode(document), key))


def take_every_step(self: Evolution, document: bytes, key: Key, form: int) -> bytes:
    """Take steps again that a document has taken."""
    made = decode(document)
    for version, step in self.steps.items():
        made = _made_by(step, version, made, key)
    return encode(made)


def accept(self: Evolution, found: Any, key: Key) -> None:
    """Take everything for readable, or for replaceable."""


_done = migrating._done


def renew_whatever_is_there(self: Writing, old: Record) -> bool:
    """Rest on nothing, so that what another writer has written meanwhile is lost."""
    made = self._draft(self.context.value(old))
    if is_same(old, made):
        return False
    self.base[old.key] = old
    self.write(made, old)
    return True


def renew_all(self: Writing, old: Record) -> bool:
    """Write what is current again."""
    self.remember(old)
    made = self._draft(self.context.value(old))
    self._put(made, uid=old.uid, version=old.version + 1, created_us=old.created_us)
    return True


def end_after_a_page(asked: Any, seen: int, written: int, left: Any, following: Any) -> Migrated:
    """Take the first page for all."""
    return _done(asked, seen, written, left, None)


def give_up_the_page(unit: Any, asked: Any, found: Any) -> Flow[Migrated]:
    """Leave a whole page for one resource that is refused."""
    yield from read(asked.scan(None, 1))
    left: Iterable[Unmigrated] = [Unmigrated(record.key, Conflict.code, "") for record in found.records]
    return _done(asked, len(found.records), 0, left, found.next)


def find_all_targets(made: Any, records: Any) -> Flow[dict[Any, Any]]:
    """Look for no target."""
    yield from ()
    return {}


def find_no_owner(seen: Any, key: Any, unique: Any) -> None:
    """Take every unique value for free."""


def print_values(document: bytes) -> str:
    """Take a fingerprint that no other name of a field changes."""
    values = [str(value) for name, value in json.loads(document).items() if name != "$model"]
    return sha256("".join(sorted(values)).encode()).hexdigest()
