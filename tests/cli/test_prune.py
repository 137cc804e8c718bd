"""``apply --plan``, ``--name`` and ``--prune``: what a bundle would do, and what it holds no more."""

from __future__ import annotations

import io

import pytest

from emco_store import Key, connect
from emco_store.cli.exits import Exit
from emco_store.emco import CATALOGUE, AppliedBundle, Project, apply_bundle, plan_bundle
from tests.cli.conftest import BUNDLE
from tests.emco.conftest import bundle_of

KEPT = ("--store", "kept://")
LESS = BUNDLE.replace(
    "---\nversion: emco/v2\nresourceContext: {anchor: cluster-providers/edge/clusters}\nmetadata: {name: c2}\n", ""
)
CHANGED = LESS.replace('description: "first"', 'description: "second"')


@pytest.fixture
def less(tmp_path):
    """The bundle without one of its clusters, and with another description."""
    path = tmp_path / "less.yaml"
    path.write_text(CHANGED)
    return path


@pytest.mark.usefixtures("kept")
def test_plan_shows_what_would_be_created_changed_and_left(run, bundle, less):
    """Nothing is written; a second look shows the fields that differ."""
    first = run("apply", "-f", bundle, "--plan", *KEPT)
    empty = run("export", *KEPT)
    run("apply", "-f", bundle, *KEPT)
    second = run("apply", "-f", less, "--plan", *KEPT)

    assert (Exit.OK, Exit.OK) == (first.code, second.code)
    assert "Plan: 5 resources to create, 0 to update; can be applied." == first.out.splitlines()[0]
    assert "  + Cluster/edge/c2" in first.out
    assert 1 == len(empty.out.splitlines())
    assert [
        "Plan: 0 resources to create, 1 to update; can be applied.",
        "  ~ Project/p1",
        "      description: 'first' -> 'second'",
        "  3 resources stay as they are",
    ] == second.out.splitlines()


def test_plan_of_what_dangles_is_refused_by_document(run, tmp_path):
    """The plan names each reference, and the error the document that holds it."""
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "version: emco/v2\nresourceContext: {anchor: projects/p9/composite-apps}\n"
        "metadata: {name: a}\nspec: {compositeAppVersion: v1}\n"
    )

    ended = run("apply", "-f", file, "--plan")

    assert Exit.REFUSED == ended.code
    assert "! CompositeApp/p9/a/v1 parent -> Project/p9: there is no such resource" in ended.out
    assert "document 1, line 1: resourceContext.anchor: Project/p9 is not there" in ended.err


def test_what_a_bundle_holds_no_more_is_pruned(run, kept, bundle, less):
    """Only what was applied under the name goes; what others made under the same parents stays."""
    run("apply", "-f", bundle, "--name", "edge", *KEPT)
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        apply_bundle(store, bundle_of(BUNDLE.replace("c1", "mine").replace("c2", "mine")))
    plan = run("apply", "-f", less, "--name", "edge", "--prune", "--plan", *KEPT)
    done = run("apply", "-f", less, "--name", "edge", "--prune", "--yes", *KEPT)
    left = run("list", "Cluster", *KEPT)

    assert "1 to delete; can be applied." in plan.out
    assert "  - Cluster/edge/c2" in plan.out
    assert (Exit.OK, True) == (done.code, "deleted  Cluster/edge/c2: the bundle holds it no more" in done.out)
    assert "Cluster/edge/c1" in left.out
    assert "Cluster/edge/mine" in left.out
    assert "Cluster/edge/c2" not in left.out


def test_prune_is_refused_by_the_delete_rules(run, kept, bundle, tmp_path):
    """What others refer to blocks the whole bundle, and nothing changes."""
    run("apply", "-f", bundle, "--name", "edge", *KEPT)
    other = tmp_path / "other.yaml"
    other.write_text(
        "version: emco/v2\nresourceContext: {anchor: projects/p1/composite-apps/vfw/v1/apps}\n"
        "metadata: {name: sink}\nfile: sink.tgz\n"
    )
    run("apply", "-f", other, *KEPT)
    rest = tmp_path / "rest.yaml"
    rest.write_text(BUNDLE.split("---\n")[0].replace("first", "second"))

    ended = run("apply", "-f", rest, "--name", "edge", "--prune", "--yes", *KEPT)

    assert Exit.REFUSED == ended.code
    assert "App/p1/vfw/v1/sink" in ended.err
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        assert "first" == store.get(Key("Project", "p1")).description


