"""Content, digests and revisions below the store: what is read, what a commit rests on, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st

from emco_store import CASCADE, InvalidCall, InvalidResource, Key, NotFound, Ref, Resource, on_delete
from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.harness import Bench, Harness, Lab, Mode
from emco_store.core.digests import Content, changed_between, fingerprint
from emco_store.core.lifecycle_records import Standing
from emco_store.core.records import Edge, Record
from emco_store.core.revisions import (
    PART_BYTES,
    RevisionDocument,
    Row,
    Rows,
    content_of,
    pack,
    part_keys,
    read_document,
    read_revision,
    records_of,
    revision_key,
    tagged,
    unpack,
)
from emco_store.core.rules import Rule
from emco_store.flows import content as contents
from emco_store.flows.unit import Unit
from emco_store.ports import Commit, Get, Receipt, ReferrerQuery


class Chart(Resource):
    """What is referred to from inside a subtree."""

    text: str = ""


class Plant(Resource):
    """The root."""

    text: str = ""


class Hall(Resource, parent=Plant, on_parent_delete=CASCADE):
    """A child."""

    chart: Ref[Chart] | None = None


class Desk(Resource, parent=Hall, on_parent_delete=CASCADE):
    """A grandchild."""

    text: str = ""


class Visitor(Resource):
    """Refers to members, and is none."""

    hall: Annotated[Ref[Hall] | None, on_delete(CASCADE)] = None
    plant: Annotated[Ref[Plant] | None, on_delete(CASCADE)] = None


class Driver:
    """Answers the requests of flows, and keeps them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.asked: list[Any] = []
        self.unit = Unit(lab.store._surroundings)

    def run(self, flow: Any) -> Any:
        """Answer all requests of a flow, and return its result."""
        reply: Any = None
        while True:
            try:
                request = flow.send(reply)
            except StopIteration as end:
                return end.value
            self.asked.append(request)
            reply = self.lab.port.ask(request)

    def content(self, *kinds: str) -> Content:
        """Read the content of the root."""
        return self.run(contents.read(self.unit, Key("Plant", "p"), kinds))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Give a lab on a memory backend."""
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench, bench.lab() as opened:
        yield opened


def begin(lab: Lab) -> None:
    """Create a root with a child, a grandchild, a target and a visitor."""
    chart = lab.store.create(Chart(name="c"))
    plant = lab.store.create(Plant(name="p"))
    hall = lab.store.create(Hall(parent=plant, name="h", chart=chart))
    lab.store.create(Desk(parent=hall, name="d"))
    lab.store.create(Visitor(name="v", hall=hall, plant=plant))


def test_content_is_read_in_depth_and_one_requests(lab: Lab):
    """LIF-3: Each member is expected and sealed, each target expected; another referrer is neither."""
    begin(lab)
    driver = Driver(lab)

    found = driver.content("Chart")

    assert ["Desk/p/h/d", "Hall/p/h", "Plant/p"] == [record.key.text for record in found.members]
    assert ["Chart/c"] == [record.key.text for record in found.targets]
    assert [ReferrerQuery] * 3 == [type(request) for request in driver.asked]
    assert {"Chart/c", "Desk/p/h/d", "Hall/p/h", "Plant/p"} == {key.text for key in driver.unit.expect}
    assert {"Desk/p/h/d", "Hall/p/h", "Plant/p"} == {key.text for key in driver.unit.sealed}
    assert Key("Visitor", "v") not in driver.unit.base


def test_content_keeps_what_the_transaction_rested_on_before(lab: Lab):
    """LIF-3: A foreign referrer that the transaction has read itself stays in what it rests on."""
    begin(lab)
    driver = Driver(lab)
    driver.run(driver.unit.load([Key("Visitor", "v")]))

    driver.content()

    assert Key("Visitor", "v") in driver.unit.expect


def test_content_shows_what_the_transaction_has_written(lab: Lab):
    """HIS-3: Writes of the same transaction count."""
    begin(lab)
    driver = Driver(lab)
    before = driver.content().digest
    again = Driver(lab)
    again.unit.create(Desk(parent=Key("Hall", "p", "h"), name="e"))
    again.run(again.unit.delete([Key("Desk", "p", "h", "d")]))

    found = again.content()

    assert ["Desk/p/h/e", "Hall/p/h", "Plant/p"] == [record.key.text for record in found.members]
    assert before != found.digest


def test_content_of_what_is_not_there_is_not_found(lab: Lab):
    """LIF-4: There is no content without a resource."""
    with pytest.raises(NotFound):
        Driver(lab).content()


def test_content_beyond_the_limit_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """HIS-3: A subtree that is too large for a revision is refused before anything is written."""
    begin(lab)
    monkeypatch.setattr(contents, "MAX_MEMBERS", 2)
    with pytest.raises(InvalidCall):
        Driver(lab).content()


def test_content_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch):
    """LIF-11: Children that do not fit on one page of referrers belong to the content too."""
    monkeypatch.setattr("emco_store.flows.view.MIN_PAGE", 3)
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench, bench.lab() as lab:
        begin(lab)
        for number in range(9):
            lab.store.create(Hall(parent=Key("Plant", "p"), name=f"h{number}"))
        driver = Driver(lab)
        driver.unit = Unit(lab.open(max_records=2)._surroundings)
        assert 12 == len(driver.content().members)


def test_change_after_a_transition_is_refused(lab: Lab):
    """HIS-3: What a transition has recorded is what is committed."""
    begin(lab)
    driver = Driver(lab)
    found = driver.content()
    contents.check_still(driver.unit, found)
    driver.unit.create(Desk(parent=Key("Hall", "p", "h"), name="e"))
    with pytest.raises(InvalidCall, match="after a transition"):
        contents.check_still(driver.unit, found)


def test_revision_is_written_and_read(lab: Lab):
    """HIS-1, HIS-3: A revision brings back what was recorded; the same content is not recorded twice."""
    begin(lab)
    driver = Driver(lab)
    found = driver.content("Chart")
    about = RevisionDocument(state="Up", transition="instantiate", actor="ada", at_us=7, kinds=("Chart",))

    first = contents.record(driver.unit, found, Standing(state="Up"), about)
    second = contents.record(driver.unit, found, first, about)
    driver.run(driver.unit.commit())

    assert (1, found.digest) == (first.revisions, first.digest)
    assert first == second
    key = revision_key(found.root.key, found.root.uid, 1)
    stored = lab.port.ask(Get((key,)))[key]
    parts = lab.port.ask(Get(tuple(part_keys(key, read_document(stored).parts))))
    rows = content_of(stored, parts)
    assert tuple(map(Row.of, found.members)) == rows.members
    assert tuple(map(Row.of, found.targets)) == rows.targets
    assert () == stored.edges
    entry = read_revision(tagged(stored, ["stable"], 8))
    assert (found.root.key, found.root.uid, 1, ("stable",)) == (entry.key, entry.uid, entry.number, entry.tags)
    assert "instantiate  by ada  [stable]" in str(entry)


def test_large_revision_has_several_parts_and_misses_none():
    """HIS-12: A revision whose part is missing or altered cannot be read."""
    document = b'{"text":"' + bytes(range(32, 33)) * 10 + b'"}'
    noise = [bytes(str(hash((n, m))), "ascii") for n in range(2) for m in range(60_000)]
    root = Record(Key("Plant", "p"), "u", 1, document, (), (), (), 0, 0)
    big = replace(root, key=Key("Hall", "p", "h"), document=b'["' + b'","'.join(noise) + b'"]')
    revision, *parts = records_of(Content.of(root, [root, big]), 1, RevisionDocument(state="Up"), "r")
    found = {part.key: part for part in parts}

    assert len(parts) > 1
    assert all(len(part.document) < PART_BYTES + 100 for part in parts)
    assert 2 == len(content_of(revision, found).members)
    with pytest.raises(InvalidResource, match="part 1 of its content is missing"):
        content_of(revision, {parts[0].key: parts[0]})
    swapped = {parts[0].key: replace(parts[0], document=parts[1].document), parts[1].key: parts[1]}
    with pytest.raises(InvalidResource):
        content_of(revision, swapped)


@given(st.lists(st.tuples(st.binary(max_size=30), st.text(max_size=5)), max_size=5))
def test_rows_come_back_as_they_were(given_rows: list[tuple[bytes, str]]):
    """HIS-1: Whatever a document holds, readable or not, comes back byte for byte."""
    edge = Edge(Key("Chart", "c"), ("spec", 0, "chart"), Rule.RESTRICT)
    rows = tuple(
        Row(Key("Plant", f"p{at}"), document, (edge,), (("a", text),), (("b", text),))
        for at, (document, text) in enumerate(given_rows)
        if text.isprintable()
    )
    assert Rows(rows, rows[:1]) == unpack(pack(Rows(rows, rows[:1])))


def test_digest_counts_content_alone():
    """LIF-11: Equal content has equal digests, whatever its uid, version and order of fields."""
    one = Record(Key("Plant", "p"), "u", 1, b'{"a":1,"b":[2]}', (), (), (), 0, 0)
    same = Record(Key("Plant", "p"), "w", 9, b'{"b": [2], "a": 1}', (), (), (), 5, 6)
    other = replace(same, document=b'{"b":[2],"a":2}')
    status = replace(one, key=Key.trusted("emco__Status_Plant", ("p", "w")))

    assert Content.of(one, [one, status]).digest == Content.of(same, [same]).digest
    assert Content.of(one, [one]).digest != Content.of(other, [other]).digest
    assert Content.of(one, [one]).digest != Content.of(one, [one], [replace(one, key=Key("Odd", "o"))]).digest
    assert fingerprint(b"\xff") != fingerprint(b"\xfe")


def test_changes_are_named():
    """LIF-10: What differs between two contents is named, in order."""
    before, after = {"A/a": "1", "A/b": "1", "A/c": "1"}, {"A/a": "1", "A/b": "2", "A/d": "1"}
    assert (Key("A", "b"), Key("A", "c"), Key("A", "d")) == changed_between(before, after)


def test_number_is_not_used_twice(lab: Lab):
    """HIS-2: A revision is never written over another one, whatever the lifecycle record says."""
    begin(lab)
    about = RevisionDocument(state="Up")
    replies = []
    for _ in range(2):
        driver = Driver(lab)
        contents.record(driver.unit, driver.content(), Standing(state="Up"), about)
        unit = driver.unit
        replies.append(lab.port.ask(Commit(unit.txid, dict(unit.expect), puts=tuple(unit.puts.values()))))
    assert [Receipt, False] == [type(replies[0]), isinstance(replies[1], Receipt)]
