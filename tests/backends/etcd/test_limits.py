"""What etcd allows by default is declared, and what is beyond it is refused before anything is sent."""

from __future__ import annotations

import pytest

from emco_store import InvalidCall, Ref, Resource, connect
from emco_store.backends.etcd.wire import Wire

pytestmark = pytest.mark.etcd


class Yard(Resource):
    """What crates refer to."""


class Crate(Resource):
    """What many are created of."""

    yards: list[Ref[Yard]] = []
    text: str = ""


def create(store, crates) -> None:
    """Create all of them in one commit."""
    with store.transaction() as tx:
        for crate in crates:
            tx.create(crate)


def test_commit_beyond_the_limits_is_refused_before_anything_is_sent(node, monkeypatch):
    """As many resources as the page says fit; more operations or bytes than etcd allows are one clear error."""
    asked: list[str] = []
    exchange = Wire._exchange

    def counted(wire, member, method, path, *more, **named):
        asked.append(path)
        return exchange(wire, member, method, path, *more, **named)

    with connect(node.url, namespace="limits") as store:
        limits = store.guarantees.limits
        yards = [store.create(Yard(name=f"y{number}")) for number in range(3)]
        create(store, [Crate(name=f"a{number}", yards=yards[:2]) for number in range(29)])
        monkeypatch.setattr(Wire, "_exchange", counted)

        with pytest.raises(InvalidCall) as many:
            create(store, [Crate(name=f"b{number}", yards=yards) for number in range(60)])
        with pytest.raises(InvalidCall) as large:
            create(store, [Crate(name=f"c{number}", text="x" * 900_000) for number in range(2)])

        assert [] == asked
        assert (128, 1_556_480) == (limits.write_entries, limits.write_bytes)
        assert "128" in many.value.why[0]
        assert "1,556,480" in large.value.why[0]
