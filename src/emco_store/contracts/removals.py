"""DEL-6: REMOVE removes an entry from its container and leaves the others unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    Pair,
    Rack,
    Remove,
    Site,
)
from emco_store.contracts.rules import rule
from emco_store.core.refs import Ref
from emco_store.errors import DeleteRestricted


class RemovalRules:
    """Lists, sets, tuples and maps, also nested ones, that lose entries."""

    @rule("DEL-6")
    def test_remove_takes_entries_out_of_every_container(self, lab: Lab) -> None:
        """REMOVE removes the entry from its list, set, tuple or map and leaves the others unchanged (DEL-6)."""
        _removes(lab, {"listed": "cabacab"}, {"listed": "cbcb"}, gone="a")
        _removes(lab, {"row": "abc"}, {"row": "bc"}, gone="a")
        _removes(lab, {"chosen": "abc"}, {"chosen": "bc"}, gone="a")
        _removes(lab, {"by_name": {"x": "a", "y": "b", "z": "a"}}, {"by_name": {"y": "b"}}, gone="a")
        _removes(lab, {"by_site": {"a": "1", "b": "2"}}, {"by_site": {"b": "2"}}, gone="a")

    @rule("DEL-6")
    def test_remove_takes_several_targets_out_at_once(self, lab: Lab) -> None:
        """Entries of several targets are removed together, although positions shift (DEL-6)."""
        _removes(lab, {"listed": "abcdabcd"}, {"listed": "bdbd"}, gone="ac")
        _removes(lab, {"listed": "abcdabcd"}, {"listed": ""}, gone="dcba")
        _removes(lab, {"listed": "abcda", "row": "dd", "chosen": "ad"}, {"listed": "bc", "chosen": ""}, gone="ad")
        _removes(lab, {"by_site": {"a": "1", "b": "2", "c": "3"}}, {"by_site": {"b": "2"}}, gone="ca")

    @rule("DEL-6")
    def test_remove_works_in_nested_lists(self, lab: Lab) -> None:
        """Entries of nested lists and models are removed, the lists stay, and later entries shift (DEL-6)."""
        grid = {"grid": ["ab", "a", "ba", ""]}
        _removes(lab, grid, {"grid": ["b", "", "b", ""]}, gone="a")
        _removes(lab, grid, {"grid": ["", "", "", ""]}, gone="ab")
        _removes(lab, {"deep": {"x": "ab", "y": "a"}}, {"deep": {"x": "b", "y": ""}}, gone="a")
        a, b = (lab.store.put(Site(name=name)) for name in "ab")
        made = lab.store.put(Remove(name="r", pairs=[Pair(sites=[a.ref, b.ref]), Pair(sites=[b.ref, a.ref])]))
        lab.store.delete(a)
        assert [["Site/b"], ["Site/b"]] == [[ref.text for ref in pair.sites] for pair in lab.store.get(made).pairs]

    @rule("DEL-6")
    def test_remove_of_a_map_key_takes_what_lies_under_it(self, lab: Lab) -> None:
        """An entry that is removed by its key loses the references in its value, too (DEL-6)."""
        a, b = sites(lab, "a", "b")
        racks = [lab.store.create(Rack(name=name, parent=b)) for name in ("k1", "k2")]
        made = lab.store.create(Remove(name="r", routes={a: [*racks], b: [racks[1], racks[0], racks[1]]}))

        lab.store.delete(racks[1])
        assert {"Site/a": ["Rack/b/k1"], "Site/b": ["Rack/b/k1"]} == _texts(lab.store.get(made).routes)
        lab.store.delete(a)
        assert {"Site/b": ["Rack/b/k1"]} == _texts(lab.store.get(made).routes)

        with pytest.raises(DeleteRestricted):
            lab.store.delete(b)
        lab.store.delete(racks[0], b)
        assert {} == lab.store.get(made).routes
        assert [] == lab.dangling()

    @rule("DEL-6", "REF-13")
    def test_remove_can_follow_remove(self, lab: Lab) -> None:
        """After positions have shifted, the next delete still finds the right entries (DEL-6, REF-13)."""
        names = "abcdef"
        found = dict(zip(names, sites(lab, *names), strict=True))
        made = lab.store.create(Remove(name="r", listed=[found[name] for name in "fabcdefa"], grid=[[found["c"]]] * 2))
        left = "fabcdefa"
        for name in "adfbec":
            lab.store.delete(found[name])
            left = left.replace(name, "")
            assert [f"Site/{entry}" for entry in left] == [ref.text for ref in lab.store.get(made).listed]
            assert [] == lab.dangling()

        assert ([], [[], []], 7) == (
            lab.store.get(made).listed,
            lab.store.get(made).grid,
            lab.store.get(made).meta.version,
        )


def _refs(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace each letter by a reference, in the shape of the field."""
    return {name: _shaped(name, value) for name, value in fields.items()}


def _shaped(name: str, value: Any) -> Any:
    if name == "by_name":
        return {key: Ref(f"Site/{letter}") for key, letter in value.items()}
    if name == "by_site":
        return {Ref(f"Site/{letter}"): text for letter, text in value.items()}
    if name == "deep":
        return {key: _letters(letters) for key, letters in value.items()}
    return [_letters(letters) for letters in value] if name == "grid" else _letters(value)


def _letters(letters: str) -> list[Ref[Site]]:
    return [Ref(f"Site/{letter}") for letter in letters]


def _texts(routes: dict[Ref[Site], list[Ref[Rack]]]) -> dict[str, list[str]]:
    return {site.text: [rack.text for rack in racks] for site, racks in routes.items()}


def _removes(lab: Lab, fields: dict[str, Any], left: dict[str, Any], *, gone: str) -> None:
    """Assert what is left in the containers after the targets named by the letters of ``gone`` were deleted."""
    for name in "abcd":
        lab.store.put(Site(name=name))
    made = lab.store.put(Remove(name="r", note="kept", **_refs(fields)))
    lab.store.delete(*(lab.store.get(Site, name) for name in gone))

    found = lab.store.get(made)
    assert Remove(name="r", note="kept", **_refs(left)).model_dump() == found.model_dump()
    assert made.meta.version + 1 == found.meta.version
    assert [] == lab.dangling()
