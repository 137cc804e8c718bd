"""What the documents of a namespace are, and that every record a decision rests on is written."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Annotated

import pytest

from emco_store import (
    Conflict,
    DeleteRestricted,
    InvalidResource,
    Key,
    NotFound,
    Ref,
    Resource,
    connect,
    indexed,
    unique,
)
from emco_store.backends.mongo import commands, ranges
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.core.records import Record
from emco_store.ports import Commit, Count, Receipt, ReferrerQuery, Scan
from tests.backends.mongo.conftest import Thing


class Named(Resource):
    """Has a unique and an indexed value."""

    code: Annotated[str | None, unique()] = None
    rank: Annotated[str, indexed()] = ""


class Pointing(Resource):
    """Refers to a thing."""

    to: Ref[Thing] | None = None


RECORD = Record(Key("Thing", "a"), "u", 1, b"{}", (), (), (), 1, 1)
SPOILED = [{"$unset": {field: 1}} for field in ("u", "v", "d", "e", "c", "m", "p")] + [
    {"$set": {"d": "text"}},
    {"$set": {"v": "x"}},
    {"$set": {"m": 2**62}},
    {"$set": {"e": 5}},
    {"$set": {"u": 7}},
]


def test_write_skew_on_absence_is_refused(store, url, namespace):
    """Of two that each rely on the other's key being free, one is refused (OCC-1)."""
    with connect(url, namespace=namespace) as other, pytest.raises(Conflict), store.transaction() as first:  # noqa: PT012 - the end of the block is what raises
        with other.transaction() as second:
            assert [None] == list(second.get_many([Key("Thing", "b")], missing_ok=True))
            assert [None] == list(first.get_many([Key("Thing", "a")], missing_ok=True))
            second.create(Thing(name="a"))
        first.create(Thing(name="b"))

    assert ["a"] == [thing.name for thing in store.list(Thing)]


