"""The largest commit: 10,000 records go in one step, and one more is refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Annotated, Any

import pytest
from redis import Redis

from emco_store import CASCADE, AlreadyExists, InvalidCall, Ref, Resource, Store, on_delete
from emco_store.contracts.harness import Lab, Mode
from emco_store.flows.context import MAX_RECORDS
from emco_store.ports import Commit, ReferrerQuery
from tests.backends.shared import ON_EACH, bench_on, url_of

LEVELS = (1, 9, 90, 900, 9000)
"""Records on each level; together they are as many as one commit may write."""
BATCH = 1000


class Trunk(Resource):
    """What is deleted."""


class Bough(Resource, parent=Trunk, on_parent_delete=CASCADE):
    """Goes with it, on the first level."""


class Branch(Resource, parent=Bough, on_parent_delete=CASCADE):
    """On the second."""


class Twig(Resource):
    """On the third, through a reference that is no parent."""

    branch: Annotated[Ref[Branch], on_delete(CASCADE)]


class Leaf(Resource, parent=Twig, on_parent_delete=CASCADE):
    """On the fourth."""


class Text(Resource):
    """Takes as many bytes as one likes."""

    text: str = ""


@pytest.fixture(params=ON_EACH)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A namespace on each backend."""
    with bench_on(request.param, Mode.BLOCKING, url_of(request)) as bench, bench.lab() as made:
        yield made


def grow(store: Store) -> Trunk:
    """Create a tree with as many records on each level as ``LEVELS`` says."""
    trunk = store.create(Trunk(name="t"))
    above: Sequence[Resource] = [trunk]
    for number, model in zip(LEVELS[1:], (Bough, Branch, Twig, Leaf), strict=True):
        width = number // len(above)
        level = [_child(model, one, f"n{at}") for one in above for at in range(width)]
        above = [made for begin in range(0, number, BATCH) for made in _created(store, level[begin : begin + BATCH])]
    return trunk


def _child(model: type[Resource], above: Resource, name: str) -> Resource:
    if model is Twig:
        return Twig(name=f"{'-'.join(above.key.segments)}-{name}", branch=above.key)
    return model(parent=above, name=name)


def _created(store: Store, resources: Sequence[Resource]) -> list[Any]:
    with store.transaction() as tx:
        return [tx.create(resource) for resource in resources]


class Watch:
    """How long things took: the caller, and the longest command of Redis, during which it serves nobody else."""

    def __init__(self, lab: Lab, url: Callable[[str], str]) -> None:
        self._url = url("redis") if lab.bench.harness.name == "redis" else None
        self.seconds = 0.0
        self.blocked_ms = 0.0

    def time(self, call: Callable[[], object]) -> None:
        """Make a call and time it; Redis keeps the times of its slow commands itself."""
        if self._url is None:
            self._time(call)
            return
        with Redis.from_url(self._url) as client:
            client.slowlog_reset()
            self._time(call)
            self.blocked_ms = max(entry["duration"] for entry in client.slowlog_get(128)) / 1000

    def _time(self, call: Callable[[], object]) -> None:
        begin = perf_counter()
        call()
        self.seconds = perf_counter() - begin


def test_cascade_of_the_most_records_is_one_commit(lab: Lab, request: pytest.FixtureRequest):
    """Ten thousand records over four levels go in one commit, after one request for each level (DEL-3, DEL-7)."""
    trunk = grow(lab.store)
    watch = Watch(lab, url_of(request))
    assert sum(LEVELS) == MAX_RECORDS == len(lab.records())
    lab.faults.clear()

    watch.time(lambda: lab.store.delete(trunk))

    assert [ReferrerQuery] * len(LEVELS) + [Commit] == [type(request) for request in lab.faults.requests]
    assert {} == lab.records()
    request.node.user_properties += [("seconds", round(watch.seconds, 2)), ("blocked_ms", round(watch.blocked_ms))]


def test_cascade_of_one_record_more_is_refused_and_writes_nothing(lab: Lab):
    """The error names the number and the limit, and without the one record the rest can go (DEL-12)."""
    trunk = grow(lab.store)
    more = lab.store.create(Bough(parent=trunk, name="more"))
    before = lab.records()
    lab.faults.clear()

    with pytest.raises(InvalidCall) as caught:
        lab.store.delete(trunk)

    assert (MAX_RECORDS + 1, MAX_RECORDS) == (caught.value.size, caught.value.limit)
    assert 0 == lab.faults.count(Commit)
    assert before == lab.records()
    lab.store.delete(more)
    lab.store.delete(trunk)
    assert {} == lab.records()


def test_transaction_of_one_record_more_is_refused_and_writes_nothing(lab: Lab):
    """What is created counts as what is deleted does (DEL-12)."""
    trunks = [Trunk(name=f"n{number}") for number in range(MAX_RECORDS + 1)]

    with pytest.raises(InvalidCall) as caught:
        _created(lab.store, trunks)

    assert (MAX_RECORDS + 1, MAX_RECORDS) == (caught.value.size, caught.value.limit)
    assert {} == lab.records()


def test_commit_of_many_megabytes_is_one_commit(lab: Lab):
    """Bytes set no limit of their own: MongoDB takes 16 MiB in one command, and a transaction takes several (ATM-1)."""
    texts = [Text(name=f"n{number:02}", text=f"{number:02}" * 500_000) for number in range(40)]

    _created(lab.store, texts)

    assert [Commit] == [type(request) for request in lab.faults.requests]
    assert [one.text for one in texts] == [found.text for found in lab.store.get_many(texts)]


def test_commit_of_many_megabytes_that_is_refused_writes_nothing(lab: Lab):
    """A precondition that fails in the last of several commands takes back what the ones before it wrote (ATM-3)."""
    lab.store.create(Text(name="n39"))
    texts = [Text(name=f"n{number:02}", text="x" * 1_000_000) for number in range(40)]

    with pytest.raises(AlreadyExists) as caught:
        _created(lab.store, texts)

    assert "Text/n39" == caught.value.key.text
    assert ["Text/n39"] == list(lab.records())


def test_page_that_is_larger_than_a_reply_of_the_server_is_whole(lab: Lab):
    """A reply of MongoDB holds 16 MiB; a page of more comes all the same, by key and by list (ID-7)."""
    text = "x" * (1000 << 10)
    made = [lab.store.create(Text(name=f"t{number:02}", text=text)) for number in range(20)]

    page = lab.store.list(Text, limit=20)
    found = lab.store.get_many(made)

    assert [one.name for one in made] == [one.name for one in page] == [one.name for one in found]
    assert {text} == {one.text for one in (*page, *found)}
