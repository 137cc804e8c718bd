"""The simulation: nothing is found, each broken port is caught, and a seed is the same run in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random

import pytest

from proof.phase import Budget
from proof.simulated_mutants import MUTANTS, caught
from proof.simulation import again, scenario, simulate, simulation
from proof.virtual_time import Stuck, VirtualLoop, run

SEEDS = range(36)


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_finds_nothing(seed, tmp_path):
    """Whatever the network, the order and the ends of clients are, what was told is true, and nobody waits for ever."""
    outcome = simulate(scenario(seed), tmp_path)

    assert [] == outcome.violations, f"again: {again(seed)}"


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_port_is_caught(name, tmp_path):
    """A port that waits, repeats, groups or settles wrongly is found within some seeds."""
    _, found = caught(name, tmp_path)

    assert found


def test_seed_is_the_same_run_in_every_process():
    """Neither the process nor the hashes of texts in it change what a seed stands for."""
    command = [sys.executable, "-m", "proof.simulation", "--seed", "0", "--count", "9"]

    first, second = (_printed(command, hashes) for hashes in ("1", "2"))

    assert first == second
    assert 9 == first.count("seed")


def _printed(command: list[str], hashes: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours


def test_two_seeds_are_two_runs(tmp_path):
    """A seed decides what happens, so another one is another run."""
    one, other = (simulate(scenario(seed), tmp_path) for seed in (0, 9))

    assert one.digest != other.digest


def test_phase_counts_what_it_did(tmp_path):
    """The phase of the long run reports its seeds, what struck, and how much time has passed in it."""
    result = simulation(None, Budget(operations=3), seed=1, out=tmp_path)

    assert [] == result.violations
    assert 3 == result.numbers["seeds"]
    assert result.numbers["virtual_hours"] > 0
    assert result.faults["clients cancelled"] > 0


async def _nothing_comes(loop: VirtualLoop) -> None:
    await loop.create_future()


def test_loop_in_which_nobody_can_go_on_says_so():
    """Waiting for what never comes is found at once, and not waited for."""
    loop = VirtualLoop(Random(1), max_steps=100)

    with pytest.raises(Stuck, match="nobody can go on"):
        run(loop, _nothing_comes(loop))
