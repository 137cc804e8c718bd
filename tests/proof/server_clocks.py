"""Leases on a real server whose clock is set and runs wrong: nobody who lives loses one, and the dead are found.

``python -m tests.proof.server_clocks --episodes 40`` plays more of them than the test does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from time import monotonic
from typing import Final

from emco_store import Reaped, Resource, Store, connect
from tests.servers.clocks import Clock
from tests.servers.redis import redis_with_clock

TTL: Final = timedelta(seconds=3)
POLL: Final = timedelta(seconds=0.1)
STEPS_S: Final = (3600, -7200, 10, -10, 2, -2, 0)
"""How far the clock is ahead after it was set, in seconds."""
SPEEDS: Final = (1.1, 0.9, 3, 0.3)
"""How fast it runs."""
_TICK_S: Final = 0.02
NAMESPACE: Final = "clocks"
MODULE: Final = "tests.proof.server_clocks"
_WITHIN_S: Final = 60.0
_NEVER: Final = threading.Event()


class Walker(Resource, lease=TTL):
    """What is leased."""


@dataclass(slots=True)
class Played:
    """What happened.

    Attributes:
        episodes: How often the clock was changed.
        beats_s: For how long leases were held, in seconds, all taken together.
        lost: Leases that were ended though their holder lived, or not ended though it was dead.
        found_s: How long after the end of their holder the last of its leases was ended.
    """

    episodes: int = 0
    beats_s: float = 0.0
    lost: list[str] = field(default_factory=list[str])
    found_s: float = 0.0


def hold(url: str, count: int) -> None:
    """Hold leases until the input ends."""
    with ExitStack() as stack:
        store = stack.enter_context(connect(url, namespace=NAMESPACE, models=[Walker]))
        leases = [stack.enter_context(store.lease(Walker(name=f"w{number}"))) for number in range(count)]
        print(len(leases), flush=True)
        sys.stdin.read()


@contextmanager
def server() -> Iterator[tuple[str, Clock]]:
    """Yield the URL of a new server, and its clock."""
    clock = Clock()
    try:
        with redis_with_clock(clock) as url:
            yield url, clock
    finally:
        clock.remove()


def play(*, episodes: int, leases: int, seed: int, show: Callable[[str], object] = str) -> Played:
    """Change the clock of a server while leases are held there, then kill their holder.

    Args:
        episodes: How often the clock is changed.
        leases: How many are held.
        seed: Decides what is done to the clock, and for how long.
        show: Gets a line for each episode.

    Rules: SUP-1 to SUP-3, HB-6.
    """
    random, played = Random(seed), Played()
    with server() as (url, clock), connect(url, namespace=NAMESPACE, models=[Walker]) as store:
        for number in range(leases):
            store.create(Walker(name=f"w{number}"))
        with _holder(url, leases) as kill, _reaper(store) as ended:
            begun_s, ahead_s = monotonic(), 0.0
            while played.episodes < episodes:
                speed, ahead_s = random.choice([*((1, step) for step in STEPS_S), *((one, ahead_s) for one in SPEEDS)])
                ahead_s = _run(clock, ahead_s, speed, TTL.total_seconds() * random.uniform(0.1, 2.0))
                fault = f"{ahead_s:+.1f} s, x {speed}"
                played.episodes += 1
                show(f"{played.episodes:4}  {fault:20}  {len(ended)} ended")
                if ended:
                    played.lost.append(f"{fault}: {', '.join(ended)}")
                    return played
            played.beats_s = (monotonic() - begun_s) * leases
            clock.set(0)
            kill()
            died_s = monotonic()
            while len(ended) < leases and monotonic() - died_s < _WITHIN_S:
                _NEVER.wait(POLL.total_seconds() / 10)
            played.found_s = monotonic() - died_s
            if len(ended) != leases:
                played.lost.append(f"{leases - len(ended)} of the dead were not found")
    return played


def _run(clock: Clock, ahead_s: float, speed: float, lasts_s: float) -> float:
    """Let a clock run at a speed for some time; return how far it is ahead then, in seconds."""
    begun_s = monotonic()
    while (passed_s := monotonic() - begun_s) < lasts_s:
        clock.set(ahead_s + (speed - 1) * passed_s)
        _NEVER.wait(lasts_s - passed_s if speed == 1 else _TICK_S)
    return ahead_s + (speed - 1) * passed_s


@contextmanager
def _holder(url: str, count: int) -> Iterator[Callable[[], None]]:
    command = [sys.executable, "-m", MODULE, "--hold", url, "--leases", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert f"{count}\n" == process.stdout.readline()
            yield process.kill
        finally:
            process.kill()


@contextmanager
def _reaper(store: Store) -> Iterator[list[str]]:
    ended: list[str] = []

    def note(reaped: Reaped) -> None:
        ended.extend(key.text for key in reaped.ended)

    reaper = store.reaper(poll=POLL)
    thread = threading.Thread(target=reaper.run, args=(note,), daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        reaper.stop()
        thread.join()


def main() -> int:
    """Play episodes, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--leases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold", metavar="URL", help="hold leases there, as the holder does")
    known = parser.parse_args()
    if known.hold:
        hold(known.hold, known.leases)
        return 0
    played = play(episodes=known.episodes, leases=known.leases, seed=known.seed, show=print)
    print(f"{played.episodes} episodes, {played.beats_s:.0f} s of leases, {len(played.lost)} lost, ", end="")
    print(f"the dead found after {played.found_s:.1f} s", *played.lost, sep="\n")
    return 1 if played.lost else 0


if __name__ == "__main__":
    sys.exit(main())
