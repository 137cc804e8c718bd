"""Why a server cannot be reached, as the drivers say it, and in words of our own."""

from __future__ import annotations

import pytest

from emco_store.backends.causes import cause_of

SAID = {
    "Error 111 connecting to 127.0.0.1:1. Connection refused.": ("refuses connections", True),
    "Error 111 connecting to 127.0.0.1:1. Connect call failed ('127.0.0.1', 1).": ("refuses connections", True),
    "127.0.0.1:1: [Errno 111] Connection refused (configured timeouts: connectTimeoutMS: 20000.0ms)": (
        "refuses connections",
        True,
    ),
    "Error 2 connecting to /nope.sock. No such file or directory.": ("refuses connections", True),
    "Error -2 connecting to nowhere.invalid:6379. Name or service not known.": ("no host of this name", True),
    "nowhere.invalid:27017: [Errno -3] Temporary failure in name resolution": ("cannot be resolved", False),
    "client is configured to connect to a replica set named 'a' but this node belongs to a set named 'b'": (
        "another replica set",
        True,
    ),
    "SSL handshake failed: 127.0.0.1:1: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred (_ssl.c:1006) "
    "(configured timeouts: connectTimeoutMS: 20000.0ms)": ("TLS", True),
    "Error 1 connecting to 127.0.0.1:1. [SSL: WRONG_VERSION_NUMBER] wrong version number.": ("TLS", True),
    "127.0.0.1:1: timed out (configured timeouts: connectTimeoutMS: 500.0ms)": ("in time", False),
    "Timeout connecting to server": ("in time", False),
    "Error 113 connecting to 10.0.0.1:1. No route to host.": ("no network", False),
    "Error 104 connecting to 127.0.0.1:1. Connection reset by peer.": ("closed the connection", False),
    "Connection closed by server.": ("closed the connection", False),
    "something new": ("does not answer", False),
}


@pytest.mark.parametrize("said", list(SAID))
def test_cause_is_read_from_what_a_driver_says(said):
    """The cause is named, and whether trying again at once can help."""
    text, is_outright = SAID[said]
    found = cause_of(said)

    assert text in found.text
    assert is_outright == found.is_outright


def test_secret_in_a_drivers_text_goes_no_further():
    """No part of the text is handed on."""
    assert "hunter2" not in cause_of("Error 5 at redis://u:hunter2@host").text
