"""ID-10 to ID-15: keys and versions of resources, and data that comes back as it was given."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.identity import some_crate
from emco_store.contracts.models import Anything, Bundle, Drifting, Parcel, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import (
    InvalidResource,
)
from emco_store.ports import Commit, Get, Outcome, Receipt


class ValueRules:
    """Resources are values, the same in every store."""

    @rule("ID-10")
    def test_update_of_a_key_field_is_refused(self, lab: Lab) -> None:
        """Name, other key fields and parent cannot change (ID-10)."""
        site = lab.store.create(Site(name="a"))
        other = lab.store.create(Site(name="b"))
        bundle = lab.store.create(Bundle(name="x", version="1", parent=site))
        before = lab.state()

        for change in ({"name": "y"}, {"version": "2"}, {"parent": other.ref}):
            with pytest.raises(InvalidResource):
                lab.store.update(bundle.model_copy(update=change))

        assert before == lab.state()

    @rule("ID-10", "BAD-8")
    def test_document_that_says_another_name_is_not_believed(self, lab: Lab) -> None:
        """A document whose key fields differ from its key is an error (ID-10)."""
        made = lab.store.create(Site(name="a"))
        lab.tamper(made.key, b'{"name":"b","title":""}')

        with pytest.raises(InvalidResource):
            lab.store.get(made)

    @rule("ID-11")
    def test_versions_count_changes(self, lab: Lab) -> None:
        """A new resource has version 1, and each change adds 1 (ID-11)."""
        made = lab.store.create(Site(name="a"))
        versions = [made.meta.version]
        for title in ("b", "c"):
            made = lab.store.update(made.model_copy(update={"title": title}))
            versions.append(made.meta.version)

        assert [1, 2, 3] == versions
        assert made.meta == lab.store.get(made).meta

    @rule("ID-11")
    def test_resource_created_again_is_another(self, lab: Lab) -> None:
        """A resource that is created again under its key has version 1 and another uid (ID-11)."""
        old = lab.store.create(Site(name="a"))
        lab.store.delete(old)
        new = lab.store.create(Site(name="a"))
        with lab.store.transaction() as tx:
            tx.delete(new)
            tx.create(Site(name="a"))
        last = lab.store.get(Site, "a")

        assert [1, 1, 1] == [value.meta.version for value in (old, new, last)]
        assert 3 == len({value.meta.uid for value in (old, new, last)})

    @rule("ID-12")
    def test_values_do_not_lead_back_into_the_store(self, lab: Lab) -> None:
        """A change to a value that was written or read changes nothing in the store (ID-12)."""
        given = Anything(name="a", listed=[1], mapped={"k": [1]})
        made = lab.store.create(given)
        given.listed.append(2)
        made.mapped["k"].append(2)
        read = lab.store.get(Anything, "a")
        read.listed.append(3)
        read.mapped["new"] = 1
        listed = lab.store.list(Anything).resources[0]
        listed.listed.clear()

        assert ([1], {"k": [1]}) == (lab.store.get(read).listed, lab.store.get(read).mapped)

    @rule("ID-13")
    def test_document_comes_back_as_it_went_in(self, lab: Lab) -> None:
        """Empty containers, 64-bit integers, text of every script, dates and null survive (ID-13)."""
        given = Anything(
            name="a",
            value=None,
            whole=-(2**63),
            real=0.1,
            text='"\\ \n\t\x00\x7f é ß 漢字 🙂 \u2028',
            flag=True,
            day=date(2028, 2, 29),
            moment=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            uid=UUID(int=2**128 - 1),
            mapped={"empty": {}, "list": [], "": 0, "null": None, "big": 2**63 - 1, "ключ": [[], {}, ""]},
            listed=[[], {}, None, True, 0, -0.0, 1e300, 5e-324, 2**53 + 1, "", "null"],
            opaque={"$where": {"a.b": [1, None]}, "": {}},
        )
        made = lab.store.create(given)
        read = lab.open().get(Anything, "a")

        assert made == read
        assert given.model_dump() == read.model_dump()
        assert list(given.mapped) == list(read.mapped)
        assert [type(item) for item in given.listed] == [type(item) for item in read.listed]
        assert datetime(1969, 12, 31, 18, 29, 59, 999999, tzinfo=UTC) == read.moment

    @rule("ID-13")
    def test_times_keep_their_microseconds(self, lab: Lab) -> None:
        """The times of creation and change are those of the clock (ID-13)."""
        moment = lab.clock.advance(timedelta(microseconds=1))
        made = lab.store.create(Site(name="a"))

        assert (moment, moment) == (made.meta.created_at, made.meta.updated_at)
        assert made.meta == lab.store.get(made).meta

    @rule("ID-13")
    def test_moment_comes_back_while_clocks_are_changed(self, lab: Lab) -> None:
        """A datetime keeps its instant and its offset, even in hours that a zone has twice or skips (ID-13)."""
        berlin = ZoneInfo("Europe/Berlin")
        back = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
        for number, moment in enumerate((back, back.replace(fold=1), back.replace(month=3, day=29))):
            made = lab.store.create(Anything(name=f"a{number}", moment=moment))
            read = lab.open().get(Anything, f"a{number}")

            assert [moment.isoformat()] * 2 == [made.moment.isoformat(), read.moment.isoformat()]
            assert moment.astimezone(UTC) == read.moment.astimezone(UTC)

    @rule("ID-15")
    def test_value_that_would_change_again_is_refused(self, lab: Lab) -> None:
        """A value that reading would change is refused, and the error names the field (ID-15)."""
        kept = lab.store.create(Drifting(name="b"))
        before = lab.state()

        for field, value in {"price": 1, "listed": [1], "mapped": {"a": 1}, "changes": 1}.items():
            made = Drifting.model_validate({"name": "a", field: value})
            writes: list[Callable[[], object]] = [
                partial(lab.store.create, made),
                partial(lab.store.put, made),
                partial(lab.store.update, kept.model_copy(update={field: value})),
            ]
            for write in writes:
                with pytest.raises(InvalidResource) as caught:
                    write()
                assert [field] == [problem.partition(":")[0] for problem in caught.value.problems]

        assert before == lab.state()

    @rule("ID-15")
    def test_value_that_is_made_tidy_stays_so(self, lab: Lab) -> None:
        """An idempotent validator converts new values, and leaves stored ones unchanged (ID-15)."""
        made = lab.store.create(Drifting(name="a", title=" a "))
        changed = lab.store.update(made.model_copy(update={"title": " b "}))

        assert ("a", "b", changed) == (made.title, changed.title, lab.store.get(made))

    @rule("ID-15")
    def test_set_is_stored_in_an_order_of_its_own(self, lab: Lab) -> None:
        """Equal sets are stored alike, in whatever order they were made: to put one again changes nothing (ID-15)."""
        ways = ([7, 15], [15, 7])  # CPython turns these two round each time that it makes a set of them
        for number, (first, second) in enumerate([ways, ways[::-1]]):
            made = lab.store.put(Anything(name=f"{number}", members=set(first)))
            before = lab.state()

            again = lab.store.put(Anything(name=f"{number}", members=set(second)))

            assert (made, 1) == (again, again.meta.version)
            assert before == lab.state()

    @rule("ID-14")
    def test_namespaces_share_nothing(self, lab: Lab) -> None:
        """Two namespaces of one backend share no keys, values, references or outcomes (ID-14)."""
        with lab.bench.lab() as other:
            for each in (lab, other):
                crate = some_crate(each)
                each.store.create(Parcel(name="c", parent=crate, code="x"))
            lab.store.delete(lab.store.get(Site, "a"))

            assert ({}, 3) == (lab.state(), len(other.state()))
            assert ["Parcel/a/b/c"] == [item.key.text for item in other.store.list(Parcel, parent=some_crate(other))]
            assert [] == list(lab.store.list(Parcel))
            txid = other.faults.asked(Commit)[0].txid
            assert (Outcome.ABORTED, Outcome.COMMITTED) == (lab.store.resolve(txid), other.store.resolve(txid))

    @rule("ID-14")
    def test_names_of_namespaces_are_told_apart(self, lab: Lab) -> None:
        """Namespaces whose names differ by case, by their last character or by a dash are different (ID-14)."""
        common = f"n{secrets.token_hex(16)}".ljust(60, "0")
        names = [common + end for end in ("a-x", "A-x", "a_x", "a-y")]
        record = Record(Key("Item", "one"), "uid", 1, b"{}", (), (("serial", "s"),), (), 1, 1)
        with ExitStack() as opened:
            ports = [opened.enter_context(lab.beside(name)) for name in names]
            assert [Receipt("one")] * len(names) == [
                port.ask(Commit("one", {record.key: None}, puts=(replace(record, uid=name),)))
                for name, port in zip(names, ports, strict=True)
            ]

            assert names == [port.ask(Get((record.key,)))[record.key].uid for port in ports]
