"""``patch``, ``edit``, ``count``, ``list --columns`` and ``completion``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emco_store import InvalidCall, connect
from emco_store.cli.arguments import VERBS
from emco_store.cli.exits import Exit
from emco_store.cli.paths import read_path, value_at, with_value
from tests.cli.small import Box, Shelf, Tag

KEPT = ("--store", "kept://", "--models", "tests.cli.small")


@pytest.fixture
def store(kept):
    """A store with two shelves, boxes and a tag."""
    with connect(kept, namespace="default") as opened:
        a, b = opened.create(Shelf(name="a", labels={"x", "y"})), opened.create(Shelf(name="b", floor=2))
        box = opened.create(Box(parent=a, name="1", size="l"))
        opened.create(Tag(name="t", boxes=[box], home=b))
        yield opened


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Makes an editor of a function from text to text."""

    def make(old, new, also=""):
        script = tmp_path / "editor.py"
        script.write_text(
            f"import sys, pathlib\np = pathlib.Path(sys.argv[1])\nt = p.read_text()\n"
            f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(t)\np.write_text(t.replace({old!r}, {new!r}))\n{also}"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        monkeypatch.delenv("VISUAL", raising=False)
        return tmp_path / "seen"

    return make


# patch


def test_patch_sets_fields_and_shows_what_changed(run, store):
    """A number is one, a reference is text, and what is named no more stays."""
    ended = run("patch", "Shelf/a", "floor=3", 'labels=["z"]', *KEPT)

    assert Exit.OK == ended.code
    assert ["Shelf/a: version 1 -> 2", "  floor: 0 -> 3", "  labels: ['x', 'y'] -> ['z']"] == ended.out.splitlines()
    assert (3, {"z"}) == (store.get(Shelf, "a").floor, store.get(Shelf, "a").labels)
    assert "Shelf/a: version 2, as before\n" == run("patch", "Shelf/a", "floor=3", *KEPT).out


def test_patch_of_references_obeys_their_rules(run, store):
    """A reference may be set, taken away and is checked."""
    run("patch", "Tag/t", "home=Shelf/a", "boxes[0]=Box/a/1/l", *KEPT)
    dangling = run("patch", "Tag/t", "home=Shelf/none", *KEPT)
    run("patch", "Tag/t", "boxes=[]", *KEPT)

    assert (Exit.REFUSED, True) == (dangling.code, "Tag/t home -> Shelf/none" in dangling.err)
    assert ("Shelf/a", []) == (store.get(Tag, "t").home.text, store.get(Tag, "t").boxes)


def test_value_that_does_not_fit_as_json_is_text(run, store):
    """A name that looks like a number is a name where the field is text."""
    store.delete(store.get(Tag, "t"))
    refused = run("patch", "Box/a/1/l", "size=7", *KEPT)
    wrong = run("patch", "Shelf/a", "floor=high", *KEPT)
    unknown = run("patch", "Shelf/a", "flor=1", *KEPT)

    assert "the document says that its key is Box/a/1/7" in refused.err
    assert (Exit.REFUSED, Exit.REFUSED) == (wrong.code, unknown.code)
    assert "floor: Input should be a valid integer" in wrong.err
    assert "flor: Extra inputs are not permitted\n  Hint: did you mean floor?" in unknown.err


def test_patch_only_of_a_version(run, store):
    """``--if-version`` refuses any other state."""
    assert Exit.OK == run("patch", "Shelf/a", "floor=1", "--if-version", 1, *KEPT).code
    assert Exit.OK != run("patch", "Shelf/a", "floor=2", "--if-version", 1, *KEPT).code
    assert 1 == store.get(Shelf, "a").floor


@pytest.mark.parametrize("given", ["floor", "=3", "a b=3", "[0]=1", "labels[x]=1", "floor.x=1", "labels[9]=1"])
@pytest.mark.usefixtures("store")
def test_assignment_that_is_none_is_a_wrong_command(run, given):
    """What names no field, or a place that is not there, is refused with what to write."""
    ended = run("patch", "Shelf/a", given, *KEPT)

    assert Exit.USAGE == ended.code
    assert "Hint: " in ended.err


# edit


def test_edit_writes_what_was_saved(run, store, editor):
    """The editor sees YAML with the key and the version; its file is gone afterwards."""
    seen = editor("floor: 0", "floor: 7")

    ended = run("edit", "Shelf/a", *KEPT)

    assert (Exit.OK, "Shelf/a: version 1 -> 2\n  floor: 0 -> 7\n") == (ended.code, ended.out)
    assert seen.read_text().startswith("# Shelf/a, version 1.")
    assert 7 == store.get(Shelf, "a").floor


def test_edit_that_changes_nothing_writes_nothing(run, store, editor):
    """Neither an unchanged nor an equal document is written."""
    editor("no such text", "")
    unchanged = run("edit", "Shelf/a", *KEPT)
    editor("floor: 0", "floor:   0")
    equal = run("edit", "Shelf/a", *KEPT)

    assert "nothing was changed" in unchanged.err
    assert "nothing was changed" in equal.err
    assert 1 == store.get(Shelf, "a").meta.version


def test_edit_that_lost_a_race_shows_the_other_change_and_is_kept(run, store, editor, kept, monkeypatch):
    """Somebody else's change is shown, and the edit is not lost: the command that goes on with it stands there."""
    editor("floor: 0", "floor: 7")
    real = subprocess.call

    def meanwhile(command):
        with connect(kept, namespace="default", actor="eve") as other:
            other.patch(other.get(Shelf, "a"), {"labels": {"eve"}})
        return real(command)

    monkeypatch.setattr(subprocess, "call", meanwhile)
    lost = run("edit", "Shelf/a", *KEPT)
    monkeypatch.setattr(subprocess, "call", real)
    file = lost.err.partition("--from ")[2].strip()
    kept_text = Path(file).read_text()
    editor("- x\n- y", "- eve")
    done = run("edit", "Shelf/a", "--from", file, *KEPT)

    assert Exit.RETRY == lost.code
    assert "Shelf/a was changed meanwhile by eve: version 1 -> 2" in lost.out
    assert "'eve'" in lost.out
    assert "floor: 7" in kept_text
    assert Exit.OK == done.code
    assert (7, {"eve"}) == (store.get(Shelf, "a").floor, store.get(Shelf, "a").labels)


@pytest.mark.parametrize(("old", "new"), [("floor: 0", "floor: high"), ("floor: 0", "floor: [")])
def test_edit_that_does_not_fit_is_kept(run, store, editor, old, new):
    """What is no YAML, or does not fit the model, changes nothing and stays in its file."""
    editor(old, new)

    ended = run("edit", "Shelf/a", *KEPT)

    assert Exit.REFUSED == ended.code
    assert "your edit is kept in " in ended.err
    assert 1 == store.get(Shelf, "a").meta.version
    Path(ended.err.partition("--from ")[2].strip()).unlink()


@pytest.mark.usefixtures("store")
def test_editor_that_fails_or_is_not_there_is_told_of(run, editor, monkeypatch):
    """Nothing is written, and the file is named."""
    editor("floor: 0", "floor: 7", also="sys.exit(3)")
    failed = run("edit", "Shelf/a", *KEPT)
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    absent = run("edit", "Shelf/a", *KEPT)

    assert (Exit.USAGE, Exit.USAGE) == (failed.code, absent.code)
    assert "it ended with 3" in failed.err
    assert "No such file" in absent.err


@pytest.mark.usefixtures("store")
def test_edit_needs_the_model(run):
    """Without a model nothing could check the edit."""
    assert "--models" in run("edit", "Shelf/a", "--store", "kept://").err


# count and columns


@pytest.mark.usefixtures("store")
def test_count_is_a_number_alone(run):
    """For scripts: of a kind, under a resource, and of those that fulfil a condition."""
    assert "2\n" == run("count", "Shelf", *KEPT).out
    assert "1\n" == run("count", "Shelf", "--where", "floor=2", *KEPT).out
    assert "1\n" == run("count", "Box", "--under", "Shelf/a", *KEPT).out
    assert "2\n" == run("count", "Shelf", "--store", "kept://").out
    assert Exit.USAGE == run("count", "Shelv", *KEPT).code


@pytest.mark.usefixtures("store")
def test_list_shows_the_columns_that_were_named(run):
    """Fields, what is in them, and what the store knows; a misspelt one is refused with the nearest."""
    shown = run("list", "Shelf", "--columns", "floor, labels[0],meta.version", *KEPT)
    wrong = run("list", "Shelf", "--columns", "flor", *KEPT)

    assert [["KEY", "FLOOR", "LABELS.0", "META.VERSION"], ["Shelf/a", "0", "x", "1"], ["Shelf/b", "2", "-", "1"]] == [
        line.split() for line in shown.out.splitlines()
    ]
    assert (Exit.USAGE, True) == (wrong.code, "did you mean floor?" in wrong.err)


def test_paths_are_read_and_written():
    """A path names what stands in maps and lists, whatever the key."""
    path = read_path('spec.labels["example.org/a=b"].x[1]')
    document = {"spec": {"labels": {"example.org/a=b": {"x": [1, 2]}}}}

    assert ("spec", "labels", "example.org/a=b", "x", 1) == path
    assert 2 == value_at(document, path)
    assert {"spec": {"labels": {"example.org/a=b": {"x": [1, 3]}}}} == with_value(document, path, 3)
    assert {"a": {"b": 1}} == with_value({"a": None}, ("a", "b"), 1)
    assert None is value_at(document, ("spec", "none", 0))
    with pytest.raises(InvalidCall):
        with_value({"a": [1]}, ("a", "b"), 1)


# completion


def completed(words):
    """Return what bash completes at the end of the words."""
    from emco_store.cli.completing import _bash  # noqa: PLC0415 - the script is run as it is

    line = " ".join(f"'{word}'" for word in words)
    script = f'{_bash()}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _emco_store; echo "${{COMPREPLY[*]}}"'
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603, S607 - our own script
    return ended.stdout.split()


def test_bash_completes_verbs_options_and_values():
    """The script completes what the help shows, and leaves files to the shell."""
    assert {"export", "expire"} == set(completed(["emco-store", "exp"]))
    assert ["jsonl", "json"] == completed(["emco-store", "export", "--format", "js"])
    assert ["--replace"] == completed(["emco-store", "import", "a.jsonl", "--re"])
    assert ["zsh"] == completed(["emco-store", "completion", "z"])
    assert [] == completed(["emco-store", "apply", "-f", "bundle"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_each_shell_names_every_verb(run, shell):
    """No verb is missing in any of them."""
    ended = run("completion", shell)

    assert Exit.OK == ended.code
    assert [] == [verb for verb in VERBS if verb not in ended.out]
    assert [] == [option for option in ("replace", "columns", "if-version") if option not in ended.out]
