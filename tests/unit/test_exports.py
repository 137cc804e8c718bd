"""Exports and imports of resources that are drawn at random are inverse; groups come after what they refer to."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from emco_store import MemoryBackend, connect
from emco_store.contracts.models import Anything, Cascade, Restrict, SetNull, Site
from emco_store.core.exports import in_batches, in_groups, read_export
from emco_store.core.keys import Key

NAMES = st.sampled_from([f"n{number}" for number in range(8)])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé ", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
LINKS = st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=8)


@given(sites=st.lists(NAMES, unique=True, min_size=1), values=st.lists(VALUES, max_size=4), links=LINKS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_import_of_an_export_is_the_same_store(sites, values, links, data):
    """import(export(s)) is s, and the export of that is the same text, with and without models."""
    backend = MemoryBackend()
    site = st.sampled_from([f"Site/{name}" for name in sites])
    with connect(backend, namespace="a") as store:
        with store.transaction() as tx:
            for name in sites:
                tx.create(Site(name=name))
            for number, value in enumerate(values):
                tx.create(Anything(name=str(number), value=value))
            for name, others in links.items():
                before = next((other for other in others if other in links and other != name), None)
                tx.create(Cascade(name=name, blocked_by=before and f"Cascade/{before}"))
                tx.create(Restrict(name=name, listed=data.draw(st.lists(site, max_size=3)), one=data.draw(site)))
                tx.create(SetNull(name=name, listed=[None, data.draw(site)]))
        exported = store.export()
        for namespace, models in (("b", ()), ("c", (Site, Anything, Cascade, Restrict, SetNull))):
            with connect(backend, namespace=namespace, models=models) as other:
                size = data.draw(st.sampled_from([1, 3, 500]))
                other.import_(data.draw(st.permutations(exported.lines)), batch=size)

                assert exported.text == other.export().text


@given(links=LINKS)
@settings(max_examples=100, deadline=None)
def test_group_comes_after_what_it_refers_to(links):
    """Each row comes once; a target comes in the same group or before, and a group of several is a cycle."""
    targets = {Key("N", name): [Key("N", other) for other in others] for name, others in links.items()}

    groups = list(in_groups(targets))

    place = {key: number for number, group in enumerate(groups) for key in group}
    assert len(targets) == len(place) == sum(map(len, groups))
    for key, others in targets.items():
        assert all(place.get(other, -1) <= place[key] for other in others)
    for group in groups:
        for one in group:
            assert set(group) == _reached(one, links, set(group))


def _reached(begin, links, within):
    """Return what of a group is reached from one of it along references within it."""
    found, waiting = {begin}, [begin]
    while waiting:
        near = {Key("N", name) for name in links[waiting.pop().segments[0]]} & within
        waiting += near - found
        found |= near
    return found


def test_long_chain_is_put_into_order():
    """A chain of five thousand needs no recursion, and no time that grows faster than it."""
    keys = [Key("N", f"{number:06}") for number in range(5_000)]

    batches = list(in_batches(in_groups({one: [other] for one, other in pairwise(keys)} | {keys[-1]: []}), 500))

    assert 10 == len(batches)
    assert list(reversed(keys)) == [key for batch in batches for key in sorted(batch, reverse=True)]


def test_lines_need_no_order_and_no_head():
    """Blank lines, bytes and a missing first line are no fault; a line twice counts once."""
    lines = [b'{"key":"N/b","document":{}}', "", '{"key":"N/a","document":{}}', '{"key":"N/a","document":{}}']

    assert ["N/a", "N/b"] == [row.key.text for row in read_export(lines)]
    assert () == read_export("\n")
