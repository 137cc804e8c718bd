"""ID-6, ID-8 and ID-23: texts are compared character by character, however long and of whatever script."""

from __future__ import annotations

from typing import Any, Final

from emco_store.contracts.harness import Lab, scanned
from emco_store.contracts.pages import walk
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Count, Get, Receipt, Refusal, Scan, Taken

_LONG: Final = "x" * 999
TEXTS: Final = (
    "", " ", "a", "A", "a ", " a", "a\0", "a\0b", "a\0c", "a\1", "a\1\1", "a\1\2", "ab", "a b", "a=b", "a/b", "a.b",
    "$a", "%", "%00", "é", "e\u0301", "É", "ß", "ss", "İ", "i", "I", "\u0131", "я", "中", "\uff71", "\u30a2", "\u00c5",
    "\u212b", "\u00ff", "\u0100", "\ud7ff", "\ue000", "\uffff", "\U00010000", "😀", "\U0010ffff",
    _LONG, _LONG + "a", _LONG + "b", _LONG + "B",
)  # fmt: skip
"""Texts that differ by case, by spaces, by length, by NUL, by the form of a letter, or at their end alone."""
_IN_ORDER: Final = tuple(sorted(TEXTS))
"""By code points, which is the order of UTF-8 and not that of UTF-16."""
NAMES: Final = ("n" * 253, "n" * 252 + "m", "n" * 252, "é" * 253, "é" * 252 + "è", "中" * 253, "N" * 253)
"""Names as long as they may be, which differ at their end or by case."""

LIKE: Final = ("a_b", "axb", "a.b", "a*b", "a?b", "a[xy]b", "a$b", "A_b", "a", "a_", "a_bc")
"""Names of which some would match others, were they taken for a pattern of any language."""


class TextRules:
    """The port itself, without a store."""

    @rule("ID-6")
    def test_unique_values_that_differ_are_different(self, lab: Lab) -> None:
        """Values that differ in one character belong to different records, and each to one alone (ID-6)."""
        first = tuple([_record(f"a{at}", unique=(("serial", text),)) for at, text in enumerate(TEXTS)])
        again = tuple([_record(f"b{at}", unique=(("serial", text),)) for at, text in enumerate(TEXTS)])
        beside = tuple(
            _record("", key=Key(kind, f"c{at}"), unique=((field, text),))
            for kind, field in (("Other", "serial"), ("Item", "other"))
            for at, text in enumerate(TEXTS)
        )

        assert Receipt("first") == lab.port.ask(Commit("first", puts=first))
        reply = lab.port.ask(Commit("again", puts=again))

        assert isinstance(reply, Refusal)
        assert {Taken(new.key, "serial", old.key) for new, old in zip(again, first, strict=True)} == set(reply.failures)
        assert Receipt("beside") == lab.port.ask(Commit("beside", puts=beside))

    @rule("ID-8", "ID-16")
    def test_indexed_texts_sort_by_code_points(self, lab: Lab) -> None:
        """An index holds texts of any script and of 1,000 bytes in the order of their code points (ID-8)."""
        records = [_record(f"a{at:02}", index=(("label", text),)) for at, text in enumerate(_IN_ORDER)]
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=tuple(records[::-1])))

        for limit in (5, 1000):
            walk(lab, Scan("Item", field="label", limit=limit), records, pages=len(records))
            walk(lab, Scan("Item", field="label", limit=limit, descending=True), records[::-1], pages=len(records))
        for at in range(0, len(records), 5):
            above = Scan("Item", field="label", low=_IN_ORDER[at])
            assert _keys(records[at:]) == _keys(scanned(lab.port, above)), _IN_ORDER[at]
            assert len(records) - at == lab.port.ask(Count(above))
            below = Scan("Item", field="label", below=_IN_ORDER[at], descending=True)
            assert _keys(records[:at][::-1]) == _keys(scanned(lab.port, below)), _IN_ORDER[at]
            alone = Scan("Item", field="label", equal=_IN_ORDER[at])
            assert _keys(records[at : at + 1]) == _keys(scanned(lab.port, alone)), _IN_ORDER[at]

    @rule("ID-2", "ID-9")
    def test_prefix_is_no_pattern(self, lab: Lab) -> None:
        """What is under a record has its key before its own, character by character, and so has a kind (ID-9)."""
        records = {name: _record("", key=Key("Rack", name, "r"), index=(("rank", "1"),)) for name in LIKE}
        others = tuple([_record("", key=Key(kind, "a", "r")) for kind in ("Rac", "RackX", "rack")])
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=(*records.values(), *others)))

        assert sorted(one.uid for one in records.values()) == _keys(scanned(lab.port, Scan("Rack")))
        for name, record in records.items():
            prefix = record.key.text.removesuffix("r")
            assert [record.uid] == _keys(scanned(lab.port, Scan(None, prefix))), name
            assert 1 == lab.port.ask(Count(Scan("Rack", prefix, field="rank", equal="1"))), name

    @rule("ID-23")
    def test_long_keys_are_told_apart_at_their_end(self, lab: Lab) -> None:
        """Names of 253 characters, at several levels, name one record each and stand in order (ID-23)."""
        keys = [Key("Item", name) for name in NAMES] + [Key("Rack", name, name) for name in NAMES]
        records = sorted([_record("", key=key) for key in keys], key=lambda one: one.key.text)

        assert Receipt("fill") == lab.port.ask(Commit("fill", dict.fromkeys(keys), puts=tuple(records)))
        found = lab.port.ask(Get(tuple(keys)))

        assert {key: key.text for key in keys} == {key: one.uid for key, one in found.items()}
        walk(lab, Scan(None, limit=3), records, pages=len(records))
        for at, record in enumerate(records[1:]):
            back = Scan(None, until=record.key.text, limit=1, descending=True)
            assert records[at].key.text == next(scanned(lab.port, back)).uid
        assert Receipt("gone") == lab.port.ask(Commit("gone", deletes=(keys[0],)))
        assert set(keys[1:]) == lab.port.ask(Get(tuple(keys))).keys()


def _record(
    name: str, *, key: Key | None = None, unique: tuple[tuple[str, str], ...] = (),
    index: tuple[tuple[str, str], ...] = (),
) -> Record:  # fmt: skip
    key = key or Key("Item", name)
    return Record(key, key.text, 1, b"{}", (), unique, index, 1, 1)


def _keys(records: Any) -> list[str]:
    return [record.key.text for record in records]
