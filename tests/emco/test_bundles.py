"""Bundles: what is read from texts, what is refused with its document and field, and what is written."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest
import yaml

import emco_store.emco
from emco_store import InvalidCall, InvalidResource, Key, NotSupported
from emco_store.emco import (
    Agent,
    App,
    AppProfile,
    Bundle,
    Controller,
    PolicyModule,
    Project,
    read_bundle,
    write_bundle,
)
from tests.emco.conftest import bundle_of

EXAMPLES = ("vfw", "sfc", "hpa", "test-update", "test-cert", "test-tac")
PROJECT = "{resourceContext: {anchor: projects}, metadata: {name: p}}"


def faults_of(text: str) -> list[tuple[int, str]]:
    """Read what must be refused, and give the documents and fields."""
    with pytest.raises(InvalidResource) as caught:
        bundle_of(text)
    return [(fault.position.document, fault.field) for fault in caught.value.faults]


def stated(text: str) -> Counter[str]:
    """Return the last statement of each resource in a text, as it stands there."""
    last: dict[Any, Any] = {}
    for document in yaml.safe_load_all(text):
        anchor = document["resourceContext"]["anchor"]
        name = document.get("metadata", {}).get("name") or document.get("clusterLabel")
        if name is not None:
            kept = {key: value for key, value in document.items() if key not in {"version", "resourceContext"}}
            version = (document.get("spec") or {}).get("compositeAppVersion") if anchor.endswith("-apps") else None
            last[anchor, name, version] = (anchor, kept)
    return Counter(yaml.safe_dump(document, sort_keys=True) for document in last.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_bundle_that_is_written_states_what_was_read(example, name):
    """Anchor, metadata, spec, file and label of each last statement come back as they went in (ID-13)."""
    text = example(name)

    written = write_bundle(bundle_of(text).resources)

    assert stated(text) == stated(written)
    assert stated(text).total() > 15


@pytest.mark.parametrize("name", EXAMPLES)
def test_documents_of_an_example_are_all_accounted_for(example, name):
    """Each document is a statement or an action; none is dropped."""
    text = example(name)

    bundle = bundle_of(text)

    documents = {item.position.document for item in (*bundle.statements, *bundle.actions)}
    assert set(range(1, len(list(yaml.safe_load_all(text))) + 1)) == documents


def test_written_bundle_has_parents_before_children():
    """What emcoctl applies one by one, in order, finds each parent there (REF-1)."""
    app = App(parent="CompositeApp/p/ca/v1", name="web")
    profile = AppProfile(parent="CompositeProfile/p/ca/v1/cp", name="x", spec={"app": "web"})
    composite = bundle_of(
        "{resourceContext: {anchor: projects/p/composite-apps}, metadata: {name: ca}, spec: {compositeAppVersion: v1}}"
    ).resources[0]

    written = bundle_of(write_bundle([profile, app, Project(name="p"), composite]))

    assert [profile.key, Key("Project", "p"), composite.key, app.key] == [item.key for item in written.resources]


@pytest.mark.parametrize(
    "resource",
    [
        Controller(group="other", name="c"),
        AppProfile(parent="CompositeProfile/p/ca/v1/cp", name="x", spec={"app": "App/p/other/v1/web"}),
        Key("Project", "p"),
    ],
    ids=["no-anchor", "reference-out-of-sight", "no-resource"],
)
def test_resource_that_no_document_can_state_is_refused(resource):
    """What is written reads back as the same resource, or is not written."""
    with pytest.raises(InvalidCall):
        write_bundle([resource])


def test_resource_that_is_stated_twice_is_stated_as_the_last_time():
    """The last statement counts, and it is said which resources were stated again."""
    first, second = PROJECT, PROJECT.replace("name: p", "name: p, description: new")

    bundle = bundle_of(f"{first}\n---\n{second}")

    assert ["new"] == [resource.description for resource in bundle.resources]
    assert (Key("Project", "p"),) == bundle.restated


def test_documents_are_numbered_in_each_text():
    """A document is known by its text and its number there; an empty one counts, and is nothing."""
    bundle = read_bundle([("a.yaml", f"---\n---\n{PROJECT}\n"), ("b.yaml", PROJECT.replace("p}", "q}"))])

    found = [(item.position.source, item.position.document, item.position.line) for item in bundle.statements]

    assert [("a.yaml", 2, 3), ("b.yaml", 1, 1)] == found


def test_action_is_listed_with_its_body():
    """An action is not carried out yet, and not dropped."""
    bundle = bundle_of("resourceContext: {anchor: projects/p/logical-clouds/lc/rollback}\nspec: {revision: '1'}")

    (action,) = bundle.actions
    assert ("rollback", Key("LogicalCloud", "p", "lc"), {"spec": {"revision": "1"}}) == (
        action.verb,
        action.target,
        action.body,
    )


@pytest.mark.parametrize(
    ("verb", "spec", "field"),
    [
        ("rollback", "{revision: 1}", "spec.revision"),
        ("rollback", "{revision: -x}", "spec.revision"),
        ("rollback", "{}", "spec.revision"),
        ("rollback", "[1]", "spec"),
        ("migrate", "{targetCompositeAppVersion: v2}", "spec.targetDeploymentIntentGroup"),
        ("migrate", "{targetCompositeAppVersion: 2, targetDeploymentIntentGroup: d}", "spec.targetCompositeAppVersion"),
    ],
)
def test_step_whose_spec_emco_would_refuse_is_refused(verb, spec, field):
    """What a rollback and a migration need is checked as EMCO's API checks it (BAD-6)."""
    anchor = f"projects/p/composite-apps/ca/v1/deployment-intent-groups/d/{verb}"

    assert [(1, field)] == faults_of(f"{{resourceContext: {{anchor: {anchor}}}, spec: {spec}}}")
    good = {"rollback": "{revision: '1'}", "migrate": "{targetCompositeAppVersion: v2, targetDeploymentIntentGroup: d}"}
    assert 1 == len(bundle_of(f"{{resourceContext: {{anchor: {anchor}}}, spec: {good[verb]}}}").actions)


