"""``import`` is the inverse of ``export``: resources come back, and nothing dangles."""

from __future__ import annotations

import json

import pytest

from emco_store import Key, MemoryBackend, Unavailable, connect
from emco_store.cli.exits import Exit
from emco_store.core.exports import in_batches
from tests.cli.conftest import EDGE
from tests.cli.small import Box, Shelf, Tag
from tests.cli.stateful import Cloud, CloudLifecycle

MODELS = ("--models", "tests.cli.small")
KEPT = ("--store", "kept://")


@pytest.fixture
def exported(run, tmp_path):
    """A file with the export of EMCO's example."""
    path = tmp_path / "edge.jsonl"
    path.write_text(run("export", "--load", EDGE).out)
    return path


@pytest.fixture
def shelves(tmp_path):
    """A file with the export of two shelves, boxes that refer to each other in a cycle, and a tag."""
    path = tmp_path / "shelves.jsonl"
    with connect(MemoryBackend(), namespace="n") as store:
        with store.transaction() as tx:
            a, b = tx.create(Shelf(name="a", labels={"x", "y"})), tx.create(Shelf(name="b"))
            for name in "123":
                tx.create(Box(parent=a, name=name, size="l", beside=f"Box/a/{int(name) % 3 + 1}/l"))
            tx.create(Tag(name="t", boxes=["Box/a/1/l"], home=b))
        path.write_text(store.export().text)
    return path


@pytest.mark.usefixtures("kept")
def test_import_of_an_export_is_the_same_again(run, exported):
    """What comes back is exported as the same bytes, without models; the same import again changes nothing."""
    first = run("import", exported, *KEPT)
    again = run("import", exported, *KEPT, "--models", "emco_store.emco")

    assert (Exit.OK, "45 resources created, 0 updated, 0 unchanged\n") == (first.code, first.out)
    assert "0 resources created, 0 updated, 45 unchanged\n" == again.out
    assert exported.read_text() == run("export", *KEPT).out


def test_models_of_a_user_come_back(run, kept, shelves):
    """With and without the module of the models, all values, references and rules are there."""
    run("import", shelves, *KEPT)

    with connect(kept, namespace="default", models=[Shelf, Box, Tag]) as store:
        assert {"x", "y"} == store.get(Shelf, "a").labels
        assert Key("Box", "a", "2", "l") == store.get(Box, "a", "1", "l").beside.key
        store.delete(store.get(Box, "a", "1", "l"))
        assert ([], None) == (store.get(Tag, "t").boxes, store.get(Box, "a", "3", "l").beside)


@pytest.mark.usefixtures("kept")
def test_part_is_exported_with_what_it_needs_outside(run, shelves):
    """An export under a resource names the targets outside; its import needs them."""
    run("import", shelves, *KEPT)
    box = run("export", "--under", "Box/a/1/l", *KEPT)
    part = shelves.with_name("part.jsonl")
    part.write_text(box.out)

    planned = run("import", part, "--plan", "--store", "memory://")
    refused = run("import", part, "--store", "memory://")

    assert 2 == len(box.out.splitlines())
    assert "it refers to 2 resources outside, which must be there: Box/a/2/l, Shelf/a" in box.err
    assert Exit.REFUSED == planned.code == refused.code
    assert "! Box/a/1/l parent -> Shelf/a, which is neither in the export nor in the store" in planned.out
    assert "Box/a/1/l beside -> Box/a/2/l" in refused.err


def test_what_differs_is_shown_refused_and_replaced(run, kept, shelves):
    """The plan shows the fields that differ; without --replace nothing is written."""
    run("import", shelves, *KEPT)
    with connect(kept, namespace="default") as store:
        store.patch(store.get(Shelf, "a"), {"floor": 3})

    plan = run("import", shelves, "--plan", *KEPT)
    refused = run("import", shelves, *KEPT)
    shown = run("import", shelves, "--plan", "--replace", *KEPT)
    replaced = run("import", shelves, "--replace", *KEPT)

    assert (Exit.REFUSED, Exit.REFUSED, Exit.OK, Exit.OK) == (plan.code, refused.code, shown.code, replaced.code)
    assert "~ Shelf/a\n      floor: 3 -> 0" in plan.out
    assert "Shelf/a: floor" in refused.err
    assert "--replace replaces them; emco-store import FILE --plan shows what differs" in refused.err
    assert "Plan: 0 resources to create, 1 to update, 5 unchanged; can be imported, in 1 commit." in shown.out
    assert "0 resources created, 1 updated, 5 unchanged\n" == replaced.out


def test_export_that_was_cut_off_is_not_imported(run, exported, tmp_path):
    """A file that is shorter than its first line says is refused, with what to do."""
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(exported.read_text().splitlines()[:10]))

    ended = run("import", cut)

    assert Exit.REFUSED == ended.code
    assert "it holds 45 resources, and 9 are there" in ended.err


def test_misfit_is_named_by_its_key(run, shelves):
    """With the module of the models, each document must fit its model."""
    shelves.write_text(shelves.read_text().replace('"floor":0', '"floor":"high"'))

    ended = run("import", shelves, *MODELS)

    assert Exit.REFUSED == ended.code
    assert "Shelf/a: floor" in ended.err
    assert "Shelf/b: floor" in ended.err


@pytest.mark.usefixtures("kept")
def test_interrupted_import_says_how_far_it_came(run, exported, monkeypatch):
    """After a commit that failed, the command says what was done, and goes on when it is given again."""
    from emco_store.flows import importing  # noqa: PLC0415 - its size of a batch is changed

    real, calls = importing.commit_batch, []

    def commit(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise Unavailable("The server is gone.", hint="wait.")
        return real(*arguments, **options)

    monkeypatch.setattr(importing, "commit_batch", commit)
    monkeypatch.setattr(importing, "in_batches", lambda groups, _: in_batches(groups, 10))

    broken = run("import", exported, *KEPT)
    again = run("import", exported, *KEPT)

    assert Exit.RETRY == broken.code
    assert "before that: 20 resources created" in broken.err
    assert "20 of 45 done; the same command goes on from there" in broken.err
    assert "25 resources created, 0 updated, 20 unchanged\n" == again.out


def test_states_are_no_part_of_an_export(run, kept):
    """The command says what the namespace holds beside resources."""
    with connect(kept, namespace="default") as store:
        cloud = store.create(Cloud(name="c"))
        store.transition(cloud, CloudLifecycle.instantiate)

    ended = run("export", *KEPT)

    assert "the namespace also holds states of lifecycles, which no export holds" in ended.err
    assert 1 == json.loads(ended.out.splitlines()[0])["export"]["resources"]
