"""The resources of the suite.

Targets come first, then referrers: one class for each delete rule, with a field for each form of a reference.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, model_validator

from emco_store.core.indexing import indexed, unique
from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref, on_delete, reference
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.some_of import some_of


class Site(Resource):
    """A root: the target of most references."""

    title: str = ""


class Rack(Resource, parent=Site):
    """A child that blocks the delete of its parent."""

    units: int = 0


class Crate(Resource, parent=Site, on_parent_delete=Rule.CASCADE):
    """A child that is deleted with its parent."""

    note: str = ""


class Safe(Resource, parent=Site, on_parent_delete=Rule.PROTECT):
    """A child that must be named to be deleted."""


class Parcel(Resource, parent=Crate, on_parent_delete=Rule.CASCADE):
    """A grandchild that is deleted with its parent; its code is unique, its weight is indexed."""

    code: Annotated[str | None, unique()] = None
    weight: Annotated[int | None, indexed()] = None
    colour: str = ""


class Item(Resource):
    """A root with indexed fields of several types, for lists."""

    rank: Annotated[int, indexed()] = 0
    label: Annotated[str, indexed()] = ""
    price: Annotated[float | None, indexed()] = None
    serial: Annotated[str | None, unique()] = None
    plain: int = 0


def once_more(value: int) -> int:
    """Change a value each time that it is validated, as a conversion from euros to cents does."""
    return value * 100


class Drifting(Resource):
    """Validators that change what they have made, in each place where one may stand."""

    price: Annotated[int, AfterValidator(once_more)] = 0
    listed: list[Annotated[int, AfterValidator(once_more)]] = []
    mapped: dict[Annotated[str, AfterValidator("{}x".format)], int] = {}
    title: Annotated[str, AfterValidator(str.strip)] = ""
    changes: int = 0

    @model_validator(mode="before")
    @classmethod
    def count(cls, data: Any) -> Any:
        """Count how often it was validated, if it counts at all."""
        changes = data.get("changes", 0)
        return {**data, "changes": changes + 1} if changes else data


class Leg(BaseModel, extra="forbid"):
    """A nested model that holds references."""

    site: Ref[Site]
    spare: list[Ref[Site]] = []


class Trip(BaseModel, extra="forbid"):
    """A nested model that holds nested models."""

    legs: list[Leg] = []
    by_day: dict[str, Leg] = {}


class Restrict(Resource):
    """Holds references under RESTRICT, the default, in every form."""

    one: Ref[Site] | None = None
    listed: list[Ref[Site]] = []
    chosen: set[Ref[Site]] = set()
    row: tuple[Ref[Site], ...] = ()
    by_name: dict[str, Ref[Site]] = {}
    by_site: dict[Ref[Site], str] = {}
    leg: Leg | None = None
    trips: dict[str, list[Trip]] = {}
    either: Ref[Site | Rack] | None = None
    note: str = ""


class Protect(Resource):
    """Holds references under PROTECT; ``also`` makes it part of a cascade."""

    one: Annotated[Ref[Site] | None, on_delete(Rule.PROTECT)] = None
    listed: Annotated[list[Ref[Site]], on_delete(Rule.PROTECT)] = []
    also: Annotated[Ref[Site] | None, on_delete(Rule.CASCADE)] = None
    note: str = ""


class Cascade(Resource):
    """Holds references under CASCADE; ``before`` makes chains and cycles."""

    one: Annotated[Ref[Site] | None, on_delete(Rule.CASCADE)] = None
    by_site: Annotated[dict[Ref[Site], str], on_delete(Rule.CASCADE)] = {}
    before: Annotated[Ref[Cascade] | None, on_delete(Rule.CASCADE)] = None
    blocked_by: Ref[Cascade] | None = None
    note: str = ""


class NullLeg(BaseModel, extra="forbid"):
    """A nested model whose reference may be null."""

    site: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    note: str = ""


class SetNull(Resource):
    """Holds references under SET_NULL, in every place that may be null."""

    one: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    only: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL), unique()] = None
    listed: Annotated[list[Ref[Site] | None], on_delete(Rule.SET_NULL)] = []
    by_name: Annotated[dict[str, Ref[Site] | None], on_delete(Rule.SET_NULL)] = {}
    legs: list[NullLeg] = []
    note: str = ""


class SetDefault(Resource):
    """Holds a reference under SET_DEFAULT."""

    one: Annotated[Ref[Site], on_delete(Rule.SET_DEFAULT), indexed()] = Ref("Site/main")
    note: str = ""


def some(value: Any) -> Any:
    """Refuse what is empty."""
    if not value:
        raise ValueError("must not be empty")
    return value


def abroad(value: Ref[Site]) -> Ref[Site]:
    """Refuse the main site."""
    if value.text == "Site/main":
        raise ValueError("must not be at home")
    return value


class Choosy(Resource):
    """Its validators refuse what some of its rules would leave."""

    listed: Annotated[list[Ref[Site]] | None, on_delete(Rule.REMOVE), AfterValidator(some)]
    crates: Annotated[list[Ref[Crate]], on_delete(Rule.REMOVE)] = []
    one: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    spare: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    needs: int = 0

    @model_validator(mode="after")
    def check_needs(self) -> Choosy:
        """Refuse fewer references than are needed."""
        found = len(self.crates) + (self.one is not None) + (self.spare is not None)
        if found < self.needs:
            raise ValueError(f"{found} references, {self.needs} are needed")
        return self


class Emigrant(Resource):
    """Its validator refuses the default of its own reference."""

    home: Annotated[Ref[Site], on_delete(Rule.SET_DEFAULT), AfterValidator(abroad)] = Ref("Site/main")


class Tally(Resource):
    """Counts how often it is read without a site."""

    one: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    misses: int = 0

    @model_validator(mode="before")
    @classmethod
    def count(cls, data: Any) -> Any:
        """Count."""
        return data if data.get("one") else {**data, "misses": data.get("misses", 0) + 1}


class Lease(Resource):
    """Holds a unique reference under SET_DEFAULT."""

    home: Annotated[Ref[Site], on_delete(Rule.SET_DEFAULT), unique()] = Ref("Site/main")


class Pair(BaseModel, extra="forbid"):
    """A nested model with a list of its own."""

    sites: Annotated[list[Ref[Site]], on_delete(Rule.REMOVE)] = []


class Remove(Resource):
    """Holds references under REMOVE, in every container; ``kept`` comes after entries that shift."""

    listed: Annotated[list[Ref[Site]], on_delete(Rule.REMOVE)] = []
    chosen: Annotated[set[Ref[Site]], on_delete(Rule.REMOVE)] = set()
    row: Annotated[tuple[Ref[Site], ...], on_delete(Rule.REMOVE)] = ()
    by_name: Annotated[dict[str, Ref[Site]], on_delete(Rule.REMOVE)] = {}
    by_site: Annotated[dict[Ref[Site], str], on_delete(Rule.REMOVE)] = {}
    grid: Annotated[list[list[Ref[Site]]], on_delete(Rule.REMOVE)] = []
    pairs: list[Pair] = []
    deep: Annotated[dict[str, list[Ref[Site]]], on_delete(Rule.REMOVE)] = {}
    routes: Annotated[dict[Ref[Site], list[Ref[Rack]]], on_delete(Rule.REMOVE)] = {}
    note: str = ""


class Bundle(Resource, parent=Site, key=("name", "version")):
    """A resource with a key of two fields, for short and for fixed references."""

    version: str


class App(Resource, parent=Bundle, on_parent_delete=Rule.CASCADE):
    """A resource two levels deep."""


class Plan(Resource, parent=Bundle, on_parent_delete=Rule.CASCADE):
    """Refers to its neighbours by short names, to fixed versions, and conditionally."""

    app: Ref[App] | None = None
    root: Annotated[Ref[Bundle] | None, reference(fixed={"version": "root"})] = None
    targets: Annotated[dict[Ref[App], str], reference(ignore=("all", "none"))] = {}
    how: str = "site"
    to: Annotated[Ref[Site] | None, reference(when={"how": ("site", "both")})] = None


class Beacon(Resource, parent=Site, on_parent_delete=Rule.CASCADE):
    """What selections look for; its name is indexed."""

    name: Annotated[str, indexed()]
    note: str = ""


class Lamp(Resource, parent=Site, on_parent_delete=Rule.CASCADE):
    """Another kind that selections look for; no name of its key is indexed."""

    note: str = ""


class Course(BaseModel, extra="forbid"):
    """A nested model with a selection that rests on a field beside it."""

    site: str | None = None
    beacon: Annotated[str | None, some_of(Beacon, where={"Site": "site"})] = None


class Pilot(Resource):
    """Holds references by selection, in every form."""

    one: Annotated[str | None, some_of(Beacon)] = None
    light: Annotated[str | None, some_of(Beacon, Lamp)] = None
    first: Annotated[str | None, some_of(Beacon), some_of(Lamp)] = None
    below: Annotated[Ref[Site] | None, some_of(Beacon)] = None
    listed: list[Annotated[str, some_of(Beacon)]] = []
    by_use: Annotated[dict[str, str], some_of(Beacon, keys=("sea",)), some_of(Lamp, keys=("land",))] = {}
    course: Course | None = None
    courses: list[Course] = []
    maybe_lamp: Annotated[str | None, some_of(Lamp, required=False)] = None
    root: Annotated[str | None, some_of(Bundle, fixed={"version": "root"}, required=False)] = None
    crate: str | None = None
    parcel: Annotated[str | None, some_of(Parcel, where={"Crate": "crate"})] = None
    how: str = "sea"
    maybe: Annotated[str | None, some_of(Beacon), reference(when={"how": "sea"})] = None
    note: str = ""


class Mate(Resource, parent=Site, on_parent_delete=Rule.CASCADE):
    """Selects among its neighbours, so one key only can match; and among all of another kind, wherever they lie."""

    beacon: Annotated[str | None, some_of(Beacon)] = None
    lamp: Annotated[str | None, some_of(Lamp, where={"Site": None})] = None
    mate: Annotated[str | None, some_of("Mate", where={"Site": None})] = None


class Anything(Resource):
    """Holds data of every type."""

    value: Any = None
    whole: int = 0
    real: float = 0.0
    text: str = ""
    flag: bool = False
    day: date | None = None
    moment: datetime | None = None
    uid: UUID | None = None
    mapped: dict[str, Any] = {}
    listed: list[Any] = []
    members: set[int] | None = None
    opaque: Opaque = {}


REFERRERS: dict[Rule, type[Resource]] = {
    Rule.RESTRICT: Restrict,
    Rule.PROTECT: Protect,
    Rule.CASCADE: Cascade,
    Rule.SET_NULL: SetNull,
    Rule.SET_DEFAULT: SetDefault,
    Rule.REMOVE: Remove,
}
"""The class that holds references under each delete rule."""
