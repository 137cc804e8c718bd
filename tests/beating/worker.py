"""A worker: takes a lease, does what it is told line by line, and answers each line.

``python -m tests.beating.worker URL NAMESPACE NAME [thread | process] [STALL_S]``
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
from datetime import timedelta
from typing import Annotated

from emco_store import SET_NULL, LeaseLost, Ref, Resource, connect, connect_async, on_expire
from emco_store.beating.held import state_of

TTL = timedelta(seconds=2)


class Worker(Resource, lease=TTL):
    """What is leased."""


class Duty(Resource):
    """What is free after the end of the lease."""

    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None
    steps: int = 0


def say(text):
    """Answer."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def beating_process(store):
    """Return the id of the process that beats for a store; None if there is none."""
    attendance = store._beater._attendance
    child = attendance and attendance._running
    return child and child._process.pid


def wait_until_attended(store, lease, but=None):
    """Wait until a process beats for a lease, another one than that, and return its id."""
    while not state_of(lease).is_attended(lease.ttl) or beating_process(store) in {but, None}:
        threading.Event().wait(0.01)
    return beating_process(store)


def wait_until_told(store):
    """Wait until the process, which may still be starting, has been told of the lease; return its id."""
    attendance = store._beater._attendance
    while not attendance._told or attendance._unsent:
        threading.Event().wait(0.01)
    return beating_process(store)


def step(store, lease, name):
    """Commit one step under the lease; say whether that was possible."""

    def commit(tx):
        tx.require(lease)
        duty = tx.get(Duty, name)
        tx.update(duty.model_copy(update={"steps": duty.steps + 1}))

    return is_held(lambda: store.run(commit))


def is_held(call):
    """Say whether a call finds the lease held."""
    try:
        call()
    except LeaseLost:
        return "lost"
    return "held"


def hold(seconds):
    """Hold the lock of the interpreter, as code in C does that never lets it go."""
    ctypes.PyDLL(None).usleep(int(float(seconds) * 1_000_000))


def obey(store, lease, name, line):
    """Do what a line says; return the answer."""
    order, *arguments = line.split()
    orders = {
        "attended": lambda *but: wait_until_attended(store, lease, *map(int, but)),
        "told": lambda: wait_until_told(store),
        "check": lambda: is_held(lease.check),
        "step": lambda: step(store, lease, name),
        "hold": lambda seconds: (hold(seconds), is_held(lease.check))[1],
        "fork": lambda: fork(store, lease, name),
        "fork-in-c": fork_in_c,
    }
    return orders[order](*arguments)


def fork(store, lease, name):
    """Fork a child that has everything this process has, and lives until it is killed; return its id and findings."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, f"{is_held(lease.check)} {step(store, lease, name)}".encode())
        while True:
            threading.Event().wait()
    os.close(writing)
    return f"{child} {os.read(reading, 100).decode()}"


def fork_in_c():
    """Fork a child as code in C does, which calls nothing of Python's: its files stay open; return its id."""
    library = ctypes.PyDLL(None)
    child = library.fork()
    while child == 0:
        library.pause()
    return child


def main(url, namespace, name, heartbeat="process", stall_s=""):
    """Hold a lease, and obey."""
    stall_after = timedelta(seconds=float(stall_s)) if stall_s else None
    with (
        connect(url, namespace=namespace, models=[Worker, Duty]) as store,
        store.lease(Worker(name=name), heartbeat=heartbeat, stall_after=stall_after) as lease,
    ):
        say("holds")
        for line in sys.stdin:
            say(obey(store, lease, name, line))


async def main_async(url, namespace, name):
    """Hold a lease with asyncio until killed, in a loop that is busy."""
    async with (
        connect_async(url, namespace=namespace, models=[Worker, Duty]) as store,
        store.lease(Worker(name=name), heartbeat="process") as lease,
    ):
        say(wait_until_attended(store, lease))
        await asyncio.Event().wait()


def serve(url, namespace, *names):
    """Be a server that loads the program, opens a store, and then forks its workers, as gunicorn does with preload."""
    store = connect(url, namespace=namespace, models=[Worker, Duty])
    with store.lease(Worker(name="parent"), heartbeat="process") as lease:
        wait_until_attended(store, lease)
        for name in names:
            child = os.fork()
            if child == 0:
                with store.lease(Worker(name=name), heartbeat="process") as own:
                    say(f"{os.getpid()} {wait_until_attended(store, own)} {is_held(lease.check)}")
                    while True:
                        threading.Event().wait()
        for _ in names:
            os.wait()
        say("all gone")
        sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "asyncio":
        asyncio.run(main_async(*sys.argv[2:]))
    elif sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