def test_agent_brings_the_policy_module_that_it_lies_under():
    """EMCO's service makes the module itself: it is implied once, and no document of it is written."""
    agents = "\n---\n".join(f"{{resourceContext: {{anchor: policy/agents/{name}}}, addr: x}}" for name in "ab")

    bundle = bundle_of(agents)

    assert [PolicyModule(name="Agent"), *(Agent(parent="PolicyModule/Agent", name=n, addr="x") for n in "ab")] == list(
        bundle.resources
    )
    assert stated_agents(agents) == stated_agents(write_bundle(bundle.resources))


def stated_agents(text: str) -> list[tuple[str, str]]:
    """Return anchor and address of each document."""
    return [(item["resourceContext"]["anchor"], item["addr"]) for item in yaml.safe_load_all(text)]


def test_all_problems_of_all_documents_are_named_at_once():
    """One error has every problem, with document and field (BAD-6)."""
    found = faults_of(
        """
resourceContext: {anchor: projects}
metadata: {name: p, description: 5, colour: red}
colour: red
---
resourceContext: {anchor: projects/p/nothing}
metadata: {name: x}
---
version: emco/v9
resourceContext: {anchor: projects/p/composite-apps}
metadata: {name: x}
---
resourceContext: {anchor: projects/p/logical-clouds/lc/cluster-references}
metadata: {name: x}
spec: {cluster: c}
---
resourceContext: {anchor: projects/p/composite-apps/ca/v1/composite-profiles/cp/profiles}
metadata: {name: x}
spec: {app: a/b/c/d/e/f}
---
resourceContext: {anchor: cluster-providers/p/clusters/c/labels}
metadata: {name: x}
"""
    )

    expected = [
        (1, "metadata.colour"),
        (1, "colour"),
        (1, "metadata.description"),
        (2, "resourceContext.anchor"),
        (3, "version"),
        (3, "spec.compositeAppVersion"),
        (4, "spec.cluster"),
        (5, "spec.app"),
        (6, "metadata"),
        (6, "clusterLabel"),
    ]
    assert expected == found


@pytest.mark.parametrize(
    "spec",
    [
        "{a: 1, a: 2}",
        "{b: {a: 1, a: 2}}",
        "{b: [{a: 1, 'a': 2}]}",
        "{a: [}",
        "{a: [",
        "- 1",
        "{1: x}",
        "{a: .nan}",
        "{a: !!python/object/apply:os.system [x]}",
        "{a: !!binary aGk=}",
        "{a: !!timestamp 2024-01-01}",
        "{a: !!set {x}}",
        "{a: &x [*x]}",
        "{a: &x {b: *x}}",
        "{a: *x}",
        "{a: " + "[" * 70 + "]" * 70 + "}",
        "{a: " + "[" * 5000,
    ],
)
def test_yaml_that_is_no_plain_data_is_refused_with_its_document(spec):
    """Duplicate keys, syntax errors and all that is no JSON are refused, in the document where they stand."""
    document = "resourceContext: {anchor: projects}\nmetadata: {name: q}\nspec: "

    assert 2 == len(bundle_of(f"---\n{PROJECT}\n---\n{document}{{a: 1}}").statements)
    assert {2} == {number for number, _ in faults_of(f"---\n{PROJECT}\n---\n{document}{spec}")}


