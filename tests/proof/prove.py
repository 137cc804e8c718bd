"""The long form of the proof: ``python3 dev.py prove --minutes 60``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from emco_store import MemoryBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.connect import SystemClock
from proof import crashes, simulation
from proof.phase import Phase
from proof.phases import phases
from proof.proving import prove
from proof.report import Report
from proof.rig import Rig
from tests.backends.shared import SharedClients
from tests.proof import emco_crews, ended_scripts, killed_load, wire_crashes
from tests.proof.faults import aof, feed_faults, server_faults
from tests.servers.mongo import running_mongo
from tests.servers.process import Server, ServerFailed, ServerMissing
from tests.servers.redis import running_redis

PHASES: tuple[Phase, ...] = (
    *phases(), simulation.PHASE, server_faults.PHASE, feed_faults.PHASE, aof.PHASE,
    crashes.PHASE, wire_crashes.PHASE, killed_load.PHASE, ended_scripts.PHASE, emco_crews.PHASE,
)  # fmt: skip
"""Every phase, in the order in which they run; another is added here by one line."""
BACKENDS = ("memory", "redis", "mongo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof; 0 when nothing was found, 1 when something was or did not run, 130 when it was cut short."""
    asked = _parser().parse_args(arguments)
    report = Report(SystemClock().now().strftime("%Y-%m-%d %H:%M UTC"), asked.minutes, asked.seed)
    report.versions |= {name: version(name) for name in ("emco-store", "pydantic", "pymongo", "redis")}
    report.versions["Python"] = platform.python_version()
    report.machine = (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; clients and servers on one host."
    )
    wanted = [phase for phase in PHASES if not asked.phase or phase.name in asked.phase]
    with ExitStack() as stack:
        rigs = [rig for name in asked.backend for rig in _rigs(stack, name, report)]
        try:
            prove(wanted, rigs, report, out=asked.out, show=_show)
        except KeyboardInterrupt:
            _show(f"Cut short; what was done is in {asked.out / 'report.md'}")
            return 130
    _show(f"{'Nothing was found.' if report.holds else 'NOT PROVED.'} See {asked.out / 'report.md'}")
    return 0 if report.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py prove", description=__doc__)
    parser.add_argument("--minutes", type=_positive, default=10.0, help="for how long, all phases together (10)")
    parser.add_argument("--backend", type=_backends, default=BACKENDS, help="some of memory,redis,mongo (all)")
    parser.add_argument("--phase", action="append", choices=[phase.name for phase in PHASES], help="only these phases")
    parser.add_argument(
        "--seed", type=int, default=1, help="what is done, and in which order where that is ours to say"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/proof"), help="where to write the report (docs/proof)")
    return parser


def _positive(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0")
    return float(text)


def _backends(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(BACKENDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(BACKENDS)}")
    return names


def _rigs(stack: ExitStack, name: str, report: Report) -> list[Rig]:
    try:
        rig = stack.enter_context(rig_of(name))
    except (ServerMissing, ServerFailed) as problem:
        report.missing.append(f"{name}: {problem}")
        _show(f"{name}: {problem}")
        return []
    report.versions[f"backend {name}"] = rig.version
    return [rig]


@contextmanager
def rig_of(name: str, server: Server | None = None) -> Iterator[Rig]:
    """Return a backend by its name, on a server that is there or on one of its own."""
    with ExitStack() as stack:
        if name == "memory":
            yield Rig(name, MemoryBackend(), version="in the memory of one process")
        elif name == "redis":
            server = server or stack.enter_context(running_redis())
            yield Rig(name, RedisBackend(server.url), server.url, f"Redis {server.version}")
        else:
            server = server or stack.enter_context(running_mongo())
            clients = SharedClients(server.url)
            stack.callback(clients.client.close)
            yield Rig(name, clients, server.url, f"MongoDB {server.version}, one member", clients.drop, clients.empty)


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
