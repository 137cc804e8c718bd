"""A client of an application, without a server in between."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

SERVICE = Path(__file__).parents[2] / "examples" / "service" / "service.py"


class Caller:
    """Sends requests to an application in a loop of its own."""

    def __init__(self, runner, client):
        self._runner = runner
        self._client = client

    def __call__(self, method, path, **options):
        """Send one request."""
        return self._runner.run(self._client.request(method, path, **options))

    def run(self, work):
        """Run something else in the loop of the application."""
        return self._runner.run(work)


@contextmanager
def calling(app):
    """Start an application, and stop it at the end."""
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://service")
        try:
            yield Caller(runner, client)
        finally:
            runner.run(client.aclose())
            runner.run(lifespan.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def service():
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("service_example", SERVICE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["service_example"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def namespace():
    """A namespace that nobody else uses."""
    return f"test-{os.urandom(6).hex()}"
