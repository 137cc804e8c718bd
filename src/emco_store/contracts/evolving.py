"""MIG-1 to MIG-3: programs with several versions of one model on the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.checks import checked
from emco_store.contracts.harness import Lab
from emco_store.contracts.migration_models import Berth, Hull1, Hull2, Hull3, Hull4, HullView, NewHullView
from emco_store.contracts.rules import rule
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.errors import DeleteRestricted, InvalidResource, NewerModel

HULL = Key("Hull", "h")
BERTH = Key("Berth", "b")
STAMP = "$model"


def release(lab: Lab, model: Any) -> Any:
    """Open the store of a program with one version of the model."""
    return lab.open(models=[model])


def stamp(lab: Lab, key: Key = HULL) -> Any:
    """Return what a document says of the versions that it fits."""
    return decode(lab.records()[key.text].document).get(STAMP)


class EvolvingRules:
    """What older and newer programs read and write side by side."""

    @rule("MIG-1")
    def test_newer_program_writes_what_older_ones_read_until_a_new_field_is_used(self, lab: Lab) -> None:
        """A since() field with its default is in no document; only a document that uses one is newer (MIG-1)."""
        old, new = release(lab, Hull1), release(lab, Hull2)
        new.create(Berth(name="b"))

        made = new.create(Hull2(name="h", region="eu"))
        assert (None, "eu") == (stamp(lab), old.get(Hull1, "h").region)
        old.patch(old.get(Hull1, "h"), {"region": "us"})
        made = new.get(Hull2, "h")
        assert ("us", 1, None) == (made.region, made.decks, made.spare)

        for value in ({"decks": 2}, {"spare": BERTH}):
            used = new.patch(HULL, value)
            assert [1, 2] == stamp(lab)
            assert used == new.get(Hull2, "h") == release(lab, Hull2).get(Hull2, "h")
            with pytest.raises(NewerModel) as caught:
                old.get(Hull1, "h")
            assert (2, 1, HULL) == (caught.value.needed, caught.value.model_version, caught.value.key)
            new.patch(HULL, {"decks": 1, "spare": None})
            assert (None, "us") == (stamp(lab), old.get(Hull1, "h").region)

    @rule("MIG-1", "MIG-2")
    def test_document_says_its_form_and_who_can_read_it(self, lab: Lab) -> None:
        """A step makes a new form; a field of a later version is no reason to refuse it while unused (MIG-1, MIG-2)."""
        third, fourth = release(lab, Hull3), release(lab, Hull4)

        third.create(Hull3(name="h", zone="eu", cargo="tea 3"))
        assert [3, 3] == stamp(lab)
        fourth.patch(HULL, {"zone": "us"})
        assert [4, 4] == stamp(lab)
        fourth.patch(HULL, {"flag": "x"})
        assert [4, 5] == stamp(lab)

    @rule("MIG-2", "ID-10")
    def test_older_documents_are_current_in_every_read(self, lab: Lab) -> None:
        """Documents of every version read as the newest, by all steps in order, and nothing is written (MIG-2)."""
        lab.store.create(Berth(name="b"))
        release(lab, Hull1).create(Hull1(name="h1", region="eu", cargo="tea 3", berth=BERTH))
        release(lab, Hull2).create(Hull2(name="h2", region="eu", cargo="rum 4", decks=2, spare=BERTH))
        release(lab, Hull3).create(Hull3(name="h3", zone="eu", cargo="oil 5", berths=[BERTH]))
        before = lab.records()
        store = release(lab, Hull4)
        expected = [("h1", "eu", "tea", 3, 1), ("h2", "eu", "rum", 4, 2), ("h3", "eu", "oil", 5, 1)]

        def said(found: Any) -> list[Any]:
            return [(one.name, one.zone, one.goods, one.tons, one.decks) for one in found]

        keys = [Key("Hull", name) for name, *_ in expected]
        assert expected == said(store.get_many(keys))
        assert expected == said(store.list(Hull4))
        assert expected == said(store.iterate(Hull4))
        assert expected == said(store.referrers(BERTH))
        assert [BERTH] == [ref.key for ref in store.get(Hull4, "h1").berths]
        assert [key.text for key in keys] == [one.key.text for one in store.list(Hull4).resources]
        with store.transaction() as tx:
            assert expected == said(tx.list(Hull4, stable=False))
        assert before == lab.records()

    @rule("MIG-2", "OCC-2")
    def test_write_makes_a_document_current_with_all_that_follows(self, lab: Lab) -> None:
        """References, rules, indexed and unique values are those of the newest version from then on (MIG-2)."""
        lab.store.create(Berth(name="b"))
        made = release(lab, Hull1).create(Hull1(name="h", region="eu", cargo="tea 3", berth=BERTH))
        store = release(lab, Hull4)

        now = store.update(store.get(Hull4, "h"))

        assert (made.meta.uid, 2, [4, 4]) == (now.meta.uid, now.meta.version, stamp(lab))
        found = lab.records()[HULL.text]
        assert [(("berths", 0), "RESTRICT")] == [(edge.path, str(edge.rule)) for edge in found.edges]
        assert {"goods"} == {name for name, _ in found.unique}
        assert {"zone", "goods"} == {name for name, _ in found.index}
        with pytest.raises(DeleteRestricted):
            lab.open().delete(BERTH)

    @rule("MIG-2", "BAD-8")
    def test_step_that_fails_is_an_error_in_its_place(self, lab: Lab) -> None:
        """A document that a step cannot make current is an InvalidResource, and affects no other one (MIG-2, BAD-8)."""
        first = release(lab, Hull1)
        for name, cargo in (("h1", "tea 3"), ("h2", "tea much"), ("h3", "")):
            first.create(Hull1(name=name, cargo=cargo))
        store = release(lab, Hull4)

        assert ["h1", InvalidResource, "h3"] == [
            type(item) if isinstance(item, InvalidResource) else item.name for item in store.list(Hull4).items
        ]
        assert "tea 4" == first.patch(Key("Hull", "h2"), {"cargo": "tea 4"}).cargo
        assert 4 == store.get(Hull4, "h2").tons

    @rule("MIG-3", "BAD-8")
    def test_newer_document_is_an_error_in_its_place(self, lab: Lab) -> None:
        """A document of a newer version is NewerModel wherever it is read, and affects no other one (MIG-3)."""
        old, new = release(lab, Hull1), release(lab, Hull3)
        new.create(Hull3(name="h2"))
        for name in ("h1", "h3"):
            old.create(Hull1(name=name))

        for page in (old.list(Hull1), old.list("Hull")):
            assert ["h1", NewerModel, "h3"] == [
                type(item) if isinstance(item, InvalidResource) else item.name for item in page.items
            ]
        assert ["h1", "h3"] == [one.name for one in old.iterate(Hull1, unreadable="skip")]
        assert [("invalid", "Hull/h2")] == [(str(flaw.kind), flaw.key) for flaw in checked(old)]
        assert "h2" == lab.open().get(Key("Hull", "h2")).key.name
        assert {"name": "h2", "zone": "", "cargo": "", "berths": []} == lab.open().get(Key("Hull", "h2")).document

    @rule("MIG-3")
    def test_newer_document_is_not_written_over(self, lab: Lab) -> None:
        """No put, patch or import of an older program replaces it; one that uses no newer field is the same (MIG-3)."""
        old, new = release(lab, Hull1), release(lab, Hull2)
        kept = old.create(Hull1(name="h", region="eu"))
        export = old.export().text
        new.patch(HULL, {"decks": 2})
        before = lab.records()

        attempt: Callable[[], Any]
        for attempt in (
            lambda: old.put(Hull1(name="h")),
            lambda: old.patch(HULL, {"region": "us"}),
            lambda: old.run(lambda tx: tx.put(Hull1(name="h"))),
            lambda: old.import_(export, replace=True),
        ):
            with pytest.raises(NewerModel):
                attempt()
        assert before == lab.records()

        new.patch(HULL, {"decks": 1})
        assert "us" == old.put(Hull1(name="h", region="us")).region
        assert kept.meta.uid == new.get(Hull2, "h").meta.uid

    @rule("MIG-3", "ALL-2")
    def test_newer_document_obeys_its_rules_and_can_be_deleted(self, lab: Lab) -> None:
        """An older program deletes it, and what it refers to, by the rules that it was written with (MIG-3, ALL-2)."""
        old, new = release(lab, Hull1), release(lab, Hull3)
        for name in ("b", "c"):
            new.create(Berth(name=name))
        new.create(Hull3(name="h", berths=["Berth/c"], spare=BERTH))

        with pytest.raises(DeleteRestricted):
            old.delete(Key("Berth", "c"))
        old.delete(BERTH)
        found = new.get(Hull3, "h")
        assert (None, ["c"], [3, 3]) == (found.spare, [ref.name for ref in found.berths], stamp(lab))
        old.delete(HULL)

        assert ["Berth/c"] == list(lab.records())

    @rule("MIG-3", "VIEW-1")
    def test_view_reads_newer_documents_until_their_form_changes(self, lab: Lab) -> None:
        """Newer fields do not concern a view; a step that it does not have makes it NewerModel (MIG-3, VIEW-1)."""
        view = release(lab, HullView)
        for model, values in ((Hull1, {}), (Hull2, {"decks": 2})):
            release(lab, model).put(model(name="h", cargo="tea 3", **values))
            assert "tea 3" == view.get(HullView, "h").cargo

        release(lab, Hull3).put(Hull3(name="h", cargo="tea 3", decks=2))

        with pytest.raises(NewerModel) as caught:
            view.get(HullView, "h")
        assert (3, 1) == (caught.value.needed, caught.value.model_version)
        assert "tea 3" == release(lab, NewHullView).get(NewHullView, "h").cargo
        release(lab, Hull3).put(Hull3(name="g", cargo="rum 4"))
        assert [NewerModel, NewerModel] == [type(one) for one in view.list(HullView).items]

    @rule("MIG-3", "EXP-1")
    def test_newer_documents_are_exported_and_imported_as_they_are(self, lab: Lab) -> None:
        """A stamp wherever it stands counts, after an export, after an import, and after an edit by hand (MIG-3)."""
        new = release(lab, Hull3)
        new.create(Hull3(name="h", zone="eu"))
        text = lab.open().export().text
        for store in (lab.open(), new):
            lab.wipe()
            store.import_(text)
            assert ("eu", [3, 3]) == (new.get(Hull3, "h").zone, stamp(lab))

        lab.tamper(HULL, b'{"name":"h","zone":"us","cargo":"","berths":[],"$model":[3,3]}')
        assert "us" == new.get(Hull3, "h").zone
        with pytest.raises(NewerModel):
            release(lab, Hull1).get(Hull1, "h")
        for wrong in (b'"3"', b"[3]", b"[0,1]", b"[3,true]", b"[1,2,3]", b"null"):
            lab.tamper(HULL, b'{"$model":%b,"name":"h"}' % wrong)
            for store, model in ((new, Hull3), (release(lab, Hull1), Hull1)):
                with pytest.raises(InvalidResource):
                    store.get(model, "h")
