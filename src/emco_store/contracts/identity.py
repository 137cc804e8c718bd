"""ID-1 to ID-5: one resource, one address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.harness import START, Lab
from emco_store.contracts.models import App, Crate, Parcel, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    InvalidCall,
    InvalidResource,
    NotFound,
)


class IdentityRules:
    """A key addresses exactly one resource."""

    @rule("ID-1")
    def test_create_of_a_free_key_adds_the_resource(self, lab: Lab) -> None:
        """A resource can be read by model and names, by key, by reference and by itself (ID-1)."""
        made = lab.store.create(Site(name="a", title="one"))

        target: Any
        for target in (Key("Site", "a"), Ref(made), made, made.ref):
            assert made == lab.store.get(target)
        assert made == lab.store.get(Site, "a")

    @rule("ID-1")
    def test_create_of_a_taken_key_is_refused(self, lab: Lab) -> None:
        """The second create of a key is ``AlreadyExists`` and changes nothing (ID-1)."""
        lab.store.create(Site(name="a", title="first"))
        before = lab.state()

        with pytest.raises(AlreadyExists) as caught:
            lab.store.create(Site(name="a", title="second"))

        assert Key("Site", "a") == caught.value.key
        assert before == lab.state()

    @rule("ID-2")
    def test_get_of_a_key_finds_nothing_but_that_key(self, lab: Lab) -> None:
        """A key matches no prefix, wildcard, descendant or sibling kind of another (ID-2)."""
        site = lab.store.create(Site(name="a1"))
        crate = lab.store.create(Crate(name="b1", parent=site))
        lab.store.create(Parcel(name="c1", parent=crate))

        for key in (
            Key("Site", "a"),
            Key("Site", "a*"),
            Key("Site", "?1"),
            Key("Site", "A1"),
            Key("Sit", "a1"),
            Key("Rack", "a1", "b1"),
            Key("Crate", "a1", "b"),
            Key("Crate", "a1", "c1"),
            Key("Parcel", "a1", "b1", "c"),
        ):
            with pytest.raises(NotFound) as caught:
                lab.store.get(key)
            assert (key,) == caught.value.keys

    @rule("ID-2")
    def test_delete_and_update_touch_nothing_but_that_key(self, lab: Lab) -> None:
        """A write to a key changes no neighbour in the order of texts (ID-2)."""
        made = [lab.store.create(Site(name=name)) for name in ("p1", "p", "p10", "p1.x", "p1-x", "p 1", "P1")]

        lab.store.update(made[0].model_copy(update={"title": "new"}))
        lab.store.delete(Key("Site", "p"))

        assert {"p1": "new", "p10": "", "p1.x": "", "p1-x": "", "p 1": "", "P1": ""} == {
            site.name: site.title for site in lab.store.list(Site).resources
        }

    @rule("ID-2")
    def test_names_of_every_script_are_told_apart(self, lab: Lab) -> None:
        """Names that differ in any single character are different keys (ID-2)."""
        names = [
            "a b",
            "a.b",
            "a-b",
            "a_b",
            "a:b",
            "a{b}",
            "a[b]",
            "a*",
            "a?",
            "a$",
            "~a",
            "ä",
            "Ä",
            "名",
            "名前",
            "\u0430",
            "a",
        ]
        for name in names:
            lab.store.create(Site(name=name, title=name))

        assert names == [lab.store.get(Site, name).title for name in names]
        assert sorted(names) == sorted(site.name for site in lab.store.list(Site).resources)

    @rule("ID-3")
    def test_key_with_the_wrong_number_of_names_is_refused(self, lab: Lab) -> None:
        """Too few or too many names are an error and never mean "any" (ID-3)."""
        site = lab.store.create(Site(name="a"))
        lab.store.create(Crate(name="b", parent=site))
        asked = len(lab.faults.requests)

        for names in (("a",), ("a", "b", "c")):
            with pytest.raises(InvalidCall):
                lab.store.get(Crate, *names)
            with pytest.raises(InvalidCall):
                lab.store.delete(Key("Crate", *names))
        call: Callable[[], Any]
        for call in (lambda: lab.store.get(Crate), lambda: lab.store.get(Crate, "a", "")):
            with pytest.raises(InvalidResource):
                call()

        assert asked == len(lab.faults.requests)

    @rule("ID-4")
    def test_update_or_delete_of_what_is_gone_is_refused(self, lab: Lab) -> None:
        """An update never restores a deleted resource (ID-4)."""
        made = lab.store.create(Site(name="a"))
        lab.store.delete(made)

        with pytest.raises(NotFound):
            lab.store.update(made.model_copy(update={"title": "back"}))
        with pytest.raises(NotFound):
            lab.store.delete(made)
        with pytest.raises(NotFound), lab.store.transaction() as tx:
            tx.update(made)

        assert {} == lab.state()

    @rule("ID-4", "ID-11")
    def test_update_of_a_predecessor_is_refused(self, lab: Lab) -> None:
        """A value of a deleted resource cannot change a new one with the same key (ID-4, ID-11)."""
        old = lab.store.create(Site(name="a"))
        lab.store.delete(old)
        new = lab.store.create(Site(name="a", title="new"))

        with pytest.raises(NotFound):
            lab.store.update(old.model_copy(update={"title": "old"}))

        assert new == lab.store.get(Site, "a")

    @rule("ID-5")
    def test_put_creates_or_replaces(self, lab: Lab) -> None:
        """A put creates or replaces; on replacement uid and creation time stay (ID-5)."""
        first = lab.store.put(Site(name="a", title="first"))
        lab.clock.advance()
        second = lab.store.put(Site(name="a", title="second"))

        assert (1, START) == (first.meta.version, first.meta.created_at)
        assert (first.meta.uid, 2, START) == (second.meta.uid, second.meta.version, second.meta.created_at)
        assert START + timedelta(seconds=1) == second.meta.updated_at
        assert ("second", second.meta) == (lab.store.get(Site, "a").title, lab.store.get(Site, "a").meta)

    @rule("ID-5")
    def test_equal_put_changes_nothing(self, lab: Lab) -> None:
        """A put of an equal resource does not change the version (ID-5)."""
        first = lab.store.put(Parcel(name="c", parent=some_crate(lab), code="x", weight=3))
        lab.clock.advance()

        again = lab.store.put(Parcel(name="c", parent=first.parent, code="x", weight=3))

        assert first.meta == again.meta
        assert first.meta == lab.store.get(first).meta

    @rule("ID-3")
    def test_reference_names_are_counted_too(self, lab: Lab) -> None:
        """A parent that is not a key of the parent's kind is refused when the resource is made (ID-3)."""
        for parent in ("Site/a", "Bundle/a/b", "Bundle/a/b/1/x", "Rack/a/b"):
            with pytest.raises(InvalidResource):
                App(name="x", parent=parent)

        assert {} == lab.state()

    @rule("ID-5", "OCC-3")
    def test_put_of_a_stale_version_is_refused(self, lab: Lab) -> None:
        """``if_version`` is the version that a put may replace; 0 means that nothing may exist (ID-5, OCC-3)."""
        lab.store.put(Rack(name="r", parent=lab.store.create(Site(name="a"))), if_version=0)

        for version in (0, 2):
            with pytest.raises(Conflict):
                lab.store.put(Rack(name="r", parent="Site/a", units=2), if_version=version)
        changed = lab.store.put(Rack(name="r", parent="Site/a", units=3), if_version=1)

        assert (2, 3) == (changed.meta.version, lab.store.get(changed).units)


def some_crate(lab: Lab) -> Any:
    """Return a crate in a site, which is created if it does not exist."""
    site = lab.store.put(Site(name="a"))
    return lab.store.put(Crate(name="b", parent=site))
