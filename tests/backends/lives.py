"""Random lives of a namespace: seeded steps, drawn in sight of what is there, so that most of them do something."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Annotated, Any

from emco_store import (
    CASCADE,
    PROTECT,
    REMOVE,
    SET_DEFAULT,
    SET_NULL,
    F,
    Key,
    Ref,
    Resource,
    indexed,
    on_delete,
    unique,
)

Call = tuple[str, str, dict[str, Any]]
"""A verb, a key and, where the verb takes them, fields."""
Step = tuple[str, dict[str, Any]]
"""The name of an action, and what it is given."""

TEXTS = ("", "a", "a\0", "a\1", "ab", "Z", "é", "\uffff", "\U0001f600", "%2F/", "$ne", "a'b\"")
"""Values that sort differently where text is not compared by code point, or is cut at a separator."""
ABSENT = "Point/absent"


class Point(Resource):
    """A root that refers to others of its kind under four rules, in circles too."""

    hard: Ref[Point] | None = None
    guard: Annotated[Ref[Point] | None, on_delete(PROTECT)] = None
    soft: Annotated[Ref[Point] | None, on_delete(CASCADE)] = None
    weak: Annotated[Ref[Point] | None, on_delete(SET_NULL)] = None
    code: Annotated[str | None, unique()] = None
    rank: Annotated[int, indexed()] = 0
    label: Annotated[str | None, indexed()] = None


class Part(Resource, parent=Point, on_parent_delete=CASCADE):
    """Goes with its parent."""

    rank: Annotated[int | None, indexed()] = None
    weak: Annotated[Ref[Stay | Part] | None, on_delete(SET_NULL)] = None


class Stay(Resource, parent=Point):
    """Keeps its parent."""

    soft: Annotated[Ref[Part] | None, on_delete(CASCADE)] = None


class Hook(Resource):
    """Falls back to a default, and loses entries of its containers."""

    to: Annotated[Ref[Point], on_delete(SET_DEFAULT), indexed()] = Ref("Point/main")
    listed: Annotated[list[Ref[Point]], on_delete(REMOVE)] = []
    by_point: Annotated[dict[Ref[Point], str], on_delete(REMOVE)] = {}
    title: Annotated[str, indexed(), unique()] = ""


MODELS: dict[str, Any] = {model.__name__: model for model in (Point, Part, Stay, Hook)}
POINTS = tuple(str(Key("Point", name)) for name in ("main", "a", "b", "b b", "é", "B"))
PARTS = tuple(str(Key("Part", point, f"p{at}")) for point in ("a", "b", "b b") for at in range(2))
STAYS = tuple(str(Key("Stay", point, "s")) for point in ("a", "b", "é"))
HOOKS = ("Hook/h", "Hook/k", "Hook/l")
KEYS = (*POINTS, *PARTS, *STAYS, *HOOKS)
ACTIONS = {
    "call": 8,
    "transact": 6,
    "transact_and_read": 3,
    "transact_while_another_commits": 3,
    "transact_with_a_fault": 3,
    "plan_and_apply": 2,
    "delete_without_models": 2,
    "remember": 1,
    "write_a_stale_value": 2,
    "page_through": 4,
    "look_around": 2,
    "get_many": 1,
    "advance": 1,
}
"""Each action with its weight."""


class Life:
    """Draws step after step.

    Args:
        seed: The same seed draws the same steps, where the same is there.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def step(self, there: Collection[str]) -> Step:
        """Draw an action and what it is given.

        Args:
            there: The keys of what is there.
        """
        (name,) = self._random.choices(list(ACTIONS), list(ACTIONS.values()))
        draw = getattr(self, f"_{name}", None)
        return name, {} if draw is None else draw(sorted(there))

    def _call(self, there: list[str]) -> dict[str, Any]:
        return {"calls": self._calls(there, 1)}

    def _transact(self, there: list[str]) -> dict[str, Any]:
        return {"calls": self._calls(there, 5)}

    def _transact_and_read(self, there: list[str]) -> dict[str, Any]:
        return {"calls": self._calls(there, 3), "question": self._question(), "key": self._key(there)}

    def _transact_while_another_commits(self, there: list[str]) -> dict[str, Any]:
        return {"calls": self._calls(there, 3), "read": self._key(there), "others": self._calls(there, 1)}

    def _transact_with_a_fault(self, there: list[str]) -> dict[str, Any]:
        what = self._random.choice(["lose_reply", "lose_request"])
        return {"calls": self._calls(there, 3), "what": what, "times": self._random.randint(1, 3)}

    def _plan_and_apply(self, there: list[str]) -> dict[str, Any]:
        return {"keys": [self._key(there) for _ in range(self._random.randint(1, 2))]}

    def _delete_without_models(self, there: list[str]) -> dict[str, Any]:
        return {"key": self._key(there)}

    def _write_a_stale_value(self, _: list[str]) -> dict[str, Any]:
        verb = self._random.choice(["update", "put", "delete"])
        return {
            "at": self._random.randrange(len(KEYS)),
            "verb": verb,
            "version": self._random.choice([None, None, 1, 2]),
        }

    def _page_through(self, _: list[str]) -> dict[str, Any]:
        return {"question": self._question()}

    def _look_around(self, there: list[str]) -> dict[str, Any]:
        return {"key": self._key(there), "limit": self._random.randint(1, 3)}

    def _get_many(self, there: list[str]) -> dict[str, Any]:
        keys = [self._key(there) for _ in range(self._random.randint(0, 4))]
        return {"keys": keys, "missing_ok": self._random.random() < 0.7}

    def _key(self, there: list[str]) -> str:
        return self._random.choice(there if there and self._random.random() < 0.9 else [*KEYS, ABSENT])

    def _calls(self, there: list[str], most: int) -> list[Call]:
        """Draw calls of a program; what it creates is there for the calls behind, and what it deletes is not."""
        now = list(there)
        calls: list[Call] = []
        for _ in range(self._random.randint(1, most)):
            free = [key for key in KEYS if key not in now]
            (verb,) = self._random.choices(["create", "put", "update", "delete"], [3 if free else 1, 2, 3, 2])
            is_likely = self._random.random() < 0.9
            among = (free if verb == "create" else now if verb != "put" else KEYS) if is_likely else KEYS
            key = self._random.choice(list(among) or list(KEYS))
            calls.append((verb, key, {} if verb == "delete" else self._fields(key, now)))
            now = [one for one in now if one != key] + ([] if verb == "delete" else [key])
        return calls

    def _fields(self, key: str, there: list[str]) -> dict[str, Any]:
        kind, *names = key.split("/")
        if kind == "Point":
            single = {name: self._maybe(POINTS, key, there) for name in ("hard", "guard", "soft", "weak")}
            code = self._random.choice([None, None, None, *TEXTS[:4]])
            label = self._random.choice([None, *TEXTS])
            return single | {"code": code, "rank": self._random.randint(-2, 2) * 10**17, "label": label}
        if kind == "Part":
            rank = self._random.choice([None, 0, 1])
            return {"parent": f"Point/{names[0]}", "rank": rank, "weak": self._maybe((*STAYS, *PARTS), key, there)}
        if kind == "Stay":
            return {"parent": f"Point/{names[0]}", "soft": self._maybe(PARTS, key, there)}
        several = [self._target(POINTS, key, there) for _ in range(self._random.randint(0, 3))]
        return {
            "to": self._target(POINTS, key, there),
            "listed": several,
            "by_point": dict.fromkeys(several[1:], "x"),
            "title": self._random.choice(TEXTS),
        }

    def _maybe(self, targets: Collection[str], key: str, there: list[str]) -> str | None:
        return self._target(targets, key, there) if self._random.random() < 0.3 else None

    def _target(self, targets: Collection[str], key: str, there: list[str]) -> str:
        present = [target for target in targets if target in there and target != key]
        others = [ABSENT, *(target for target in targets if target != key)]
        return self._random.choice(present if present and self._random.random() < 0.95 else others)

    def _question(self) -> dict[str, Any]:
        """Draw a list: a kind, and for it conditions and orders of which almost all can be asked for."""
        kind = self._random.choice(["Point", "Point", "Part", "Hook"])
        text, number = self._random.choice(TEXTS), self._random.randint(-2, 2) * 10**17
        where = {
            "Point": [
                F.label == text,
                F.label >= text,
                F.rank == number,
                F.rank < number,
                F.code == text,
                F.code != text,
            ],
            "Part": [F.rank == 1, F.rank != 0],
            "Hook": [F.to == Ref("Point/main"), F.title == text, F.title <= text],
        }[kind]
        orders = {
            "Point": ["label", "-label", "rank", "-rank"],
            "Part": ["rank", "-rank"],
            "Hook": ["title", "-title", "to"],
        }
        return {
            "kind": kind,
            "limit": self._random.randint(1, 4),
            "where": self._random.sample(where, self._random.choice([0, 0, 1, 2])),
            "order_by": self._random.choice([None, "-name", "code", *orders[kind]]),
            "parent": "Point/a" if kind == "Part" and self._random.random() < 0.7 else None,
        }
