"""What type checkers know of followers, caches and controllers."""

from __future__ import annotations

from typing import Any, assert_type

from emco_store import AsyncStore, AsyncWork, Controller, News, Resource, Store, Work


class Order(Resource):
    """A resource."""

    total: int = 0


class Invoice(Resource):
    """Another one."""


def followers(store: Store) -> None:
    assert_type(next(store.follow(Order)), News[Order])
    assert_type(next(store.follow("Order")), News[Any])
    with store.follow(Order).cache(index={"total": lambda order: order.total}) as cache:
        assert_type(cache.get("a"), Order)
        assert_type(cache.find("a"), Order | None)
        assert_type(cache.list(), tuple[Order, ...])
        assert_type(cache.by("total", 1), tuple[Order, ...])


def reconcile(work: Work[Order]) -> None:
    assert_type(work.resource, Order | None)
    assert_type(work.cache.get("a"), Order)


def controllers(store: Store) -> None:
    assert_type(Controller(store, Order, reconcile, also={Invoice: lambda _: []}), Controller[Order])


async def async_followers(store: AsyncStore) -> None:
    async for news in store.follow(Order):
        assert_type(news, News[Order])
    async with store.follow(Order).cache() as cache:
        assert_type(cache.get("a"), Order)


async def async_reconcile(work: AsyncWork[Order]) -> None:
    assert_type(work.resource, Order | None)
