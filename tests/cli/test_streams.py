"""What a command writes where: results, notes, colours, and what happens when nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emco_store.cli.exits import Exit
from tests.cli.conftest import EDGE, ROOT, start

WITHOUT = "import sys; sys.modules[{name!r}] = None; from emco_store.cli import main; sys.exit(main(['graph']))"


@pytest.mark.parametrize("form", ["tree", "dot"])
def test_reader_that_has_gone_ends_the_command_quietly(form):
    """A broken pipe is no error of the user's: no message, and a code of its own; for text and for what rich draws."""
    reader, writer = os.pipe()
    os.close(reader)

    process = start("graph", "--format", form, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)

    assert (Exit.NO_READER, "") == (process.returncode, err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_ends_with_a_message():
    """Output that cannot be written is an error, and no traceback."""
    with Path("/dev/full").open("w") as full:
        process = start("export", "--load", EDGE, stdout=full)
        _, err = process.communicate(timeout=60)

    assert Exit.REFUSED == process.returncode
    assert "  Hint: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["rich", "yaml"])
def test_missing_extra_is_said_with_its_remedy(name):
    """Without the extra the command says how to install it."""
    command = [sys.executable, "-c", WITHOUT.format(name=name)]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}

    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)  # noqa: S603 - our own

    assert (Exit.USAGE, "") == (ended.returncode, ended.stdout)
    assert "emco-store[cli]" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("verb", [["graph"], ["list", "App", "--load", EDGE], ["delete", "Project/harbour", "--plan"]])
def test_pipe_gets_neither_colours_nor_blanks_at_the_ends_of_lines(run, verb):
    """Text for files and pipes is plain."""
    ended = run(*verb)

    assert "\x1b" not in ended.out + ended.err
    assert [] == [line for line in ended.out.splitlines() if line != line.rstrip()]


def test_table_in_a_pipe_is_whole(run):
    """Only a terminal has a width: elsewhere no key is cut."""
    ended = run("list", "InterfaceIntent", "--load", EDGE)

    assert "InterfaceIntent/harbour/telemetry/v3/machines/wiring/collector/cranes" in ended.out


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a matter of POSIX")
@pytest.mark.parametrize(
    ("settings", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_terminal_gets_colours_unless_they_are_refused(settings, is_coloured):
    """NO_COLOR and a dumb terminal are respected."""
    out = _on_a_terminal(["graph"], {"TERM": "xterm-256color"} | settings)

    assert is_coloured is ("\x1b[34m" in out)
    assert "DeploymentIntentGroup" in out


def _on_a_terminal(arguments: list[str], settings: dict[str, str]) -> str:
    """Run a command whose output is a pseudo-terminal, and give what it showed."""
    ours, theirs = os.openpty()
    process = start(*arguments, stdout=theirs, settings=settings)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux says EIO when the other end is closed
        pass
    finally:
        os.close(ours)
    process.communicate(timeout=60)
    return shown.decode()


def test_command_works_where_the_locale_has_no_unicode():
    """Under an ASCII locale the output is UTF-8, and nothing breaks."""
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    process = start("graph", settings=settings)

    out, _ = process.communicate(timeout=60)

    assert Exit.OK == process.returncode
    assert "→" in out
