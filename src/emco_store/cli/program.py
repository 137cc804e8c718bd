"""The program: parse the arguments, run the verb, and end every error with a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper

from emco_store import InvalidCall, StoreError
from emco_store.cli.arguments import Options, read_arguments
from emco_store.cli.checking import check
from emco_store.cli.completing import completion
from emco_store.cli.consumers import consumers
from emco_store.cli.demo import demo
from emco_store.cli.editing import edit, patch
from emco_store.cli.examining import doctor
from emco_store.cli.exits import Exit, exit_of
from emco_store.cli.exporting import export, import_
from emco_store.cli.histories import diff, history, prune, restore, rollback, tag
from emco_store.cli.leases import expire, workers
from emco_store.cli.lifecycles import draw_lifecycle, lifecycle, transition
from emco_store.cli.migrating import migrate
from emco_store.cli.naming import namespaces
from emco_store.cli.reading import count_, get, graph, list_
from emco_store.cli.relaying import relay
from emco_store.cli.screen import Screen
from emco_store.cli.segments import segments
from emco_store.cli.supervising import supervise
from emco_store.cli.trails import trail
from emco_store.cli.watching import watch
from emco_store.cli.writing import apply, delete

VERBS: Mapping[str, Callable[[Options, Screen], Exit]] = {
    "apply": apply,
    "get": get,
    "list": list_,
    "delete": delete,
    "count": count_,
    "patch": patch,
    "edit": edit,
    "completion": completion,
    "graph": lambda options, screen: (draw_lifecycle if options.lifecycle else graph)(options, screen),
    "lifecycle": lifecycle,
    "transition": transition,
    "history": history,
    "diff": diff,
    "rollback": rollback,
    "restore": restore,
    "tag": tag,
    "prune": prune,
    "trail": trail,
    "workers": workers,
    "expire": expire,
    "supervise": supervise,
    "watch": watch,
    "consumers": consumers,
    "relay": relay,
    "export": export,
    "import": import_,
    "segments": segments,
    "migrate": migrate,
    "doctor": doctor,
    "namespaces": namespaces,
    "check": check,
    "demo": demo,
}


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        _write_any_text(stream)
    screen = Screen()
    try:
        options = read_arguments(argv)
        code = VERBS[options.verb](options, screen)
        screen.flush()
    except StoreError as problem:
        screen.error(problem)
        return exit_of(problem)
    except KeyboardInterrupt:
        screen.note("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return Exit.NO_READER
    except OSError as problem:
        _forget_output()
        screen.error(InvalidCall("Cannot write the output.", why=[str(problem.strerror)], hint="write it elsewhere."))
        return Exit.REFUSED
    except SystemExit as ended:  # argparse has shown a help text
        return int(ended.code or 0)
    return code


def _write_any_text(stream: object) -> None:
    """Let a stream accept all text: as UTF-8 in files and pipes, with replacements on a terminal."""
    if isinstance(stream, TextIOWrapper):
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _forget_output() -> None:
    """Let the flush at the end of the process succeed (Python's documentation of SIGPIPE, in the module signal)."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
