"""What the page about checks says of the servers holds on real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis import Redis

from emco_store import Misconfigured, connect
from emco_store.backends.redis.server import acl_line
from tests.checking.scenes import MODELS, checked, fill, repair_all
from tests.servers.process import ServerMissing
from tests.servers.redis_nodes import own_redis

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "check-and-repair.md").read_text("utf-8")
ACL = re.search(r"^ACL .+$", PAGE, re.MULTILINE).group()


@pytest.fixture
def raw(redis_server):  # noqa: ARG001 - it skips or fails where there is no Redis
    """A Redis server whose users may be changed, and the user of a service on it."""
    try:
        with own_redis() as node, Redis.from_url(node.url) as client:
            client.execute_command(*f"ACL SETUSER shop on >change-me {acl_line('shop')}".split())
            client.url = node.url.replace("redis://", "redis://shop:change-me@")
            yield client
    except ServerMissing as problem:
        pytest.skip(str(problem))


@pytest.mark.redis
def test_redis_user_of_a_service_needs_the_commands_of_the_page(raw):
    """Without them a check says what is missing; with them it finds and repairs."""
    with connect(raw.url, namespace="shop", models=MODELS) as store:
        fill(store)
        with pytest.raises(Misconfigured) as caught:
            checked(store)
        raw.execute_command(*ACL.split())
        raw.zadd("{emco:shop}:index", {"garbage": 0})
        raw.set("{emco:shop}:tx:t", "committed")

        assert 2 == len(checked(store))
        assert [] == repair_all(store)
    assert "acl" == caught.value.setting
