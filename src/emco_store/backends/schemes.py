"""Find the backend of a URL or of a client: by the table of the library, then by the entry points that are installed.

A package adds a backend with an entry point in the group ``emco_store.backends``::

    [project.entry-points."emco_store.backends"]
    shelf = "shelf_store:open_target"

The name is the scheme of its URLs, or the top-level module of its driver's clients. The value is an :class:`Opener`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeGuard

from emco_store.errors import InvalidCall, NotSupported
from emco_store.ports import Backend, Durability

GROUP: Final = "emco_store.backends"
"""The group of entry points that name backends."""
_STAND_IN: Final = re.compile(r"[a-z]+://([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """What a caller of ``connect`` asks of a backend besides its target. Later versions may have more.

    Attributes:
        require: The lowest durability class to accept, if the caller has named one. The store checks what the port
            promises; a backend that can be opened in several classes chooses by it.
        transport: ``auto``, or ``plain`` for public calls of the driver only.
    """

    require: Durability | None = None
    transport: str = "auto"


Opener = Callable[[Any, OpenOptions], Backend]
"""Makes the backend of a target, a URL as the caller wrote it or a client; raises InvalidCall if it cannot be right."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A backend of the library.

    Attributes:
        opener: Where its :data:`Opener` is, as an entry point names it.
        extra: The extra of the package that brings its driver; empty if it needs none.
    """

    opener: str
    extra: str = ""


_MEMORY: Final = BuiltIn("emco_store.backends.memory:open_target")
_REDIS: Final = BuiltIn("emco_store.backends.redis.backend:open_target", "redis")
_MONGO: Final = BuiltIn("emco_store.backends.mongo.backend:open_target", "mongo")
_ETCD: Final = BuiltIn("emco_store.backends.etcd.backend:open_target")
BUILT_IN: Final[Mapping[str, BuiltIn]] = {
    "memory": _MEMORY,
    "redis": _REDIS,  # the module of redis-py, too
    "rediss": _REDIS,
    "unix": _REDIS,
    "mongodb": _MONGO,
    "mongodb+srv": _MONGO,
    "pymongo": _MONGO,
    "motor": _MONGO,
    "sqlite": BuiltIn("emco_store.backends.sqlite.backend:open_target"),
    "etcd": _ETCD,
    "etcds": _ETCD,
    "fakeredis": BuiltIn("emco_store.backends.redis.fake:open_target", "fakes"),
    "mongomock": BuiltIn("emco_store.backends.mongo.fake:open_target", "fakes"),
}
"""The entry points of this package, as in pyproject.toml; here, too, since a checkout need not be installed.

They come first: no other package can take their place.
"""
_CLIENTS: Final = ("pymongo", "motor")
"""The names that are no schemes."""
IN_PROCESS: Final = ("memory:", "fakeredis:", "mongomock:", "sqlite:///:memory:")
"""How the URLs of data begin that only this process has."""


def find_backend(target: object, options: OpenOptions) -> Backend:
    """Return the backend of a target.

    Args:
        target: A URL, or a client.
        options: What else is asked of it.

    Raises:
        InvalidCall: The backend cannot read the target.
        NotSupported: There is no backend for it, several packages have one, or it cannot be loaded.
    """
    name = name_of(target)
    open_target = _loaded(name) if name in BUILT_IN else _plugged_in(name, target)
    backend = open_target(target, options)
    if not is_backend(backend):
        raise NotSupported(
            f"The backend of {name!r:.40} cannot be used.",
            why=[f"what its function returned is no backend but of the class {type(backend).__name__}"],
            hint="return an object with the methods port(namespace) and async_port(namespace).",
        )
    return backend


def name_of(target: object) -> str:
    """Return the scheme of a URL, or the top-level module of a client: no driver must be imported to know it."""
    return target.partition(":")[0] if isinstance(target, str) else type(target).__module__.partition(".")[0]


def is_backend(target: object) -> TypeGuard[Backend]:
    """Return whether an object is a backend itself."""
    # Its class is asked, since a client of PyMongo has every attribute: the database of that name.
    return all(callable(getattr(type(target), name, None)) for name in ("port", "async_port"))


def stand_in(target: object) -> str:
    """Return the name in the URL of a stand-in, such as ``fakeredis://NAME``; empty for data of its own.

    Raises:
        InvalidCall: The target is not such a URL.
    """
    found = _STAND_IN.fullmatch(target) if isinstance(target, str) else None
    if found is None:
        origin = name_of(target)
        raise InvalidCall(
            f"Cannot open this as data of {origin}.",
            why=["a stand-in is chosen by its URL, and has neither host nor options"],
            hint=f"write {origin}:// for data of its own, {origin}://NAME to share it by a name of letters and digits.",
        )
    return found[1]


def _loaded(name: str) -> Opener:
    """Load a backend of the library, and say which extra to install if its driver is missing."""
    built_in = BUILT_IN[name]
    try:
        return _load(EntryPoint(name, built_in.opener, GROUP))
    except ModuleNotFoundError as problem:
        raise NotSupported(
            f"The backend of {name} is not installed.",
            why=[f"there is no module {problem.name}"],
            hint=f"pip install 'emco-store[{built_in.extra}]'",
        ) from problem


def _plugged_in(name: str, target: object) -> Opener:
    """Load the backend of another package."""
    # The same package may be found twice, as in a checkout that is installed too.
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=name)} if name else {}
    if not found:
        raise _unknown(name, target)
    if len(found) > 1:
        raise NotSupported(
            f"Cannot open {name!r:.40}.",
            why=[f"several packages have a backend for it: {', '.join(sorted(map(_described, found.values())))}"],
            hint="uninstall all but one of them, or give connect() a backend object.",
        )
    (entry,) = found.values()
    try:
        return _load(entry)
    except Exception as problem:  # an import may raise anything
        raise NotSupported(
            f"Cannot load the backend of {name!r:.40}.",
            why=[f"{_described(entry)}: {type(problem).__name__}: {problem}"],
            hint="install what it needs, or a version of it that fits this version of emco_store.",
        ) from problem


def _load(entry: EntryPoint) -> Opener:
    opener: Opener = entry.load()
    return opener


def _unknown(name: str, target: object) -> NotSupported:
    """Build the error for a target that no backend opens: it names those that are here, and how to get the others."""
    others = {entry.name for entry in entry_points(group=GROUP)} - BUILT_IN.keys()
    here, missing = [*sorted(others)], dict[str, str]()
    for scheme in BUILT_IN:
        try:
            _loaded(scheme)
        except NotSupported:
            missing[scheme] = BUILT_IN[scheme].extra
        else:
            here.append(scheme)
    why = [f"installed: {_schemes(here)}"]
    for extra in dict.fromkeys(missing.values()):
        brought = [scheme for scheme, its in missing.items() if its == extra]
        why.append(f"not installed: {_schemes(brought)}; pip install 'emco-store[{extra}]' brings it")
    what = f"Cannot open {name!r:.40}." if isinstance(target, str) else f"Cannot open this {type(target).__name__}."
    return NotSupported(
        what,
        why=["there is no backend for it", *why],
        hint="use one of these URLs, a client of redis-py or PyMongo, or a backend object; other packages add schemes "
        f"by entry points of the group {GROUP}.",
    )


def _schemes(names: Sequence[str]) -> str:
    return ", ".join(f"{name}://" for name in names if name not in _CLIENTS)


def _described(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist is not None else "a package"
    return f"{package} ({entry.value})"
