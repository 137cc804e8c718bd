"""An export is the same bytes for the same data, and never a mixture of moments."""

from __future__ import annotations

import json

import pytest
import yaml

from emco_store import Conflict, MemoryBackend, connect
from emco_store.cli.exits import Exit
from emco_store.cli.exporting import snapshot
from emco_store.cli.items import document_of
from tests.cli.conftest import EDGE
from tests.cli.small import Shelf


@pytest.mark.parametrize("form", ["jsonl", "yaml", "json", "emcoctl"])
def test_export_of_the_same_data_is_the_same_bytes(run, tmp_path, form):
    """Neither the order of writing nor uids, versions and times leave a trace."""
    turned = tmp_path / "turned.yaml"
    turned.write_text("---\n".join(reversed(EDGE.read_text("utf-8").split("---\n"))))

    first = run("export", "--format", form, "--load", EDGE)
    second = run("export", "--format", form, "--load", turned, EDGE)

    assert Exit.OK == first.code
    assert first.out == second.out


def test_export_holds_every_resource_sorted_by_key(run):
    """YAML and JSON hold the same documents, in the order of their keys."""
    documents = list(yaml.safe_load_all(run("export", "--format", "yaml", "--load", EDGE).out))
    lines = json.loads(run("export", "--format", "json", "--load", EDGE).out)

    assert documents == lines
    assert 45 == len(lines)
    assert sorted(item["key"] for item in lines) == [item["key"] for item in lines]


def test_export_as_a_bundle_is_read_again(run, tmp_path):
    """A bundle that was exported states the same resources."""
    again = tmp_path / "again.yaml"
    again.write_text(run("export", "--format", "emcoctl", "--load", EDGE).out)

    assert run("export", "--load", EDGE).out == run("export", "--load", again).out


def test_export_of_nothing_is_an_empty_list(run):
    """An empty namespace gives an empty document of its form."""
    ended = run("export", "--format", "json")

    assert (Exit.OK, []) == (ended.code, json.loads(ended.out))


def test_set_is_exported_in_its_one_order():
    """The order in which Python holds a set, which differs from process to process, leaves no trace."""
    labels = {f"label-{number:02}" for number in range(40)}
    with connect("memory://", namespace="n") as store:
        stored = store.create(Shelf(name="a", labels=labels))

        document = document_of(store.get(stored))

    assert sorted(labels) == document["labels"]


def test_snapshot_reads_again_when_something_moved():
    """What is exported was all there at one moment."""
    backend = MemoryBackend()
    with connect(backend, namespace="n") as store, connect(backend, namespace="n") as other:
        store.create(Shelf(name="a"))
        writes = iter([Shelf(name="b"), Shelf(name="c")])
        backend.hook = _after_each_scan(backend, lambda: other.create(next(writes)))

        items = snapshot(store)

    assert ["a", "b", "c"] == [item.name for item in items]


def test_snapshot_of_what_never_rests_gives_up():
    """When no two passes see the same, the export is a conflict, which may be tried again."""
    backend = MemoryBackend()
    with connect(backend, namespace="n") as store, connect(backend, namespace="n") as other:
        names = iter(range(1000))
        backend.hook = _after_each_scan(backend, lambda: other.create(Shelf(name=f"s{next(names)}")))

        with pytest.raises(Conflict) as caught:
            snapshot(store)

    assert caught.value.retryable


def _after_each_scan(backend, write):
    """Make a hook that writes after each scan, until there is nothing left to write."""

    def hook(name, moment, _argument):
        if (name, moment) == ("scan", "after"):
            current, backend.hook = backend.hook, None
            try:
                write()
            except StopIteration:
                return
            backend.hook = current

    return hook