@pytest.mark.parametrize("document", ["- 1", "just text", "5", "{}", "{resourceContext: projects}"])
def test_document_that_is_no_statement_is_refused(document):
    """A document is a map that says its anchor."""
    assert {2} == {number for number, _ in faults_of(f"---\n{PROJECT}\n---\n{document}")}


def test_text_with_a_control_character_is_refused_with_its_line():
    """Such a text is refused as a whole, before its documents are told apart."""
    with pytest.raises(InvalidResource) as caught:
        bundle_of(f"---\n{PROJECT}\n---\na: \x00")

    assert [4] == [fault.position.line for fault in caught.value.faults]


def test_aliases_that_stand_for_billions_of_values_are_refused():
    """A document is measured as it is once its aliases are expanded."""
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]

    assert {1} == {number for number, _ in faults_of("\n".join(rows))}


def test_alias_and_merge_are_expanded():
    """Within those limits aliases and merges mean what they mean to emcoctl."""
    text = (
        "resourceContext: {anchor: cluster-providers}\n"
        "metadata: {name: p}\nspec: {a: &x {k: 1, l: 2}, b: *x, c: {<<: *x, l: 3}}"
    )

    (resource,) = bundle_of(text).resources

    assert {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 2}, "c": {"k": 1, "l": 3}} == resource.spec.unknown_fields


@pytest.mark.parametrize("text", ["yes", "on", "12:34:56", "0755", "2024-01-01", "1_000", "0o17", "1e3", "="])
def test_text_that_older_yaml_would_retype_stays_text(text):
    """As for emcoctl, whose YAML has no such types, and it comes back from what is written (ID-13)."""
    bundle = bundle_of(f"{{resourceContext: {{anchor: projects}}, metadata: {{name: p}}, spec: {{a: {text}}}}}")

    again = bundle_of(write_bundle(bundle.resources))

    assert [{"a": text}, {"a": text}] == [found.resources[0].spec.unknown_fields for found in (bundle, again)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{\n\ta: b,\n\tc:\t[1,\t2\t]\n}", {"a": "b", "c": [1, 2]}),
        ('{\t"a":\t"b"\t}', {"a": "b"}),
        ("{\n\t# why\n\ta: b\t# and why\n\t}", {"a": "b"}),
        ("\n  a:\tb\n  c: d\te\n", {"a": "b", "c": "d\te"}),
        ("\n  a: b\n   \tc\n", {"a": "b c"}),
        ("{a: http://h/?b=c&d, e: f?}", {"a": "http://h/?b=c&d", "e": "f?"}),
    ],
)
def test_white_space_and_words_are_read_as_emcoctl_reads_them(spec, expected):
    """A tab separates tokens wherever it indents no block, and a question mark inside a word belongs to it."""
    (project,) = bundle_of(f"resourceContext: {{anchor: projects}}\nmetadata: {{name: p}}\nspec: {spec}").resources

    assert expected == project.spec.unknown_fields


@pytest.mark.parametrize("spec", ["\n\ta: b", "\n  a: b\n\tc: d", "\n  -\ta: b", "\n  a: b\n\tc"])
def test_tab_that_would_indent_a_block_is_refused(spec):
    """How deep it goes would depend on the reader."""
    assert [(1, "")] == faults_of(f"resourceContext: {{anchor: projects}}\nmetadata: {{name: p}}\nspec: {spec}")


def test_name_of_a_policy_intent_that_contradicts_its_anchor_is_refused():
    """The name in the address is the name in the body (ID-10)."""
    anchor = "projects/p/composite-apps/ca/v1/deployment-intent-groups/d/policy-intents/a"

    assert [(1, "metadata.name")] == faults_of(f"{{resourceContext: {{anchor: {anchor}}}, metadata: {{name: b}}}}")


def test_error_of_a_bundle_survives_pickling():
    """Errors are values that other processes can be given."""
    import pickle  # noqa: PLC0415 - only this test needs it

    with pytest.raises(InvalidResource) as caught:
        bundle_of("a: 1")

    assert caught.value.faults == pickle.loads(pickle.dumps(caught.value)).faults  # noqa: S301 - of our own making


def test_reading_without_the_yaml_library_names_the_extra(monkeypatch):
    """What an extra brings is asked for by a clear error."""
    monkeypatch.delitem(sys.modules, "emco_store.emco.yaml_text", raising=False)
    monkeypatch.delattr(emco_store.emco, "yaml_text", raising=False)
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(NotSupported) as caught:
        read_bundle([("a.yaml", PROJECT)])

    assert "emco-store[cli]" in caught.value.hint


def test_empty_text_is_an_empty_bundle():
    """Nothing stated is nothing to do."""
    assert Bundle((), ()) == bundle_of("# only a comment\n---\n")
