"""``emco-store``: the command line. It needs the extra ``cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_MISSING = """Cannot start the command line: the package {name} is not installed.
  the command line is an extra, so that services which import emco_store do without it
  Hint: pip install 'emco-store[cli]'  [INVALID-CALL]
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see ``emco-store --help``.

    Args:
        argv: The arguments without the program's name. Default: those of the process.
    """
    try:
        from emco_store.cli.program import run  # noqa: PLC0415 - its dependencies may not be installed
    except ModuleNotFoundError as problem:
        package = (problem.name or "").partition(".")[0]
        if package not in {"rich", "yaml"}:
            raise
        sys.stderr.write(_MISSING.format(name=package))
        return 2
    return run(argv)
