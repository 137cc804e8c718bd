"""Each verb does what it says, on standard output, and ends with its exit code."""

from __future__ import annotations

import io
import json
import sys

import pytest
import yaml

from emco_store import Key, connect
from emco_store.cli import main
from emco_store.cli.exits import Exit
from tests.cli.conftest import BUNDLE, EDGE


def test_apply_reports_what_became_of_each_resource(run, bundle):
    """Apply names each resource that it created, and sums up."""
    ended = run("apply", "-f", bundle)

    assert Exit.OK == ended.code
    assert "created  CompositeApp/p1/vfw/v1" in ended.out.splitlines()
    assert "5 created, 0 updated, 0 unchanged" in ended.out.splitlines()


def test_apply_takes_several_files_and_the_standard_input(run, bundle, monkeypatch):
    """A dash stands for the standard input, and all files are one bundle."""
    text = BUNDLE.replace("edge", "coast").replace("p1", "p2")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    ended = run("apply", "-f", bundle, "-")

    assert Exit.OK == ended.code
    assert "10 created, 0 updated, 0 unchanged" in ended.out.splitlines()


def test_apply_names_restated_resources_and_actions(run, tmp_path):
    """What is stated twice and what is not carried out yet is said aloud."""
    twice = tmp_path / "twice.yaml"
    twice.write_text(f"{BUNDLE}---{BUNDLE.replace('first', 'second')}")

    restated, actions = run("apply", "-f", twice), run("apply", "-f", EDGE)

    assert 5 == sum(line.startswith("restated ") for line in restated.out.splitlines())
    assert 3 == sum(line.startswith("action ") for line in actions.out.splitlines())


def test_apply_with_a_missing_target_writes_nothing(run, tmp_path):
    """A bundle is applied whole or not at all; its faults end the command with 1."""
    path = tmp_path / "orphan.yaml"
    path.write_text(BUNDLE.replace("anchor: projects}", "anchor: cluster-providers}", 1))

    ended = run("apply", "-f", path)

    assert (Exit.REFUSED, "") == (ended.code, ended.out)
    assert "[REF-MISSING]" in ended.err


def test_get_shows_documents_and_references(run, bundle):
    """A card shows the key, the version, the document and what it refers to."""
    ended = run("get", "CompositeApp/p1/vfw/v1", "Cluster/edge/c1", "--load", bundle)

    assert Exit.OK == ended.code
    assert "CompositeApp/p1/vfw/v1  version 1" in ended.out.splitlines()
    assert "  parent → ClusterProvider/edge  RESTRICT" in ended.out.splitlines()


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_get_for_programs_gives_key_meta_and_document(run, bundle, output, read):
    """JSON and YAML carry the same: the key, what the store knows, and the document."""
    ended = run("get", "Project/p1", "--load", bundle, "--output", output)

    (item,) = read(ended.out)["items"]
    assert Exit.OK == ended.code
    assert ("Project/p1", 1, "first") == (item["key"], item["meta"]["version"], item["document"]["description"])
    assert ["actor", "created_at", "operation", "reason", "uid", "updated_at", "version"] == sorted(item["meta"])


def test_get_of_a_missing_resource_ends_with_not_found(run, bundle):
    """What is not there ends with 3, and nothing is printed."""
    ended = run("get", "Project/p1", "Project/p2", "--load", bundle)

    assert (Exit.NOT_FOUND, "") == (ended.code, ended.out)
    assert "Project/p2" in ended.err


def test_list_shows_a_kind_in_the_order_of_keys(run, bundle):
    """A list has a line for each resource of the kind and of no other."""
    ended = run("list", "Cluster", "--load", bundle)

    assert Exit.OK == ended.code
    assert ["KEY", "Cluster/edge/c1", "Cluster/edge/c2"] == [line.split()[0] for line in ended.out.splitlines()]


