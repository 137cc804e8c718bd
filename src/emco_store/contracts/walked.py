"""LIF and HIS: random walks over the lifecycles of the suite."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from emco_store.contracts import recorded
from emco_store.contracts.harness import Bench, Lab
from emco_store.contracts.lifecycle_models import Cloud, Group, GroupStatus, Guest, Member, Zone
from emco_store.contracts.rules import rule
from emco_store.contracts.walk_steps import Opener, Walked
from emco_store.contracts.walks import walk_in
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.core.status import no, yes

_GROUP: Any = Key("Group", "z", "g")

GROUPS: tuple[Resource, ...] = (
    Cloud(name="a"), Cloud(name="a", level=1), Cloud(name="a", note="x"), Cloud(name="b"), Zone(name="z"),
    Group(name="g", parent="Zone/z", cloud="Cloud/a"), Group(name="g", parent="Zone/z", cloud="Cloud/b"),
    Group(name="g", parent="Zone/z", note="odd"), Guest(name="u", group=_GROUP),
    Member(name="m", parent=_GROUP), Member(name="m", parent=_GROUP, note="x"),
    Member(name="n", parent=_GROUP, note="x"),
    GroupStatus(parent=_GROUP, conditions={"Ready": yes()}), GroupStatus(parent=_GROUP, conditions={"Ready": no()}),
)  # fmt: skip
"""A group that holds one of two clouds, with members, a guest and a status: every guard, holds and frozen fields."""
PLANTS: tuple[Resource, ...] = (
    recorded.Ground(name="g"), recorded.Chart(name="c"), recorded.Chart(name="c", text="x"),
    recorded.Plant(name="p", parent="Ground/g"), recorded.Plant(name="p", parent="Ground/g", text="x"),
    recorded.Plant(name="p", parent="Ground/g", site="north"),
    recorded.Hall(name="h", parent=recorded.PLANT, chart=recorded.CHART),
    recorded.Hall(name="h", parent=recorded.PLANT),
    recorded.Desk(name="d", parent=recorded.HALL), recorded.Desk(name="d", parent=recorded.HALL, text="x"),
    recorded.Guest(name="u", hall=recorded.HALL), recorded.Guest(name="u", desk=recorded.DESK),
    recorded.Guest(name="u"),
)  # fmt: skip
"""A plant that is approved and recorded with its subtree and a chart outside, and a guest that refers into it."""


def walk_on(bench: Bench, resources: Sequence[Resource], examples: int, *, may_shrink: bool = True) -> Walked:
    """Walk over resources on a backend, each program in a lab of its own."""

    @contextmanager
    def space() -> Generator[Opener]:
        with bench.lab() as lab:
            yield lab.open

    return walk_in(space, resources, examples, may_shrink=may_shrink)


class WalkRules:
    """Walks as tests of the suite."""

    @rule("LIF-1", "LIF-2", "LIF-4", "LIF-5", "LIF-6", "LIF-7", "LIF-8", "LIF-10", "LIF-11", "LIF-12")
    def test_walk_over_groups_goes_only_where_they_declare(self, lab: Lab) -> None:
        """Whatever is done, states change only as declared, and there is a way back (LIF-1, LIF-2, LIF-4 to LIF-8)."""
        self._walk(lab, GROUPS)

    @rule("LIF-2", "LIF-5", "LIF-10", "LIF-11", "HIS-1", "HIS-2", "HIS-3", "HIS-6", "HIS-8", "HIS-10", "HIS-11")
    def test_walk_over_plants_keeps_their_history(self, lab: Lab) -> None:
        """Whatever is done, history and approval are as they were made (LIF-10, LIF-11, HIS-1 to HIS-3, HIS-10)."""
        self._walk(lab, PLANTS)

    @staticmethod
    def _walk(lab: Lab, resources: Sequence[Resource]) -> None:
        walked = walk_on(lab.bench, resources, 3 + lab.bench.harness.examples // 2)
        assert walked.made
        assert walked.refused
        assert walked.deletes
