"""BAD-8: a document that cannot be read affects no other resource."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, SetNull
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import InvalidResource


class UnreadableRules:
    """Documents as manual edits or faulty programs may leave them."""

    @rule("BAD-8")
    def test_unreadable_document_stands_in_its_place(self, lab: Lab) -> None:
        """A document that cannot be read appears in a list as an error, and the list goes on (BAD-8)."""
        (a,) = sites(lab, "a")
        crates = [lab.store.create(Crate(name=name, parent=a)) for name in ("c1", "c2", "c3", "c4")]
        lab.tamper(crates[1].key, b'{"name":"c2","note":7}')
        lab.tamper(crates[2].key, b"{")

        with pytest.raises(InvalidResource) as caught:
            lab.store.get(crates[1])
        assert crates[1].key == caught.value.key
        for size in (1, 2, 100):
            for page in (
                _items(lambda **more: lab.store.list(Crate, **more), size),
                _items(lambda **more: lab.store.list(Crate, parent=a, **more), size),
                _items(lambda **more: lab.store.children(a, **more), size),
            ):
                assert ["c1", InvalidResource, InvalidResource, "c4"] == [
                    type(item) if isinstance(item, InvalidResource) else item.name for item in page
                ]
                assert [crates[1].key, crates[2].key] == [item.key for item in page[1:3]]

    @rule("BAD-8")
    def test_page_raises_where_an_unreadable_document_has_its_turn(self, lab: Lab) -> None:
        """Nobody takes the error for a resource: to iterate over a page raises it, after what is before it (BAD-8)."""
        (a,) = sites(lab, "a")
        crates = [lab.store.create(Crate(name=name, parent=a)) for name in ("c1", "c2", "c3")]
        lab.tamper(crates[1].key, b"{")
        page = lab.store.list(Crate)
        seen: list[Key] = []

        with pytest.raises(InvalidResource) as caught:
            seen.extend(item.key for item in page)

        assert crates[1].key == caught.value.key
        assert [crates[0].key] == seen
        assert [crates[0].key, crates[2].key] == [item.key for item in page.resources]

    @rule("BAD-8", "ID-17")
    def test_iteration_does_with_an_unreadable_document_as_it_is_told(self, lab: Lab) -> None:
        """It raises and can be continued after it, skips it, or gives its error (BAD-8, ID-17)."""
        (a,) = sites(lab, "a")
        crates = [lab.store.create(Crate(name=name, parent=a)) for name in ("c1", "c2", "c3", "c4")]
        lab.tamper(crates[1].key, b"{")
        lab.tamper(crates[3].key, b"{")
        for size in (1, 2, 3, 100):
            given = list(lab.store.iterate(Crate, page_size=size, unreadable="give"))
            assert ["c1", InvalidResource, "c3", InvalidResource] == [
                type(item) if isinstance(item, InvalidResource) else item.name for item in given
            ]
            assert ["c1", "c3"] == [c.name for c in lab.store.iterate(Crate, page_size=size, unreadable="skip")]

            iteration = lab.store.iterate(Crate, page_size=size)
            assert "c1" == next(iteration).name
            for crate, following in ((crates[1], "c3"), (crates[3], None)):
                with pytest.raises(InvalidResource) as caught:
                    next(iteration)
                assert crate.key == caught.value.key
                assert following == getattr(next(iteration, None), "name", None)

    @rule("BAD-8")
    def test_unreadable_document_can_be_replaced_and_deleted(self, lab: Lab) -> None:
        """A put replaces it and a delete removes it, alone or in a cascade, with and without the model (BAD-8)."""
        (a,) = sites(lab, "a")
        crates = [lab.store.create(Crate(name=name, parent=a)) for name in ("c1", "c2", "c3")]
        for crate, document in zip(crates, (b"{", b'{"name":"other"}', b"\xff\x00"), strict=True):
            lab.tamper(crate.key, document)

        mended = lab.store.put(Crate(name="c1", parent=a, note="mended"))
        assert ("mended", crates[0].meta.uid) == (lab.store.get(mended).note, mended.meta.uid)
        lab.open().delete(crates[1].key)
        lab.store.delete(a)

        assert {} == lab.state()

    @rule("BAD-8", "ALL-3")
    def test_unreadable_document_of_an_unknown_kind_is_an_error_too(self, lab: Lab) -> None:
        """A store without the model reports a document that is no JSON object, and reads the others (BAD-8, ALL-3)."""
        (a,) = sites(lab, "a")
        crates = [lab.store.create(Crate(name=name, parent=a)) for name in ("c1", "c2", "c3")]
        lab.tamper(crates[0].key, b"{")
        lab.tamper(crates[1].key, b"7")
        blind = lab.open()

        for page in (blind.list("Crate"), blind.children(a.key), blind.list("Crate", under=a.key)):
            assert ([True, True, False], "c3") == (
                [isinstance(item, InvalidResource) for item in page.items],
                page.resources[0].key.name,
            )
        with pytest.raises(InvalidResource):
            blind.get(crates[0].key)

    @rule("BAD-8")
    def test_rule_that_cannot_edit_a_document_says_so(self, lab: Lab) -> None:
        """A delete that would change an unreadable referrer is refused until that is replaced or named (BAD-8)."""
        (a,) = sites(lab, "a")
        held = lab.store.create(SetNull(name="n", one=a, listed=[a]))
        for document in (b"{", b"7", b'{"name":"n"}', b'{"name":"n","one":"Site/a","listed":[]}'):
            lab.tamper(held.key, document)
            before = lab.records()
            with pytest.raises(InvalidResource) as caught:
                lab.store.delete(a)
            assert held.key == caught.value.key
            assert before == lab.records()

        lab.store.delete(a, held.key)
        assert {} == lab.state()


def _items(ask: Any, size: int) -> list[Any]:
    found: list[Any] = []
    after = None
    while True:
        page = ask(limit=size, after=after)
        found += page.items
        assert len(found) < 100, "the pages do not end"
        after = page.next
        if after is None:
            return found
