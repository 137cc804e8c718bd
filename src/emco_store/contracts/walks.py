"""A random walk over resources that have lifecycles: whatever is done, the store does what they declare, and no more.

:func:`walk` runs it over the lifecycles of any program; a test of the suite runs it over those of the suite.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from emco_store.backends.memory import MemoryBackend
from emco_store.connect import connect
from emco_store.contracts.machine import run_programs
from emco_store.contracts.naive_lifecycles import Thing
from emco_store.contracts.walk_machine import LifecycleMachine
from emco_store.contracts.walk_steps import Opener, Space, Walked
from emco_store.core.resource import Resource

__all__ = ["Walked", "walk", "walk_in"]


def walk(
    resources: Iterable[Resource],
    target: Any = "memory://",
    *,
    examples: int = 100,
    steps: int = 30,
) -> Walked:
    """Walk at random over resources with lifecycles, and compare the store with a second, simple set of rules.

    A program creates the resources, and then creates, replaces, reports and deletes them, makes any transition that is
    declared, possible or not, with right and with outdated digests and operation ids, takes rollbacks and restores, and
    reads everything after each step. At its end it must be able to delete everything again, with transitions that are
    not the end of an operation. The programs are the same in every run.

    Args:
        resources: What the programs write: resources, of which those that refer to each other are all given, and
            statuses. Resources with the same key are versions of one resource: a program begins with the first one.
        target: As for ``connect``; on a server, each program has a namespace of its own and leaves it empty, except for
            the outcomes of commits and for trails.
        examples: The number of programs (>= 1).
        steps: The most steps of a program (>= 1).

    Returns:
        What was done: see that ``unmade`` names no transition that you expect.

    Raises:
        AssertionError: The store did something else than the lifecycles declare, or there is no way back from a state.
            The shortest program found is printed.

    Rules: LIF-1 to LIF-12, HIS-1 to HIS-11, CHK-1.
    """
    used: Any = MemoryBackend() if target == "memory://" else target

    @contextmanager
    def space() -> Generator[Opener]:
        namespace = f"walk-{secrets.token_hex(8)}"
        with ExitStack() as opened:
            yield lambda **options: opened.enter_context(connect(used, namespace=namespace, **options))

    return walk_in(space, tuple(resources), examples, steps=steps)


def walk_in(
    space: Space, resources: Sequence[Resource], examples: int, *, steps: int = 30, may_shrink: bool = True
) -> Walked:
    """Do the same as :func:`walk`, on data that the caller opens."""
    walked = Walked()
    run_programs(partial(LifecycleMachine, space, resources, walked), examples, steps=steps, may_shrink=may_shrink)
    declared = {str(one): None for value in resources for one in Thing.of(value).steps.values()}
    walked.unmade = tuple(name for name in declared if name not in walked.made)
    return walked
