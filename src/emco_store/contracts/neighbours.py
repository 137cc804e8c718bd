"""ID-2 and ID-14: kinds and namespaces whose names begin like others; the port itself, without a store."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from emco_store.backends.namespaces import Divided
from emco_store.contracts.harness import Lab, scanned
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Count, Get, Receipt, Scan

_KINDS: Final = ("App", "AppX", "Ap", "App0")


class NeighbourRules:
    """What a name that begins like another one must not find, and must not take along."""

    @rule("ID-2")
    def test_scan_of_a_kind_finds_no_kind_that_begins_so(self, lab: Lab) -> None:
        """By key or by an indexed value, a scan and a count of a kind see that kind alone (ID-2)."""
        made = [_record(Key(kind, f"{kind}-{name}")) for kind in _KINDS for name in "ab"]
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=tuple(made)))

        for kind in (*_KINDS, "A", "AppXY"):
            wanted = [record.key for record in made if record.key.kind == kind]
            for scan in (Scan(kind), Scan(kind, descending=True), Scan(kind, limit=1), Scan(kind, field="rank")):
                found = [record.key for record in scanned(lab.port, scan)]
                assert (wanted[::-1] if scan.descending else wanted) == found
                assert len(wanted) == lab.port.ask(Count(scan))

    @rule("ID-14")
    def test_namespace_that_ends_takes_none_along_that_begins_so(self, lab: Lab) -> None:
        """A namespace whose name is the beginning of another one holds nothing of it, and ends alone (ID-14)."""
        name, backend = lab.namespace[:-1], lab.bench.backend
        kept, gone = _record(Key("Item", "kept")), _record(Key("Item", "gone"))
        assert Receipt("kept") == lab.port.ask(Commit("kept", puts=(kept,)))
        with closing(backend.port(name)) as port:
            port.open()
            assert {} == port.ask(Get((kept.key,)))
            assert Receipt("gone") == port.ask(Commit("gone", puts=(gone,)))
            assert [gone.key] == [record.key for record in scanned(port, Scan(None))]
        if isinstance(backend, Divided):
            assert {name, lab.namespace} <= {*backend.namespaces()}
            backend.drop(name)
            found = {*backend.namespaces()}
            assert (False, True) == (name in found, lab.namespace in found)
        elif lab.bench.harness.drop is not None:
            lab.bench.harness.drop(backend, name)

        assert [kept.key] == [record.key for record in scanned(lab.port, Scan(None))]
        assert Receipt("kept") == lab.port.ask(Commit("kept", puts=(kept,)))


def _record(key: Key) -> Record:
    return Record(key, f"uid-{key.name}", 1, b"{}", (), (), (("rank", "1"),), 1, 1)
