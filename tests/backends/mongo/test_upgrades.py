"""A collection that an earlier release has made can be opened, because the form of what is stored does not change."""

from __future__ import annotations

from typing import Annotated

import pytest
from pymongo import MongoClient

from emco_store import Resource, UniqueViolation, connect, unique

pytestmark = pytest.mark.mongo

FIRST_INDEXES = (
    {"name": "referrers", "key": {"r": 1, "_id": 1}, "partialFilterExpression": {"r": {"$exists": True}}},
    {"name": "unique", "key": {"q": 1}, "unique": True, "sparse": True},
    {"name": "values", "key": {"i.$**": 1}},
    {"name": "ghosts", "key": {"x": 1}, "expireAfterSeconds": 3600, "sparse": True},
    {"name": "outcomes", "key": {"t": 1}, "expireAfterSeconds": 86_400, "sparse": True},
    {"name": "pulses", "key": {"b": 1}, "sparse": True},
)
"""The indexes that earlier releases made whenever a store was opened, those of leases among them later on."""


class Town(Resource):
    """A kind to store."""

    code: Annotated[str | None, unique()] = None


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


def test_earlier_release_opens_a_namespace_of_this_one(mongo_server):
    """Both make the same indexes, one of them later, so they work side by side (ID-6)."""
    with MongoClient(mongo_server.url) as client:
        database = client["emco"]
        with connect(mongo_server.url, namespace="mixed") as store:
            store.create(Town(name="t"))
            database.command({"createIndexes": "emco.mixed", "indexes": list(FIRST_INDEXES)})  # as it opens one
            store.create(Town(name="u", code="1"))

            with pytest.raises(UniqueViolation):
                store.create(Town(name="v", code="1"))

        names = database["emco.mixed"].index_information().keys()
        database.drop_collection("emco.mixed")
    assert {"_id_", *(index["name"] for index in FIRST_INDEXES)} == names
