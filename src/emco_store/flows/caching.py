"""Caches: what they can be asked, and what their copies must show so that they have seen a write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from emco_store.core.keys import Key, key_prefix
from emco_store.core.records import Stamp
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, InvalidResource, NotFound, StaleCache
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.following import Following

LEAST = timedelta(seconds=3)
"""The smallest age of a copy that can be asked for: without news, it is known to be true every second or two."""
_SHOWN = 3
"""How many keys an error names."""
UNKNOWN = Stamp("", -1)
"""What must be shown of a resource that is still to be read."""
UNREADABLE = Stamp("", -2)
"""What must be shown of a document that cannot be read: its error."""


def checked_age(stale_after: Any) -> timedelta | None:
    """Return the age beyond which a copy is stale; None for never.

    Raises:
        InvalidCall: It is no time span, or too short.
    """
    if stale_after is None or (isinstance(stale_after, timedelta) and stale_after >= LEAST):
        return stale_after
    why = "a number alone does not say its unit" if isinstance(stale_after, int | float) else "it is no time span"
    if isinstance(stale_after, timedelta):
        why = "without news, a copy is known to be true every second or two"
    raise InvalidCall(
        f"Cannot keep a cache with stale_after={stale_after!r:.40}.",
        why=[why],
        hint=f"give a timedelta of at least {LEAST.total_seconds():g} s, or None for no bound.",
    )


def checked_indexes(index: Any) -> Mapping[str, Any]:
    """Return the indexes of a cache.

    Raises:
        InvalidCall: They are no functions by names.
    """
    try:
        given: dict[Any, Any] = dict(index)
    except (TypeError, ValueError):
        given = {"": None}
    if all(isinstance(name, str) and callable(function) for name, function in given.items()):
        return given
    raise InvalidCall(
        f"Cannot index by {index!r:.80}.",
        why=["it is no map from names to functions"],
        hint='give functions of a resource: index={"region": lambda app: app.region}.',
    )


def key_of(context: Context, following: Following, target: Any, names: tuple[str, ...] = ()) -> Key:
    """Return the key of what is looked up: a target, or the names of a key of the kind that is followed.

    Raises:
        InvalidCall: It is nothing that the cache could have.
    """
    kind = following.listing.kind or ""
    if isinstance(target, str):
        return Key(kind, target, *names)
    key = context.address(target, names)
    if key.kind != kind:
        raise InvalidCall(
            f"Cannot look {key} up in a cache of {kind}.",
            why=["a cache has the resources of one kind"],
            hint="ask the store, or the cache of the other kind.",
        )
    return key


def prefix_of(context: Context, following: Following, under: Any) -> str:
    """Return how the texts of the keys under a resource begin."""
    return key_prefix(following.listing.kind or "", context.address(under).segments)


def is_followed(following: Following, key: Key) -> bool:
    """Return whether a key is one of a kind and in a place that are followed."""
    prefix = following.prefixes.get(key.kind)
    return prefix is not None and key.text.startswith(prefix)


def wanted(context: Context, following: Following, targets: Sequence[Any]) -> dict[Key, Stamp | None]:
    """Return what a copy must show of each target, as far as that is known.

    Raises:
        InvalidCall: A target is none of the resources that are followed.
    """
    found: dict[Key, Stamp | None] = {}
    for target in targets:
        key = key_of(context, following, target) if not isinstance(target, str) else _refuse_text(target)
        if not is_followed(following, key):
            raise InvalidCall(
                f"Cannot wait for {key} in this cache.",
                why=[f"it follows what lies under {following.listing.prefix}"],
                hint="wait in a cache that follows it.",
            )
        found[key] = _stamp_of(following, target)
    return found


def states(context: Context, following: Following, keys: Iterable[Key]) -> Flow[dict[Key, Stamp | None]]:
    """Read what a copy must show of some resources, so that it is as new as the store is now.

    Rules: FEED-13.
    """
    wanted_keys = tuple(keys)
    records = yield from records_at(wanted_keys)
    found: dict[Key, Stamp | None] = {}
    for key in wanted_keys:
        value = context.value_or_error(records[key]) if key in records else None
        if isinstance(value, InvalidResource):
            found[key] = UNREADABLE
        else:
            found[key] = None if value is None else _stamp_of(following, value)
    return found


def _stamp_of(following: Following, target: Any) -> Stamp | None:
    meta = getattr(target, "meta", None) if getattr(target, "is_stored", True) else None
    if meta is None:
        return UNKNOWN
    return Stamp(meta.uid, meta.version) if following.holds(target) else None


def _refuse_text(target: str) -> Key:
    raise InvalidCall(
        f"Cannot wait for {target!r:.80}.",
        why=["it is no resource, key or reference"],
        hint="give what the write has returned; or a key, such as order.key, after a delete.",
    )


def not_there(key: Key) -> NotFound:
    """Build the error for what a copy does not have."""
    return NotFound(
        f"{key} is not in the cache.",
        why=["it does not exist, or is none of the resources that the cache follows"],
        hint="after a write of your own, call cache.wait(…) first; or ask the store.",
        keys=(key,),
    )


def not_shown(keys: Sequence[Key]) -> StaleCache:
    """Build the error for a copy that does not show a write in time."""
    shown = ", ".join(map(str, keys[:_SHOWN]))
    return StaleCache(
        f"The cache does not show {count(len(keys), 'resource')} as stored.",
        why=[f"the deadline has passed, and it is behind for {shown}"],
        hint="give a longer deadline=, or read from the store.",
        keys=tuple(keys),
    )


def used_before(following: Following) -> InvalidCall:
    """Build the error for a cache whose block has begun before."""
    return InvalidCall(
        f"Cannot begin the cache of {following.listing.kind} again.",
        why=["its block has begun before"],
        hint="call store.follow(…).cache() for each block.",
    )


def refusal(
    following: Following,
    age_s: float,
    most: timedelta | None,
    problem: BaseException | None,
    *,
    is_inside: bool,
    is_running: bool,
) -> StaleCache | None:
    """Return the error for a copy that must not be looked at; None for one that may.

    Args:
        following: What it is a copy of.
        age_s: Its age in seconds.
        most: The age that is allowed; None for any.
        problem: The newest error of the background, unless it has gone on since.
        is_inside: Whether its block has begun and not ended.
        is_running: Whether the background still keeps it true.

    Rules: FEED-13.
    """
    kind = following.listing.kind
    cause = "" if problem is None else f"{type(problem).__name__}: {problem!s:.300}"
    if not is_inside:
        return StaleCache(
            f"The cache of {kind} is not running.",
            why=["it is kept true only inside its block"],
            hint="use it as `with store.follow(Model).cache() as cache:`.",
        )
    if not is_running:
        return StaleCache(
            f"The cache of {kind} is no longer kept true.",
            why=[f"it has ended with {cause}"],
            hint="see to the cause, and begin another cache.",
        )
    if most is not None and age_s > most.total_seconds():
        return StaleCache(
            f"The cache of {kind} is stale.",
            why=[f"it shows what was stored {age_s:.1f} s ago, and {most.total_seconds():g} s are allowed", cause][
                : 2 if cause else 1
            ],
            hint="wait until cache.ready(), or read from the store.",
        )
    return None
