"""Models of work that is supervised by sites, as a user of ``--models`` would have them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from emco_store import CASCADE, SET_NULL, Recovery, Ref, Resource, on_expire


class Guard(Resource, lease=timedelta(hours=1)):
    """Who makes rounds."""


class Site(Resource):
    """Where rounds are made."""


class Round(Resource, parent=Site, on_parent_delete=CASCADE):
    """What a supervisor assigns, together with the other rounds of the site."""

    is_off: bool = False
    guard: Annotated[Ref[Guard] | None, on_expire(SET_NULL)] = None
    recovery: Recovery = Recovery()
