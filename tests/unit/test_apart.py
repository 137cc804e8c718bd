"""What outlives its caller in a task of its own, until a port is closed."""

import asyncio

from emco_store.backends.apart import Apart


def test_close_waits_for_what_is_done_with_a_result_that_nobody_wants():
    """A connection that arrives while the port is being closed is given back, not lost."""
    given_back: list[str] = []

    async def connect(has_arrived: asyncio.Event) -> str:
        await has_arrived.wait()
        return "connection"

    async def give_back(connection: str) -> None:
        await asyncio.sleep(0)
        given_back.append(connection)

    async def scenario() -> None:
        apart, has_arrived = Apart(), asyncio.Event()
        caller = asyncio.create_task(apart.wait(apart.begin(connect(has_arrived)), 5, give_back))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait({caller})
        closing = asyncio.create_task(apart.close())
        await asyncio.sleep(0)
        has_arrived.set()
        await closing

    asyncio.run(scenario())

    assert ["connection"] == given_back
