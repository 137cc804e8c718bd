"""A collection that an earlier release has made can be opened, because the form of what is stored does not change."""

from __future__ import annotations

import pytest
from pymongo import MongoClient

from emco_store import Resource, connect

pytestmark = pytest.mark.mongo

FIRST_INDEXES = (
    {"name": "referrers", "key": {"r": 1, "_id": 1}, "partialFilterExpression": {"r": {"$exists": True}}},
    {"name": "unique", "key": {"q": 1}, "unique": True, "sparse": True},
    {"name": "values", "key": {"i.$**": 1}},
    {"name": "ghosts", "key": {"x": 1}, "expireAfterSeconds": 3600, "sparse": True},
    {"name": "outcomes", "key": {"t": 1}, "expireAfterSeconds": 86_400, "sparse": True},
)
"""The indexes as the first release made them; see there what a change of one would need."""


class Town(Resource):
    """A kind to store."""


def test_collection_with_the_first_indexes_opens(mongo_server):
    """MongoDB refuses to make an index that is there under another name or with other options."""
    with MongoClient(mongo_server.url) as client:
        database = client["emco"]
        database.drop_collection("emco.upgraded")
        database.command({"createIndexes": "emco.upgraded", "indexes": list(FIRST_INDEXES)})

        with connect(mongo_server.url, namespace="upgraded") as store:
            store.create(Town(name="t"))
            flaws = store.check().flaws

        database.drop_collection("emco.upgraded")
    assert () == tuple(flaws)
