# ruff: noqa: D102 - what a method should promise is in the base classes, and that it does not do so is in its class
"""A backend that takes the beginning of a name for the name is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.port import KeyValuePort
from emco_store.contracts.harness import Harness, Mode
from emco_store.ports import Count, RecordPage, Scan
from tests.backends.keyvalue.maps import example
from tests.contracts.test_contracts_bite import first_failing_test


class FindsNamesakes(KeyValuePort):
    """Finds the kinds that begin with the one that is asked for."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(_wider(scan))


class CountsNamesakes(KeyValuePort):
    """Counts them."""

    def count(self, count: Count) -> int:
        return super().count(Count(_wider(count.scan)))


def _wider(scan: Scan) -> Scan:
    is_plain = scan.kind and not scan.prefix and scan.field is None
    return replace(scan, kind=None, prefix=scan.kind) if is_plain else scan


class EndsNamesakes(KeyValueBackend):
    """Takes away the namespaces that begin with the one that ends."""

    def drop(self, namespace: str) -> None:
        for name in self.namespaces():
            if name.startswith(namespace):
                super().drop(name)


class LeavesNamespaces(KeyValueBackend):
    """Takes nothing away."""

    def drop(self, namespace: str) -> None:
        pass


def of_port(port: type[KeyValuePort]) -> type[KeyValueBackend]:
    """Build the backend of a port."""

    class Backend(KeyValueBackend):
        """The base, with this port."""

        def port(self, namespace: str) -> KeyValuePort:
            return port(self.rows, namespace)

    return Backend


@pytest.mark.parametrize(
    ("backend", "rule"),
    [
        (of_port(FindsNamesakes), "ID-2"),
        (of_port(CountsNamesakes), "ID-2"),
        (EndsNamesakes, "ID-14"),
        (LeavesNamespaces, "ID-14"),
        (KeyValueBackend, None),
    ],
    ids=["finds", "counts", "ends", "leaves", "sound"],
)
def test_beginning_of_a_name_is_not_taken_for_the_name(backend, rule):
    """ID-2, ID-14: kinds and namespaces are told apart by their whole names."""
    harness = Harness("namesakes", lambda: backend(example.DictMap()))

    found = [first_failing_test(harness, one, Mode.BLOCKING) for one in ("ID-2", "ID-14")]

    assert [one == rule for one in ("ID-2", "ID-14")] == [name is not None for name in found]