def test_list_goes_on_behind_its_cursor(run, bundle):
    """The pages of a list, one after the other, hold each resource once."""
    first = json.loads(run("list", "Cluster", "--limit", 1, "-o", "json", "--load", bundle).out)

    second = json.loads(
        run("list", "Cluster", "--limit", 1, "--after", first["next"], "-o", "json", "--load", bundle).out
    )

    assert ["Cluster/edge/c1", "Cluster/edge/c2"] == [page["items"][0]["key"] for page in (first, second)]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("name=c1", ["c1"]),
        ("name!=c1", ["c2"]),
        ("name>c1", ["c2"]),
        ("description=null", ["c1", "c2"]),
        ('description="null"', []),
        ("spec.gitOps=null", ["c1", "c2"]),
    ],
)
def test_list_filters_by_conditions(run, bundle, condition, found):
    """A condition compares the field with the value, and null with what is not there."""
    ended = run("list", "Cluster", "--where", condition, "-o", "json", "--load", bundle)

    assert found == [Key.parse(item["key"]).name for item in json.loads(ended.out)["items"]]


def test_condition_on_a_field_that_is_not_there_is_refused(run, bundle):
    """A name that no resource of the kind can have is refused at any depth, with those that it can have."""
    ended = run("list", "Cluster", "--where", "spec.size=1", "--load", bundle)

    assert Exit.USAGE == ended.code
    assert "spec has no 'size'" in ended.err


def test_list_under_a_resource_finds_what_lies_below(run):
    """``--under`` takes any ancestor."""
    ended = run("list", "App", "--under", "CompositeApp/harbour/vision/v1", "-o", "json", "--load", EDGE)

    assert ["detector", "grabber"] == [Key.parse(item["key"]).name for item in json.loads(ended.out)["items"]]


def test_list_of_an_indexed_number_orders_and_compares_by_value():
    """A value is read as the type of its field: 10 is more than 9."""
    from emco_store.cli.conditions import read_condition  # noqa: PLC0415 - beside the models that it is about
    from tests.cli.small import Shelf  # noqa: PLC0415 - see above

    with connect("memory://", namespace="n") as store:
        for floor in (9, 10, 11):
            store.create(Shelf(name=f"s{floor}", floor=floor))

        page = store.list(Shelf, where=[read_condition("floor>9", Shelf)], order_by="-floor")

    assert [11, 10] == [shelf.floor for shelf in page.resources]


def test_delete_removes_and_says_how_many(run, bundle):
    """A delete of a leaf goes through."""
    ended = run("delete", "Cluster/edge/c1", "Cluster/edge/c2", "--load", bundle)

    assert (Exit.OK, "2 resources deleted, 0 resources changed\n") == (ended.code, ended.out)


def test_delete_skips_what_is_missing_if_that_is_allowed(run, bundle):
    """A key that does not exist is an error, or is named and skipped."""
    refused = run("delete", "Cluster/edge/c1", "Cluster/edge/c9", "--load", bundle)
    ended = run("delete", "Cluster/edge/c1", "Cluster/edge/c9", "--missing-ok", "--load", bundle)

    assert (Exit.NOT_FOUND, "") == (refused.code, refused.out)
    assert (Exit.OK, "1 resource deleted, 0 resources changed\n") == (ended.code, ended.out)
    assert "Cluster/edge/c9" in ended.err


def test_delete_that_is_blocked_is_refused(run, bundle):
    """A referrer that stays ends the delete with 1, and the error names it."""
    ended = run("delete", "Project/p1", "--load", bundle)

    assert (Exit.REFUSED, "") == (ended.code, ended.out)
    assert "CompositeApp/p1/vfw/v1" in ended.err
    assert "[DEL-RESTRICTED]" in ended.err


def test_delete_plan_shows_blockers_and_ends_as_the_delete_would(run, bundle):
    """``--plan`` shows what goes and what blocks on standard output."""
    blocked = run("delete", "Project/p1", "--plan", "--load", bundle)
    free = run("delete", "Cluster/edge/c1", "--plan", "--load", bundle)

    assert (Exit.REFUSED, Exit.OK) == (blocked.code, free.code)
    assert "└── ! CompositeApp/p1/vfw/v1 parent → Project/p1  RESTRICT" in blocked.out.splitlines()
    assert "└── - Cluster/edge/c1" in free.out.splitlines()


