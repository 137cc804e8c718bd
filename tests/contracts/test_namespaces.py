"""A test has its namespace to itself, also where namespaces are taken again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from emco_store import MemoryBackend, Resource
from emco_store.contracts.harness import Bench, Harness, Mode


class Thing(Resource):
    """Something to leave behind."""


class Site:
    """A harness that counts what becomes of its namespaces."""

    def __init__(self, *, can_empty: bool = True) -> None:
        self.emptied: list[str] = []
        self.dropped: list[str] = []
        self._can_empty = can_empty
        self.harness = Harness("memory", MemoryBackend, drop=self._drop, empty=self._empty)

    def _drop(self, _: Any, namespace: str) -> None:
        self.dropped.append(namespace)

    def _empty(self, backend: Any, namespace: str) -> bool:
        self.emptied.append(namespace)
        backend._spaces.pop(namespace, None)
        return self._can_empty


@pytest.fixture
def stack():
    """Closes benches."""
    with ExitStack() as stack:
        yield stack


def bench_of(site, stack):
    """Return a bench of the site."""
    bench = Bench(site.harness, Mode.BLOCKING)
    stack.callback(bench.close)
    return bench


def test_namespace_is_emptied_and_taken_again(stack):
    """The second test finds nothing of the first, and makes no id that the first has made."""
    site = Site()
    bench = bench_of(site, stack)
    with bench.lab() as lab:
        first, left = lab.namespace, lab.store.create(Thing(name="a"))

    with bench.lab() as lab:
        held, made = lab.records(), lab.store.create(Thing(name="a"))
        assert first == lab.namespace

    assert ({}, [first], []) == (held, site.emptied, site.dropped)
    assert left.meta.uid != made.meta.uid


def test_labs_that_are_open_at_once_have_different_namespaces(stack):
    """A namespace is taken again only when its test has ended."""
    bench = bench_of(Site(), stack)

    with bench.lab() as one, bench.lab() as other:
        assert one.namespace != other.namespace


def test_namespace_in_which_faults_were_planned_is_not_taken_again(stack):
    """What a lost request may still do happens where nobody looks."""
    site = Site()
    bench = bench_of(site, stack)
    with bench.lab() as lab:
        lab.faults.lose_reply()
        first = lab.namespace

    with bench.lab() as lab:
        assert first != lab.namespace
    assert [first] == site.dropped


def test_namespace_that_cannot_be_emptied_is_dropped(stack):
    """A namespace whose indexes a test has changed, for instance, is as good as gone."""
    site = Site(can_empty=False)
    bench = bench_of(site, stack)
    with bench.lab() as lab:
        first = lab.namespace

    with bench.lab() as lab:
        assert first != lab.namespace
    assert [first] == site.dropped


def test_namespaces_that_were_kept_are_dropped_at_the_end():
    """Nothing is left on a server."""
    site = Site()
    bench = Bench(site.harness, Mode.BLOCKING)
    with bench.lab() as lab:
        first = lab.namespace

    bench.close()

    assert [first] == site.dropped
