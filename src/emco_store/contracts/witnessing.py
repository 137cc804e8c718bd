"""What a run notes at its beginning and looks at in the end: a commit that was written over, and a hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Hold, Port, Receipt

KEY: Final = Key("Item", "witness")
HELD: Final = Key("Item", "held")
_LASTS: Final = timedelta(hours=1)


def bear_witness(port: Port) -> None:
    """Commit, write over it, and hold a record for an hour."""
    assert Receipt("witness") == port.ask(commit_of_witness())
    assert Receipt("over") == port.ask(Commit("over", puts=(_record(KEY, b"{}"), _record(HELD, b"{}"))))
    port.ask(Hold("witness", (HELD,), lasts=_LASTS))


def commit_of_witness() -> Commit:
    """Return the commit that is sent at the beginning and again in the end."""
    return Commit("witness", puts=(_record(KEY, b'{"first":true}'),))


def _record(key: Key, document: bytes) -> Record:
    return Record(key, "uid", 1, document, (), (), (), 1, 1)