@pytest.mark.usefixtures("kept")
def test_plan_of_a_delete_writes_nothing(run, bundle):
    """After ``--plan`` everything is as it was; after the delete it is gone."""
    run("apply", "-f", bundle, "--store", "kept://")

    planned = run("delete", "-f", bundle, "--plan", "--store", "kept://")
    before = run("export", "--format", "yaml", "--store", "kept://").out
    deleted = run("delete", "-f", bundle, "--store", "kept://")
    after = run("export", "--format", "yaml", "--store", "kept://").out

    assert (Exit.OK, Exit.OK) == (planned.code, deleted.code)
    assert (5, 0) == (before.count("---\n"), after.count("---\n"))


@pytest.mark.usefixtures("kept")
def test_delete_of_a_bundle_skips_what_is_not_there(run, bundle):
    """What a bundle states and the store lacks is named on standard error, and is no failure."""
    run("apply", "-f", bundle, "--store", "kept://")
    run("delete", "Cluster/edge/c1", "--store", "kept://")

    ended = run("delete", "-f", bundle, "--store", "kept://")

    assert (Exit.OK, "4 resources deleted, 0 resources changed\n") == (ended.code, ended.out)
    assert "Cluster/edge/c1" in ended.err


@pytest.mark.usefixtures("kept")
def test_second_apply_changes_nothing(run, bundle):
    """Applying a bundle again leaves everything as it is."""
    run("apply", "-f", bundle, "--store", "kept://")

    ended = run("apply", "-f", bundle, "--store", "kept://")

    assert "0 created, 0 updated, 5 unchanged\n" == ended.out


def test_unreadable_document_is_shown_in_its_place(run, bundle, kept):
    """A document that does not fit its model is a line of the list, an error, and the exit code 1."""
    run("apply", "-f", bundle, "--store", "kept://")
    space = kept._spaces["default"]
    broken = space.records["Cluster/edge/c1"]
    object.__setattr__(broken, "document", b'{"name":"c1","nonsense":1}')

    table = run("list", "Cluster", "--store", "kept://")
    programs = run("list", "Cluster", "-o", "json", "--store", "kept://")

    assert (Exit.REFUSED, Exit.REFUSED) == (table.code, programs.code)
    assert "Cluster/edge/c2" in table.out
    assert [True, False] == ["error" in item for item in json.loads(programs.out)["items"]]


def test_environment_names_store_and_namespace(run, bundle, kept, monkeypatch):
    """EMCO_STORE_URL and EMCO_STORE_NAMESPACE count where nothing is said; what is said counts more."""
    monkeypatch.setenv("EMCO_STORE_URL", "kept://")
    monkeypatch.setenv("EMCO_STORE_NAMESPACE", "mine")
    run("apply", "-f", bundle)

    assert Exit.OK == run("get", "Project/p1").code
    assert Exit.NOT_FOUND == run("get", "Project/p1", "--namespace", "other").code
    assert {"mine", "other"} == set(kept._spaces)


def test_help_of_each_verb_has_examples(capsys):
    """Every verb's help ends with commands to copy."""
    for verb in ("apply", "get", "list", "delete", "graph", "export", "demo"):
        assert Exit.OK == main([verb, "--help"])
        assert f"  emco-store {verb}" in capsys.readouterr().out.partition("examples:")[2]


def test_help_shows_every_exit_code(run):
    """The exit codes stand in the help, from the one table."""
    ended = run("--help")

    assert Exit.OK == ended.code
    assert [] == [code for code in Exit if f"{code:>3}  " not in ended.out]


def test_delete_of_a_bundle_of_which_nothing_is_there_deletes_nothing(run, bundle):
    """Deleting a bundle twice is no mistake."""
    ended = run("delete", "-f", bundle)

    assert (Exit.OK, "0 resources deleted, 0 resources changed\n") == (ended.code, ended.out)
