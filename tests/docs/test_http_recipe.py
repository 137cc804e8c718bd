"""The recipe of change-safely.md over HTTP: a stale client loses, another incarnation of its name included."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emco_store import Key

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "change-safely.md"


@pytest.fixture
def page():
    """What the blocks of the page define, up to and including the recipe."""
    blocks = [part.partition("```")[0] for part in PAGE.read_text("utf-8").split("```python\n")[1:]]
    (last,) = [at for at, block in enumerate(blocks) if "class ProjectService" in block]
    names: dict = {}
    for block in blocks[: last + 1]:
        exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - the page's own code
    yield names
    names["store"].close()
    names["other"].close()


@pytest.fixture
def ask(page):
    """Send a request to a server that answers with the recipe's handlers; return status, ETag and body."""
    service = page["service"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._reply(*service.get(self.path.strip("/")))

        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._reply(*service.put(self.path.strip("/"), body, self.headers["If-Match"]))

        def _reply(self, status, etag, body):
            self.send_response(status)
            if etag:
                self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def ask(method, body=None, etag=None):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
            connection.request(method, "/p1", body, {} if etag is None else {"If-Match": etag})
            reply = connection.getresponse()
            found = reply.status, reply.headers["ETag"], reply.read().decode()
            connection.close()
            return found

        yield ask
        server.shutdown()
        thread.join()


def test_stale_client_overwrites_nothing(ask):
    """OCC-13: Of two clients that have read one state, the second to write is refused."""
    _, etag, _ = ask("GET")

    assert 200 == ask("PUT", "mine", etag)[0]
    assert 412 == ask("PUT", "late", etag)[0]
    assert (200, "mine") == ask("GET")[::2]


def test_client_of_a_deleted_resource_overwrites_no_new_one(ask, page):
    """OCC-13: The entity tag of a deleted resource is none of the resource that has its name now."""
    store, project = page["store"], page["Project"]
    store.delete(Key("App", "p1", "web"))
    store.delete(Key("Project", "p1"))
    store.create(project(name="p1", description="before"))
    _, etag, _ = ask("GET")
    store.delete(Key("Project", "p1"))
    store.create(project(name="p1", description="somebody else's"))

    assert 412 == ask("PUT", "stale", etag)[0]
    assert (200, "somebody else's") == ask("GET")[::2]


def test_client_without_a_tag_is_told_to_send_one(ask):
    """OCC-13: The recipe writes for nobody who has not said what they saw."""
    assert 428 == ask("PUT", "blind")[0]
