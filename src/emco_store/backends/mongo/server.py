"""What a MongoDB server must be, read from its own report; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.indexes import OUTCOMES_KEPT
from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import Durability, Guarantees

OLDEST = (6, 0)


def guarantees(hello: Mapping[str, Any], version: str) -> Guarantees:
    """Judge a server by its ``hello`` and its version.

    Raises:
        NotSupported: It is too old, or a router of a sharded cluster.
        Misconfigured: It stands alone, so it has no transactions.
    """
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise NotSupported(f"MongoDB {version} is too old.", hint="use MongoDB 6.0 or newer.")
    if hello.get("msg") == "isdbgrid":
        raise NotSupported(
            "This is a sharded cluster, and the promises are not proven there.", hint="connect to a replica set."
        )
    if "setName" not in hello:
        raise Misconfigured(
            "This MongoDB server stands alone, and only a replica set has transactions.",
            hint="start it with --replSet NAME and run rs.initiate(); a set of one server is enough.",
            setting="replSet",
        )
    return Guarantees("mongodb", "strict serializable", Durability.MAJORITY, OUTCOMES_KEPT, leases=True, feed=True)


def role(database: str, namespace: str) -> dict[str, Any]:
    """Return the command that makes the role of a user of one namespace, with the fewest privileges that a store needs.

    It is for ``db.runCommand`` on the database. ``createIndex`` is needed to open a store, and for the first unique
    or indexed value and the first look for leases that are due; ``changeStream`` to read its feed. A store ends the
    session of a lost commit, and needs no privilege for that, since it is its own.

    A client that dies in a commit blocks the records that it wrote until the server ends its transaction, after
    ``transactionLifetimeLimitSeconds``: 60 by default, and 5 is enough for every store.
    """
    return {
        "createRole": f"emco-store-{namespace}",
        "privileges": [
            {
                "resource": {"db": database, "collection": collection(namespace)},
                "actions": ["find", "insert", "update", "remove", "createIndex", "changeStream"],
            }
        ],
        "roles": [],
    }
