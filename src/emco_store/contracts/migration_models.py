"""Four versions of one model, as four releases of one service would have them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from emco_store.core.evolution import since
from emco_store.core.guards import approved
from emco_store.core.indexing import indexed, unique
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import transition
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.views import View


class Berth(Resource):
    """What the newer versions refer to."""

    title: str = ""


class Hull1(Resource, kind="Hull"):
    """The first version."""

    region: str = ""
    cargo: str = ""
    berth: Annotated[Ref[Berth] | None, on_delete(Rule.SET_NULL)] = None


class Hull2(Resource, kind="Hull", model_version=2):
    """Two fields more; documents are those of the first version while both are unused."""

    region: str = ""
    cargo: str = ""
    berth: Annotated[Ref[Berth] | None, on_delete(Rule.SET_NULL)] = None
    decks: Annotated[int, since(2)] = 1
    spare: Annotated[Ref[Berth] | None, since(2), on_delete(Rule.SET_NULL)] = None


def rename_region(document: dict[str, Any]) -> dict[str, Any]:
    """Rename the region to zone, and refer to each berth of a list."""
    document["zone"] = document.pop("region", "")
    berth = document.pop("berth", None)
    document["berths"] = [] if berth is None else [berth]
    return document


def split_cargo(document: dict[str, Any]) -> dict[str, Any]:
    """Split what is carried from how much of it; the text of it must say both, or nothing."""
    cargo = document.pop("cargo", "")
    goods, _, tons = cargo.partition(" ")
    document["goods"], document["tons"] = goods or None, int(tons) if goods else 0
    return document


class Hull3(Resource, kind="Hull", model_version=3, steps={3: rename_region}):
    """A field renamed, and one reference made a list."""

    zone: Annotated[str, indexed()] = ""
    cargo: str = ""
    berths: Annotated[list[Ref[Berth]], on_delete(Rule.RESTRICT)] = []
    decks: Annotated[int, since(2)] = 1
    spare: Annotated[Ref[Berth] | None, since(2), on_delete(Rule.SET_NULL)] = None


class Hull4(Resource, kind="Hull", model_version=5, steps={3: rename_region, 4: split_cargo}):
    """A field split into two, of which one is unique; and one more field."""

    zone: Annotated[str, indexed()] = ""
    goods: Annotated[str | None, unique()] = None
    tons: int = 0
    berths: Annotated[list[Ref[Berth]], on_delete(Rule.RESTRICT)] = []
    decks: Annotated[int, since(2)] = 1
    spare: Annotated[Ref[Berth] | None, since(2), on_delete(Rule.SET_NULL)] = None
    flag: Annotated[str, since(5)] = ""


class HullView(View, of="Hull", parent=None):
    """What another service reads of it."""

    cargo: str = ""


class NewHullView(View, of="Hull", parent=None, model_version=3, steps={3: rename_region}):
    """The same, for the third version."""

    cargo: str = ""


class DeedState(StrEnum):
    """The states of a deed."""

    OPEN = "Open"
    SIGNED = "Signed"
    HELD = "Held"


class DeedLife(Lifecycle[DeedState]):
    """A lifecycle with approval and a frozen field."""

    initial = DeedState.OPEN
    sign = transition({DeedState.OPEN, DeedState.SIGNED}, to=DeedState.SIGNED, approves=True)
    hold = transition({DeedState.SIGNED}, to=DeedState.HELD, guards=[approved()])
    release = transition({DeedState.HELD}, to=DeedState.OPEN)
    deletable = {DeedState.OPEN, DeedState.SIGNED}
    frozen = {DeedState.HELD: (F.text,)}


class Deed1(Resource, kind="Deed", lifecycle=DeedLife):
    """The first version of a resource with a lifecycle."""

    text: str = ""


class Deed2(Resource, kind="Deed", lifecycle=DeedLife, model_version=2):
    """A field more, and an index: documents stay as they are."""

    text: Annotated[str, indexed()] = ""
    note: Annotated[str, since(2)] = ""


class Deed3Life(Lifecycle[DeedState]):
    """The same lifecycle, with the newer name of the frozen field."""

    initial = DeedState.OPEN
    sign = transition({DeedState.OPEN, DeedState.SIGNED}, to=DeedState.SIGNED, approves=True)
    hold = transition({DeedState.SIGNED}, to=DeedState.HELD, guards=[approved()])
    release = transition({DeedState.HELD}, to=DeedState.OPEN)
    deletable = {DeedState.OPEN, DeedState.SIGNED}
    frozen = {DeedState.HELD: (F.words,)}


def rename_text(document: dict[str, Any]) -> dict[str, Any]:
    """Rename the text to words."""
    document["words"] = document.pop("text", "")
    return document


class Deed3(Resource, kind="Deed", lifecycle=Deed3Life, model_version=3, steps={3: rename_text}):
    """A frozen field renamed."""

    words: str = ""
    note: Annotated[str, since(2)] = ""
