"""The tutorial about a worker that survives keeps its word, with the program as it stands there."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from emco_store import Key, connect

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "surviving-worker.md"
URL = "redis://127.0.0.1:6379/0"
NAMESPACE = 'namespace="farm"'
END = 400


@pytest.fixture
def program(tmp_path, redis_server):
    """The program of the page, for a server of the tests, and with less to add up."""
    text = PAGE.read_text("utf-8").partition("## Try it")[0]
    source = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    namespace = f"farm-{secrets.token_hex(6)}"
    for old, new in ((URL, redis_server.url), (NAMESPACE, f'namespace="{namespace}"'), ("10_000", str(END))):
        assert source.count(old) == 1
        source = source.replace(old, new)
    (tmp_path / "farm.py").write_text(source, "utf-8")
    return tmp_path / "farm.py", namespace


@contextmanager
def started(program, *arguments):
    """Start the program, and kill it at the end."""
    command = [sys.executable, program, *arguments]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}) as process:
        try:
            yield process
        finally:
            process.kill()


def until(is_so):
    """Wait until something is so; a minute is much longer than it takes."""
    end_s = monotonic() + 60
    while not is_so():
        assert monotonic() < end_s
        Event().wait(0.05)


@pytest.mark.redis
def test_worker_that_is_killed_is_followed_by_the_other_one(program, redis_server):
    """A worker is killed in the midst of its work, and the sum is right."""
    path, namespace = program
    with ExitStack() as stack, connect(redis_server.url, namespace=namespace) as store:

        def task():
            return store.get(Key("Task", "sum")).document

        with started(path, "create") as create:
            assert 0 == create.wait(60)
        stack.enter_context(started(path, "supervisor"))
        workers = {f"Worker/{name}": stack.enter_context(started(path, "worker", name)) for name in ("w1", "w2")}
        until(lambda: task()["number"] > 10)
        first = task()["worker"]
        workers[first].kill()
        until(lambda: task()["number"] == END)

        (second,) = workers.keys() - {first}
        assert (END * (END - 1) // 2, second) == (task()["total"], task()["worker"])
