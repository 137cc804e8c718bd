"""What pytest loads before anything else: the plugins for servers and contract, and the documentation's code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from sybil.sybil import SybilCollection

from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from emco_store.backends.redis.commands import Names

pytest_plugins = ["tests.servers.plugin", "tests.parallel", "emco_store.contracts.plugin"]

ON_MONGODB = ["docs/how-to/from-beanie.md", "docs/how-to/from-pymongo.md"]
ON_REDIS = ["docs/how-to/from-redis-om.md", "docs/how-to/heartbeats-by-process.md"]
ON_FILES = ["docs/tutorial/first-store.md", "docs/reference/sqlite.md"]
ON_BOTH = ["docs/how-to/share-a-client.md"]
ON_BROKERS = ["docs/how-to/run-a-relay.md"]
"""Pages whose blocks need servers (``MONGODB_URL``, ``REDIS_URL``, ``NATS_URL``) or a folder for files."""


def _pages(patterns: Sequence[str], *, fixtures: Sequence[str] = (), excludes: Sequence[str] = ()) -> Sybil:
    """Make each block a test; the blocks of one page share a namespace, as a reader would type them."""
    return Sybil(
        parsers=[PythonCodeBlockParser(), SkipParser()],
        patterns=patterns,
        excludes=["docs/_build/**", *excludes],
        fixtures=fixtures,
    )


pytest_collect_file = SybilCollection(
    [
        _pages(
            ["README.md", "docs/**/*.md", "docs/*.md"],
            excludes=[*ON_MONGODB, *ON_REDIS, *ON_FILES, *ON_BOTH, *ON_BROKERS],
        ),
        _pages(ON_FILES, fixtures=["IN_A_FOLDER"]),
        _pages(ON_MONGODB, fixtures=["MONGODB_URL"]),
        _pages(ON_REDIS, fixtures=["REDIS_URL"]),
        _pages(ON_BOTH, fixtures=["MONGODB_URL", "REDIS_URL"]),
        _pages(ON_BROKERS, fixtures=["REDIS_URL", "NATS_URL"]),
    ]
).pytest()


@pytest.fixture(scope="session")
def MONGODB_URL(servers: Any) -> Iterator[str]:  # noqa: N802 - the name that the pages use
    """The replica set of this run, without what the pages wrote: namespaces ``docs-…``, the database ``old_docs``."""
    url: str = servers.get("mongo").url
    with MongoClient[dict[str, Any]](url) as client:
        for name in client[DATABASE].list_collection_names(filter={"name": {"$regex": f"^{collection('docs-')}"}}):
            client[DATABASE].drop_collection(name)
        client.drop_database("old_docs")
        yield url
        client.drop_database("old_docs")


@pytest.fixture(scope="session")
def REDIS_URL(servers: Any) -> Iterator[str]:  # noqa: N802 - the name that the pages use
    """The Redis of this run, without what the pages wrote: namespaces ``docs-…``, keys ``old-docs:…``."""
    url: str = servers.get("redis").url
    with Redis.from_url(url) as client:
        for pattern in (Names("docs-*").key("*"), "old-docs:*"):
            for key in list(client.scan_iter(pattern)):
                client.delete(key)
        yield url


@pytest.fixture(scope="session")
def folder_of_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the files of pages."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def IN_A_FOLDER(folder_of_pages: Path) -> Iterator[Path]:  # noqa: N802 - beside those above
    """Work in that folder."""
    before = Path.cwd()
    os.chdir(folder_of_pages)
    yield folder_of_pages
    os.chdir(before)


@pytest.fixture(scope="session")
def NATS_URL(servers: Any) -> str:  # noqa: N802 - the name that the pages use
    """The NATS of this run."""
    url: str = servers.get("nats").url
    return url
