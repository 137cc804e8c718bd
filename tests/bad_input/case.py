"""A case of bad input, the world that it meets, and the proof that it is refused and changes nothing."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emco_store import InvalidResource, Key, MemoryBackend, StoreError
from emco_store.core.records import Record
from emco_store.ports import Scan
from tests.bad_input.models import Group, Host, Service, Sheet, Zone

NAMESPACE = "bad-input"
RULES = frozenset(
    re.findall(r"\*\*([A-Z]+-\d+)\*\*", (Path(__file__).parents[2] / "docs/contracts.md").read_text("utf-8"))
)
"""The rules of the contract."""


@dataclass
class World:
    """A store with a few resources, and the requests that its backend has been asked since.

    Attributes:
        store: A ``Store``, or an ``AsyncStore`` seen as one.
        backend: Where its data is.
        asked: The names of the requests, in order.
    """

    store: Any
    backend: MemoryBackend
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.zone = self.store.create(Zone(name="z1"))
        self.other_zone = self.store.create(Zone(name="z2"))
        self.host = self.store.create(Host(parent=self.zone, name="h1", region="eu", serial="s-1"))
        self.spare = self.store.create(Host(parent=self.zone, name="h2", region="us"))
        self.keeper = self.store.create(Group(group="keepers", name="k1"))
        self.service = self.store.create(Service(parent=self.zone, name="s1", must=self.host))
        self.sheet = self.store.create(Sheet(name="d1", numbers=[1], labels={"a": 1}))
        self.backend.hook = self._note

    def _note(self, name: str, moment: str, _: object) -> None:
        if moment == "before":
            self.asked.append(name)

    def dump(self) -> tuple[Record, ...]:
        """Return all that is stored, guards and versions included, without counting as a request."""
        hook, self.backend.hook = self.backend.hook, None
        found = self.backend.port(NAMESPACE).ask(Scan(kind=None, limit=1_000_000)).records
        self.backend.hook = hook
        return found


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        id: What is bad, in a few words.
        rule: The rule of the contract that refuses it.
        call: Does what must be refused.
        error: The class of the error.
        fields: Fields of the error, with their values.
        must_read: True where the input alone does not show that it is bad, so that the backend may be read.
        must_commit: True where a commit is sent that writes nothing, because only the backend can tell, or because what
            was read must be of one moment.
        given: What happened before.
    """

    id: str
    rule: str
    call: Callable[[World], object]
    error: type[StoreError]
    fields: Mapping[str, object] = field(default_factory=dict)
    must_read: bool = False
    must_commit: bool = False
    given: Callable[[World], object] | None = None


def table(*cases: Case) -> pytest.MarkDecorator:
    """Run a test once for each case."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases])


def check(case: Case, world: World) -> None:
    """Prove that the case is one clear error of the right class, and that nothing was written or even asked for."""
    if case.given is not None:
        case.given(world)
        world.asked.clear()
    before = world.dump()

    with pytest.raises(StoreError) as caught:
        case.call(world)

    check_error(case, caught.value)
    if not case.must_read and not case.must_commit:
        assert [] == world.asked
    elif not case.must_commit:
        assert "commit" not in world.asked
    assert before == world.dump()


def check_error(case: Case, error: StoreError) -> None:
    """Prove that an error has its four parts and its fields, and that it can travel between processes."""
    assert case.rule in RULES
    assert case.error is type(error)
    assert all([error.what, error.why, all(error.why), error.hint])
    assert dict(case.fields) == {name: getattr(error, name) for name in case.fields}
    if isinstance(error, InvalidResource):
        assert error.problems
        assert all(isinstance(problem, str) for problem in error.problems)
        assert error.key is None or isinstance(error.key, Key)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - it was pickled on the line above
    assert (error.fields, str(error)) == (twin.fields, str(twin))