@pytest.mark.usefixtures("kept")
def test_what_another_bundle_holds_stays(run, bundle, less):
    """A resource that two names hold goes with the last of them."""
    run("apply", "-f", bundle, "--name", "a", *KEPT)
    run("apply", "-f", bundle, "--name", "b", *KEPT)
    first = run("apply", "-f", less, "--name", "a", "--prune", "--yes", *KEPT)
    second = run("apply", "-f", less, "--name", "b", "--prune", "--yes", *KEPT)

    assert "kept     Cluster/edge/c2: another bundle holds it, too" in first.out
    assert "deleted  Cluster/edge/c2" in second.out


def test_without_prune_nothing_is_forgotten(run, kept, bundle, less):
    """What a bundle held before is remembered until it is pruned; an empty bundle prunes everything and its name."""
    run("apply", "-f", bundle, "--name", "edge", *KEPT)
    run("apply", "-f", less, "--name", "edge", *KEPT)
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        assert "Cluster/edge/c2" in store.get(AppliedBundle, "edge").members
        report = apply_bundle(store, bundle_of(""), name="edge", prune=True)

        assert 5 == len(report.pruned)
        assert not store.exists(AppliedBundle, "edge")


@pytest.mark.parametrize("answer", ["yes\n", "no\n"])
@pytest.mark.usefixtures("kept")
def test_somebody_at_a_terminal_is_asked_before_a_delete(run, bundle, less, monkeypatch, answer):
    """The plan is shown, and only ``yes`` applies it."""
    run("apply", "-f", bundle, "--name", "edge", *KEPT)
    stream = io.StringIO(answer)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stream)

    ended = run("apply", "-f", less, "--name", "edge", "--prune", *KEPT)

    assert "Apply it, and delete 1 resource? Type yes to continue:" in ended.err
    assert "  - Cluster/edge/c2" in ended.out
    assert (answer == "yes\n") is ("Cluster/edge/c2" not in run("list", "Cluster", *KEPT).out)


@pytest.mark.parametrize("answer", ["yes\n", ""])
def test_apply_that_asks_applies_what_it_has_shown(run, kept, bundle, monkeypatch, answer):
    """The plan is shown, and only ``yes`` applies it."""
    stream = io.StringIO(answer)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stream)

    ended = run("apply", "-f", bundle, "--ask", *KEPT)

    assert "  + Cluster/edge/c2" in ended.out
    assert "Apply it? Type yes to continue:" in ended.err
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        assert (answer == "yes\n") is store.exists(Key("Cluster", "edge", "c2"))


def test_plan_that_was_shown_is_refused_when_something_changed(run, bundle, kept, monkeypatch):
    """What another writer has done while somebody read the plan ends in a conflict, and nothing is overwritten."""

    class Slow(io.StringIO):
        """Somebody who reads slowly."""

        def isatty(self):
            """Say that somebody is there."""
            return True

        def readline(self, *_):
            """Answer after another writer."""
            with connect(kept, namespace="default", models=CATALOGUE) as store:
                store.create(Project(name="p1", description="theirs"))
            return "yes\n"

    monkeypatch.setattr("sys.stdin", Slow())
    ended = run("apply", "-f", bundle, "--ask", *KEPT)

    assert Exit.RETRY == ended.code
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        assert "theirs" == store.get(Project, "p1").description
        assert not store.exists(Key("Cluster", "edge", "c2"))


@pytest.mark.parametrize(
    "given", [("--ask",), ("--prune",), ("--prune", "--name", "x"), ("--name", "x", "--run", "--yes")]
)
def test_prune_that_cannot_be_meant_is_a_wrong_command(run, bundle, given):
    """Without a name, or without somebody to ask, nothing is read; nor are actions carried out under a name."""
    assert Exit.USAGE == run("apply", "-f", bundle, *given).code


def test_planned_bundle_is_applied_or_refused(kept):
    """A plan of a bundle is what ``store.apply`` takes; it returns the report."""
    with connect(kept, namespace="default", models=CATALOGUE) as store:
        plan = plan_bundle(store, bundle_of(BUNDLE))

        assert plan.result == store.apply(plan)
        assert 5 == len(plan.result.created)
        assert plan_bundle(store, bundle_of(BUNDLE)).is_empty
