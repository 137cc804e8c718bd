"""Compare this checkout with another one: each has a process of its own, and their rounds alternate (A, B, A, B).

A change of a few per cent is invisible between two runs on a shared machine. Both processes use the same servers and
the same interpreter; the other checkout must hold ``benchmarks/`` with the same items.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

ROOT = Path(__file__).resolve().parents[1]
PLAYER = Path(__file__).with_name("player.py")


class Took(NamedTuple):
    """Seconds for one operation, and seconds of the client's processor time (0 where other processes worked)."""

    wall_s: float
    cpu_s: float


class Player:
    """One checkout's process, which prepares one item and then does a round whenever it is asked to.

    Args:
        checkout: The root of the checkout.
        item: The item's name.
        label: Tells the namespaces of the two processes apart.
        urls: Where the servers answer.
        effort: ``rounds``, ``operations``, ``seconds``, ``scale`` and ``sizes`` of :class:`benchmarks.measure.Effort`.

    Attributes:
        names: The contenders.
    """

    def __init__(
        self, checkout: Path, item: str, urls: Mapping[str, str], effort: Sequence[Any], *, label: str
    ) -> None:
        path = os.pathsep.join((str(checkout / "src"), str(checkout)))
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-P", str(PLAYER), json.dumps([item, label, dict(urls), list(effort)])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout,
            env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        self.names: list[str] = self._reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def play(self, name: str, *, is_warming: bool) -> Took:
        """Do one round of one contender; return what an operation took.

        Raises:
            RuntimeError: The round failed.
        """
        assert self._process.stdin is not None
        print(json.dumps([name, is_warming]), file=self._process.stdin, flush=True)
        return Took(*self._reply())

    def _reply(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            message = f"the process in {self._process.args!r} ended; its error is above"
            raise RuntimeError(message)
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in both checkouts.

    Attributes:
        item: The item's name.
        name: The contender's name.
        rounds: What an operation took in the other checkout and in this one, round by round.
    """

    item: str
    name: str
    rounds: Sequence[tuple[Took, Took]]

    def __str__(self) -> str:
        before, now = (median(took.wall_s for took in side) for side in zip(*self.rounds, strict=True))
        ratios = sorted(two.wall_s / one.wall_s for one, two in self.rounds)
        cpu = [two.cpu_s / one.cpu_s for one, two in self.rounds if one.cpu_s]
        return (
            f"{self.item:22} {self.name:24} {before * 1e6:12,.1f} {now * 1e6:12,.1f} {median(ratios):7.2f}"
            f" ({ratios[0]:.2f} to {ratios[-1]:.2f}) {f'{median(cpu):8.2f}' if cpu else ''}"
        )


HEAD = f"{'item':22} {'contender':24} {'before, us':>12} {'now, us':>12}   ratio (of a round)  CPU ratio"
"""A ratio is the time now divided by the time before. On a busy machine the processor time scatters less."""


def compare(other: Path, item: str, urls: Mapping[str, str], effort: Sequence[Any]) -> Iterator[Row]:
    """Measure emco_store's own contenders of one item in both checkouts.

    Args:
        other: The root of the other checkout.
        item: The item's name.
        urls: Where the servers answer.
        effort: See :class:`Player`; its first value is the number of rounds.
    """
    with ExitStack() as stack:
        before, now = (
            stack.enter_context(Player(root, item, urls, effort, label=label))
            for root, label in ((other, "before"), (ROOT, "now"))
        )
        for name in (name for name in now.names if name in before.names):
            pairs: list[tuple[Took, Took]] = []
            for number in range(-1, int(effort[0])):
                turns = [(before, 0), (now, 1)] if number % 2 else [(now, 1), (before, 0)]
                times = {at: player.play(name, is_warming=number < 0) for player, at in turns}
                if number >= 0:
                    pairs.append((times[0], times[1]))
            yield Row(item, name, pairs)