def test_write_skew_on_absence_in_two_threads_is_refused(store):
    """However two such commits meet on the server, at most one happens (OCC-1)."""
    for number in range(15):
        a, b = f"a{number}", f"b{number}"
        both_read = threading.Barrier(2)

        def create(name: str, other: str, both_read: threading.Barrier = both_read) -> None:
            try:
                with store.transaction() as tx:
                    tx.get_many([Key("Thing", other)], missing_ok=True)
                    both_read.wait(10)
                    tx.create(Thing(name=name))
            except Conflict:
                pass

        threads = [threading.Thread(target=create, args=pair) for pair in ((a, b), (b, a))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == sum(name in {a, b} for name in (thing.name for thing in store.list(Thing, limit=1000)))


def test_unique_values_are_swapped_in_one_commit(store):
    """A value may change hands within a commit, whatever the order of the records (ID-6)."""
    a, b = store.create(Named(name="a", code="1")), store.create(Named(name="b", code="2"))

    with store.transaction() as tx:
        tx.update(a.model_copy(update={"code": "2"}))
        tx.update(b.model_copy(update={"code": "1"}))

    assert ["2", "1"] == [one.code for one in store.list(Named)]


def test_unique_value_of_a_deleted_record_is_taken_in_the_same_commit(store):
    """A value is free as soon as its owner goes (ID-6)."""
    old = store.create(Named(name="z", code="1"))

    with store.transaction() as tx:
        tx.delete(old)
        tx.create(Named(name="a", code="1"))

    assert ["a"] == [one.name for one in store.list(Named)]


def test_tombstones_and_outcomes_expire_and_are_in_no_list(store, records):
    """What is kept for the commits' own sake is never shown, and goes by the server's clock (ID-7)."""
    thing = store.create(Thing(name="a"))
    store.delete(thing)
    store.resolve("some")

    assert () == store.list(Resource).items
    assert [] == [one["_id"] for one in records.find() if not {"x", "t"} & one.keys()]
    expiring = {
        one["key"].popitem()[0]: one["expireAfterSeconds"]
        for one in records.list_indexes()
        if "expireAfterSeconds" in one
    }
    assert {"x": 3600, "t": 86_400} == expiring


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("until", ["", "emco__"])
@pytest.mark.parametrize("after", [None, "Thing/a", "emco__", "tx/a", "zone/a"])
def test_scan_of_all_kinds_passes_over_what_is_no_record(store, records, after, until, descending):
    """However many outcomes and pulses there are, the server looks at records only (ID-16)."""
    port = MongoBackend(records.database.client).port(store.namespace)
    texts = ["Thing/a", "Thing/b", "beat/a", "beats/a", "tx/a", "txs/a", "zone/a"]
    for text in texts:
        key = Key(*text.split("/"))
        assert isinstance(port.ask(Commit(f"t-{text}", {key: None}, puts=(replace(RECORD, key=key),))), Receipt)
    records.insert_many({"_id": f"beat:{number}", "o": "beat"} for number in range(50))
    scan = Scan(None, after=after and ("", after), until=until, descending=descending)
    behind = [text for text in texts if not after or (text < after if descending else text > after)]
    wanted = [text for text in behind if not until or text < until]

    found = [record.key.text for record in port.ask(scan).records]
    query, order, index = ranges.scan(scan)
    find = {"find": records.name, "filter": query, "sort": order, "hint": index, "limit": 100}
    explained = records.database.command({"explain": find, "verbosity": "executionStats"})

    assert (wanted[::-1] if descending else wanted) == found
    assert len(found) == explained["executionStats"]["totalDocsExamined"]
    assert "'SORT'" not in str(explained["queryPlanner"]["winningPlan"])
    assert len(found) == port.ask(Count(scan))


@pytest.mark.parametrize("load", [(), (Key("Thing", "t"),)], ids=["alone", "with the target"])
def test_page_of_referrers_is_read_in_its_order_from_the_index(store, records, load):
    """Who reads ten of many referrers makes the server look at few more than these, and sort nothing (DEL-8)."""
    with store.transaction() as tx:
        thing = tx.create(Thing(name="t"))
        for number in range(2_000):
            tx.create(Pointing(name=f"p{number:04}", to=None if number % 10 else thing.ref))
    query, limit = commands.referrers(ReferrerQuery((thing.key,), load, "Pointing/p0100", 10))
    find = {"find": records.name, "filter": query, "sort": {"_id": 1}, "limit": limit}

    found = records.database.command({"explain": find, "verbosity": "executionStats"})

    assert 2 * limit >= found["executionStats"]["totalDocsExamined"]  # it may try another order first
    assert "'SORT'" not in str(found["queryPlanner"]["winningPlan"])


def test_record_over_a_tombstone_does_not_expire(store, records):
    """A key that was free for a while and is used again holds a record like any other (ID-11)."""
    store.delete(store.create(Thing(name="a", note="first")))

    store.create(Thing(name="a", note="second"))

    assert ("second", False) == (store.get(Thing, "a").note, "x" in records.find_one("Thing/a"))


@pytest.mark.parametrize("spoil", SPOILED, ids=str)
def test_spoiled_record_is_an_error_in_its_place(store, records, spoil):
    """One unreadable record breaks no list, and can be deleted and replaced (BAD-8)."""
    for name in "abc":
        store.create(Thing(name=name))
    records.update_one({"_id": "Thing/b"}, spoil)

    a, b, c = store.list(Thing).items
    assert ("a", InvalidResource, "c") == (a.name, type(b), c.name)
    with pytest.raises(InvalidResource):
        store.get(Thing, "b")
    store.put(Thing(name="b", note="new"))
    assert "new" == store.get(Thing, "b").note
    records.update_one({"_id": "Thing/b"}, spoil)
    store.delete(Key("Thing", "b"))
    assert ["a", "c"] == [thing.name for thing in store.list(Thing)]


def test_documents_without_a_key_are_left_out_of_full_pages(store, records):
    """What no key can address is no record, and ends no list before its end (ID-7)."""
    for name in "abc":
        store.create(Thing(name=name))
    records.insert_many([{"_id": 1}, {"_id": "Thing/%zz"}, {"_id": "Thing/a a"}, {"note": "an id of the driver's"}])

    pages = [store.list(Thing, limit=2)]
    pages.append(store.list(Thing, limit=2, after=pages[0].next))

    assert [["a", "b"], ["c"]] == [[thing.name for thing in page] for page in pages]
    assert 3 == len(store.list(Resource).items)


def test_spoiled_referrer_still_holds_its_target(store, records):
    """Where the rules of a reference cannot be read, the target stays (REF-2)."""
    thing = store.create(Thing(name="a"))
    store.create(Pointing(name="p", to=thing))
    records.update_one({"_id": "Pointing/p"}, {"$unset": {"e": 1}})

    with pytest.raises(DeleteRestricted):
        store.delete(thing)


@pytest.mark.parametrize("descending", [False, True])
def test_indexed_texts_of_every_kind_are_in_order(store, descending):
    """Order and cursors hold for texts that begin alike, hold NUL or the last character of Unicode (ID-8)."""
    ranks = ["", "a", "a\0", "a\0b", "a\1", "ab", "b", "\U0010ffff", "\U0010ffffx"]
    for number, rank in enumerate(ranks):
        store.create(Named(name=f"n{(number * 7) % len(ranks)}", rank=rank))

    found: list[str] = []
    after = None
    while True:
        page = store.list(Named, order_by="-rank" if descending else "rank", limit=2, after=after)
        found += [one.rank for one in page]
        after = page.next
        if after is None:
            break

    assert sorted(ranks, reverse=descending) == found


def test_key_that_begins_another_is_told_apart(store):
    """The text of a key may begin another's (ID-2, ID-9)."""
    for name in ("p1", "p10", "p1.x", "p"):
        store.create(Thing(name=name))

    store.delete(Key("Thing", "p1"))

    assert ["p", "p1.x", "p10"] == [thing.name for thing in store.list(Thing)]
    with pytest.raises(NotFound):
        store.get(Thing, "p1")


def test_records_to_load_come_along_however_many_refer_to_them(store, url):
    """Referrers that sort first do not push out what was asked for along with them (DEL-8)."""
    thing = store.create(Thing(name="a"))
    for number in range(5):
        store.create(Pointing(name=f"p{number}", to=thing))
    port = MongoBackend(url).port(store.namespace)
    port.open()

    found = port.ask(ReferrerQuery((thing.key,), (thing.key,), limit=2))
    port.close()

    assert ([thing.key], 2) == (list(found.records), len(found.referrers))


def test_large_page_of_referrers_is_read_in_the_order_of_the_index(store, records):
    """What most likely fits one page is read target by target: the server merges and sorts nothing (DEL-8)."""
    keys = [store.create(Thing(name=f"t{number}")).key for number in range(10)]
    for key in keys:
        store.create(Pointing(name=f"p{key.name}", to=Ref(key.text)))
    query, limit = commands.referrers(ReferrerQuery(tuple(keys), limit=commands.MANY), in_order=False)

    found = records.database.command({"explain": {"find": records.name, "filter": query, "limit": limit}})

    plan = str(found["queryPlanner"])
    assert ("referrers" in plan, "SORT" in plan, []) == (True, False, found["queryPlanner"]["rejectedPlans"])


def test_page_of_many_referrers_ends_where_the_next_one_begins(store, records, url):
    """Pages that are read target by target are in the order of the keys as well (DEL-8, ID-16)."""
    keys = [store.create(Thing(name=f"t{number}")).key for number in range(2)]
    made = [store.create(Pointing(name=f"p{key.name}", to=Ref(key.text))).key.text for key in keys]
    copied = [records.find_one(text) for text in made]
    names = [f"p{number:04}" for number in range(commands.MANY - 1)]
    records.insert_many([{**copied[at % 2], "_id": f"Pointing/{name}"} for at, name in enumerate(names)])
    port = MongoBackend(url).port(store.namespace)
    port.open()

    first = port.ask(ReferrerQuery(tuple(keys), limit=commands.MANY))
    second = port.ask(ReferrerQuery(tuple(keys), after=first.next, limit=commands.MANY))
    whole = port.ask(ReferrerQuery(tuple(keys), limit=2 * commands.MANY))
    port.close()

    wanted = [*names, "pt0", "pt1"]
    assert (wanted[:-1], wanted[-1:]) == tuple([one.key.name for one in page.referrers] for page in (first, second))
    assert (wanted, None) == ([one.key.name for one in whole.referrers], whole.next)


def test_put_that_rests_on_nothing_is_written_over_anything(store, url):
    """A put needs no expectation: what has its key is replaced, and what is absent is made (ATM-3)."""
    store.create(Thing(name="a"))
    port = MongoBackend(url).port(store.namespace)
    port.open()
    (record,) = port.ask(Scan(kind="Thing")).records
    other = replace(record, key=Key("Thing", "b"), document=record.document.replace(b'"a"', b'"b"'))

    reply = port.ask(Commit("some", puts=(record, other)))
    port.close()

    assert Receipt("some") == reply
    assert ["a", "b"] == [thing.name for thing in store.list(Thing)]
