"""All schedules of all pairs: ``python -m tests.proof.interleave --backend redis --family rollbacks``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Final

from proof import pairs
from tests.proof.prove import BACKENDS, rig_of

FAMILIES = {family.name: family for family in pairs.families()}
_ROUND: Final = 25
"""After how many pairs the figures are shown, so that a run that is cut short is worth something."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every schedule of every pair; 0 when a serial order explains each end, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.interleave", description=__doc__)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only these (all)")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="only these (all)")
    parser.add_argument("--first", type=int, default=1, help="begin at this pair of each family, counted from 1")
    asked = parser.parse_args(arguments)
    is_bad = False
    for name in asked.backend or BACKENDS:
        with rig_of(name) as rig, pairs.stage_at(rig) as stage:
            _show(rig.version)
            for family in asked.family or FAMILIES:
                tally, begun = pairs.Tally(), time.monotonic()
                for at, pair in enumerate(islice(FAMILIES[family].pairs(), asked.first - 1, None), asked.first):
                    pairs.explore(stage, FAMILIES[family], pair, tally)
                    if at % _ROUND == 0:
                        _show(f"  up to pair {at}: {_told(tally, begun)}")
                is_bad |= bool(tally.unexplained)
                _show(f"{name}, {family}: {_told(tally, begun)}")
                for example in tally.examples:
                    _show(f"  {example}")
    return int(is_bad)


def _told(tally: pairs.Tally, begun: float) -> str:
    """Say what was run since a moment, and how much of it nothing explains."""
    return (
        f"{tally.pairs:,} pairs, {tally.schedules:,} schedules, {tally.requests:,} requests, "
        f"{tally.unexplained} unexplained, {time.monotonic() - begun:.0f} s"
    )


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
