"""A user's mistake ends with a message that says what to do and with its exit code: never with a traceback."""

from __future__ import annotations

import io
import sys

import pytest

from emco_store import errors
from emco_store.cli import main
from emco_store.cli.exits import MEANINGS, Exit, exit_of
from tests.cli.conftest import start

FILES = {
    "good.yaml": "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: p1}\n",
    "tabs.yaml": "version:\temco/v2\n\tbad: [",
    "list.yaml": "- 1\n- 2\n",
    "scalar.yaml": "just text",
    "anchor.yaml": "version: emco/v2\nresourceContext: {anchor: nowhere/at/all}\nmetadata: {name: p1}\n",
    "python.yaml": "!!python/object/apply:os.getcwd []",
    "deep.yaml": "[" * 5000,
    "missing.yaml": (
        "version: emco/v2\nresourceContext: {anchor: projects/p9/composite-apps}\n"
        "metadata: {name: a}\nspec: {compositeAppVersion: v1}\n"
    ),
    "empty_models.py": "x = 1\n",
    "syntax_models.py": "def (",
    "raising_models.py": "1 / 0",
    "leaving_models.py": "raise SystemExit('bye')",
    "bad_models.py": "from emco_store import Resource\nclass R(Resource, key=('nothing',)): ...\n",
}
MISTAKES = {
    "no verb": ([], Exit.USAGE),
    "unknown verb": (["frobnicate"], Exit.USAGE),
    "unknown option": (["list", "App", "--colour"], Exit.USAGE),
    "abbreviated option": (["list", "App", "--lim", "3"], Exit.USAGE),
    "apply without a file": (["apply"], Exit.USAGE),
    "option without its value": (["apply", "-f"], Exit.USAGE),
    "file that is not there": (["apply", "-f", "nowhere.yaml"], Exit.USAGE),
    "folder for a file": (["apply", "-f", "."], Exit.USAGE),
    "file that may not be read": (["apply", "-f", "/proc/1/mem"], Exit.USAGE),
    "file name with NUL": (["apply", "-f", "a\0b"], Exit.USAGE),
    "binary file": (["apply", "-f", "binary.yaml"], Exit.USAGE),
    "standard input twice": (["apply", "-f", "-", "-"], Exit.USAGE),
    "YAML with tabs": (["apply", "-f", "tabs.yaml"], Exit.REFUSED),
    "YAML that is a list": (["apply", "-f", "list.yaml"], Exit.REFUSED),
    "YAML that is one word": (["apply", "-f", "scalar.yaml"], Exit.REFUSED),
    "YAML that calls Python": (["apply", "-f", "python.yaml"], Exit.REFUSED),
    "YAML without an end": (["apply", "-f", "deep.yaml"], Exit.REFUSED),
    "unknown anchor": (["apply", "-f", "anchor.yaml"], Exit.REFUSED),
    "parent that is not there": (["apply", "-f", "missing.yaml"], Exit.REFUSED),
    "key without a name": (["get", "App"], Exit.USAGE),
    "empty key": (["get", ""], Exit.USAGE),
    "key with a wildcard": (["get", "App/*/x"], Exit.USAGE),
    "key with a broken escape": (["get", "App/%zz"], Exit.USAGE),
    "key with too few names": (["get", "App/p1"], Exit.USAGE),
    "key of a reserved kind": (["get", "emco__Lifecycle/Project/p1"], Exit.USAGE),
    "delete of a reserved kind": (["delete", "Project/p1", "emco__Lifecycle/Project/p1", "--missing-ok"], Exit.USAGE),
    "list under a reserved kind": (["list", "App", "--under", "emco__Lifecycle/Project/p1"], Exit.USAGE),
    "graph around a reserved kind": (["graph", "emco__Lifecycle/Project/p1"], Exit.USAGE),
    "reserved kind": (["list", "emco__Lifecycle"], Exit.USAGE),
    "key of nothing": (["get", "Project/p1"], Exit.NOT_FOUND),
    "unknown kind": (["list", "Appp"], Exit.USAGE),
    "page of no size": (["list", "App", "--limit", "0"], Exit.USAGE),
    "page size in words": (["list", "App", "--limit", "many"], Exit.USAGE),
    "invented cursor": (["list", "App", "--after", "xyz"], Exit.USAGE),
    "order by what is not indexed": (["list", "App", "--order-by", "description"], Exit.USAGE),
    "condition without a sign": (["list", "App", "--where", "name"], Exit.USAGE),
    "condition on no field": (["list", "App", "--where", "nothing=1"], Exit.USAGE),
    "condition on a whole spec": (["list", "Cluster", "--where", "spec={}"], Exit.USAGE),
    "under another branch": (["list", "App", "--under", "Cluster/e/c1"], Exit.USAGE),
    "delete of nothing": (["delete"], Exit.USAGE),
    "delete of keys and a bundle": (["delete", "Project/p1", "-f", "good.yaml"], Exit.USAGE),
    "delete of what is not there": (["delete", "Project/p1"], Exit.NOT_FOUND),
    "unknown format": (["graph", "--format", "png"], Exit.USAGE),
    "negative depth": (["graph", "Project/p1", "--depth", "-1"], Exit.USAGE),
    "graph around nothing": (["graph", "Project/p1"], Exit.NOT_FOUND),
    "module that is not there": (["graph", "--models", "no.such.module"], Exit.USAGE),
    "module with a path": (["graph", "--models", "./models.py"], Exit.USAGE),
    "module without a name": (["graph", "--models", ""], Exit.USAGE),
    "module without models": (["graph", "--models", "empty_models"], Exit.USAGE),
    "module with a syntax error": (["graph", "--models", "syntax_models"], Exit.USAGE),
    "module that raises": (["graph", "--models", "raising_models"], Exit.USAGE),
    "module that leaves": (["graph", "--models", "leaving_models"], Exit.USAGE),
    "module with a bad model": (["graph", "--models", "bad_models"], Exit.REFUSED),
    "unknown store": (["list", "App", "--store", "oracle://x"], Exit.REFUSED),
    "store that is no URL": (["list", "App", "--store", "here"], Exit.REFUSED),
    "memory with a name": (["list", "App", "--store", "memory://x"], Exit.USAGE),
    "bad namespace": (["list", "App", "--namespace", "a/b"], Exit.USAGE),
    "load into a lasting store": (["list", "App", "--store", "redis://h", "--load", "good.yaml"], Exit.USAGE),
    "load of what is not there": (["list", "App", "--load", "nowhere.yaml"], Exit.USAGE),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with good and bad files, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_ends_with_a_message_and_its_code(run, mistake):
    """Nothing on standard output, and on standard error what was refused, what to do, and a code."""
    arguments, code = MISTAKES[mistake]

    ended = run(*arguments)

    assert (code, "") == (ended.code, ended.out), ended.err
    assert "  Hint: " in ended.err
    assert ended.err.rstrip().endswith("]")


def test_mistake_of_a_process_shows_no_traceback(folder):
    """The process ends as the function does."""
    process = start("apply", "-f", "tabs.yaml", "nowhere.yaml", cwd=folder)

    out, err = process.communicate(timeout=60)

    assert (Exit.USAGE, "") == (process.returncode, out)
    assert "Traceback" not in err


def test_secret_of_a_url_is_not_shown(run, bundle):
    """What stands before the host in a URL may be a password."""
    ended = run("list", "App", "--store", "redis://user:hunter2@host/0", "--load", bundle)

    assert Exit.USAGE == ended.code
    assert "hunter2" not in ended.err


def test_interrupt_ends_with_its_code(run, monkeypatch):
    """Ctrl-C is no error, and has its own exit code."""
    monkeypatch.setattr(sys, "stdin", _Interrupted())

    ended = run("apply", "-f", "-")

    assert (Exit.INTERRUPTED, "") == (ended.code, ended.out)


class _Interrupted(io.StringIO):
    """A standard input at which the user presses Ctrl-C."""

    def read(self, *_: object) -> str:
        """Be interrupted."""
        raise KeyboardInterrupt


def test_text_of_data_cannot_steer_a_terminal(run, bundle):
    """Control characters in data and messages are shown as escapes."""
    bundle.write_text(bundle.read_text().replace('"first"', r'"\e]0;title\a\e[31mred"'))

    shown = (run("list", "Project", "--load", bundle).out, run("get", "Project/p1", "--load", bundle).out)
    refused = run("get", "\x1b[31m").err

    assert [] == [text for text in (*shown, refused) if "\x1b" in text or "\a" in text]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("NotFound", Exit.NOT_FOUND),
        ("AlreadyExists", Exit.REFUSED),
        ("Conflict", Exit.RETRY),
        ("MissingReference", Exit.REFUSED),
        ("DeleteRestricted", Exit.REFUSED),
        ("UniqueViolation", Exit.REFUSED),
        ("InvalidResource", Exit.REFUSED),
        ("InvalidModel", Exit.REFUSED),
        ("InvalidCall", Exit.USAGE),
        ("UnknownOutcome", Exit.REFUSED),
        ("Unavailable", Exit.RETRY),
        ("Misconfigured", Exit.REFUSED),
        ("NotSupported", Exit.REFUSED),
    ],
)
def test_each_error_has_its_exit_code(name, code):
    """What a script does differently has a code of its own: missing, to be tried again, badly called."""
    assert code is exit_of(getattr(errors, name)("what"))


def test_every_exit_code_has_a_meaning():
    """The table that the help shows is complete."""
    assert set(Exit) == set(MEANINGS)


def test_version_is_shown(capsys):
    """``--version`` ends with 0."""
    assert Exit.OK == main(["--version"])
    assert capsys.readouterr().out.startswith("emco-store ")
