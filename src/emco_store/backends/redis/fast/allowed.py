"""When redis-py's connections may be used without its calls: an allow-list; whatever is not on it goes by public calls.

What redis-py does around a command is a duty of whoever goes around redis-py. The fast transports have been tested with
these versions and options, and have their duties: time-outs, and connections that were idle for too long.
"""

from __future__ import annotations

import select
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import redis
import redis.asyncio

OLDEST: Final = (6, 0)
NEWEST: Final = (8, 1)
"""The releases of redis-py with which the suite has run on these transports; patches of the newest count as tested."""
UNDERSTOOD: Final = frozenset(
    {
        *(
            "host",
            "port",
            "path",
            "db",
            "username",
            "password",
            "client_name",
            "driver_info",
            "lib_name",
            "lib_version",
        ),
        *("protocol", "retry", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_type"),
        *("socket_keepalive_options", "health_check_interval", "encoding", "encoding_errors", "legacy_responses"),
        *("ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname"),
        *("ssl_ciphers", "ssl_exclude_verify_flags", "ssl_include_verify_flags", "ssl_keyfile", "ssl_min_version"),
        *("ssl_password", "ssl_validate_ocsp", "ssl_validate_ocsp_stapled"),
        # Kept by redis-py itself from version 7 on. What a server announces by a push ends the fast transport.
        *("himport_registry", "maint_notifications_config", "maint_notifications_pool_handler", "event_dispatcher"),
        *("orig_host_address", "orig_socket_connect_timeout", "orig_socket_timeout"),
    }
)
"""Options of a connection that are over once it is open, or that the transports honour."""
_HOME: Final = Path(redis.__file__).parent
_WATCHED: Final = {
    "client": ("execute_command", "parse_response", "pipeline"),
    "connection": ("send_command", "send_packed_command", "read_response"),
    "pool": ("get_connection", "release"),
}
"""Public methods that instrumentation likes to replace, by the class that has them."""


def objection(client: Any) -> str:
    """Say why the fast transport may not be used with a client that a port has made; empty where it may."""
    version = tuple(int(part) for part in redis.__version__.split(".")[:3] if part.isdigit())
    if not version >= OLDEST or version[:2] > NEWEST or version == (8, 0, 0):
        tested = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
        return f"redis-py {redis.__version__} is not one of those tested ({tested})"
    if not hasattr(select, "poll"):
        return "this system cannot poll"
    home: Any = redis.asyncio if isinstance(client, redis.asyncio.Redis) else redis
    pool = client.connection_pool
    known = {home.Connection, home.SSLConnection, home.UnixDomainSocketConnection}
    if type(client) is not home.Redis or type(pool) is not home.ConnectionPool or pool.connection_class not in known:
        return "the client, its pool or its connections are of another class"
    unknown = sorted(pool.connection_kwargs.keys() - UNDERSTOOD)
    if unknown:
        return f"the client has options that this transport does not handle: {', '.join(unknown)}"
    if getattr(pool, "cache", None) is not None:
        return "the client caches"
    return _replaced(client)


def is_watched(client: Any) -> str:
    """Say who listens to the commands of a client by now; empty where nobody does."""
    if "execute_command" in client.__dict__ or not _is_original(client.__class__.execute_command):
        return "something has been put in the place of redis-py's execute_command"
    if _PROVIDER is not None and _PROVIDER().get_provider_manager() is not None:
        return "redis-py's metrics are switched on"
    return ""


def _replaced(client: Any) -> str:
    owners: dict[str, Any] = {
        "client": type(client),
        "connection": client.connection_pool.connection_class,
        "pool": type(client.connection_pool),
    }
    for kind, names in _WATCHED.items():
        for name in names:
            if not _is_original(getattr(owners[kind], name, None)):
                return f"something has been put in the place of redis-py's {owners[kind].__name__}.{name}"
    return is_watched(client)


@lru_cache(maxsize=64)
def _is_original(method: Any) -> bool:
    """Check, once for each, that a method is a plain function of redis-py's own files."""
    return isinstance(method, FunctionType) and method.__code__.co_filename.startswith(f"{_HOME}/")


def _provider() -> Any:
    """Return what says whether redis-py's metrics are on; None for a redis-py without them."""
    try:
        return import_module("redis.observability").get_observability_instance
    except (ImportError, AttributeError):
        return None


_PROVIDER: Final = _provider()
