"""Arguments with which no store can be opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emco_store import (
    InvalidCall,
    InvalidModel,
    MemoryBackend,
    Misconfigured,
    NotSupported,
    StoreError,
    connect,
    connect_async,
)
from tests.bad_input.case import Case, check_error
from tests.bad_input.models import Zone
from tests.bad_input.test_classes import resource


async def open_async(target: Any, **options: Any) -> None:
    """Open a store for asyncio, which happens where its block begins."""
    async with connect_async(target, **options):
        pass


OPENERS: dict[str, Callable[..., object]] = {
    "sync": connect,
    "async": lambda target, **options: asyncio.run(open_async(target, **options)),
}


def opening(name: str, error: type[StoreError], target: Any = "memory://", **options: Any) -> Any:
    """Return one row of the table below."""
    return pytest.param(error, target, {"namespace": "n", **options}, id=name)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("error", "target", "options"),
    [
        opening("empty-namespace", InvalidCall, namespace=""),
        opening("namespace-with-a-space", InvalidCall, namespace="a b"),
        opening("namespace-with-a-slash", InvalidCall, namespace="a/b"),
        opening("namespace-with-a-dot", InvalidCall, namespace="a.b"),
        opening("namespace-with-a-dollar", InvalidCall, namespace="$a"),
        opening("namespace-with-braces", InvalidCall, namespace="{a}"),
        opening("namespace-with-a-star", InvalidCall, namespace="a*"),
        opening("namespace-with-a-colon", InvalidCall, namespace="a:b"),
        opening("namespace-with-a-dash-first", InvalidCall, namespace="-a"),
        opening("namespace-with-a-newline", InvalidCall, namespace="a\n"),
        opening("namespace-with-nul", InvalidCall, namespace="a\0"),
        opening("namespace-in-another-script", InvalidCall, namespace="\u00e9"),
        opening("namespace-of-64-characters", InvalidCall, namespace="a" * 64),
        opening("namespace-none", InvalidCall, namespace=None),
        opening("namespace-as-bytes", InvalidCall, namespace=b"a"),
        opening("max-bytes-zero", InvalidCall, max_bytes=0),
        opening("max-bytes-negative", InvalidCall, max_bytes=-1),
        opening("max-bytes-above-8-mib", InvalidCall, max_bytes=(8 << 20) + 1),
        opening("max-bytes-text", InvalidCall, max_bytes="1 MiB"),
        opening("max-bytes-none", InvalidCall, max_bytes=None),
        opening("max-bytes-true", InvalidCall, max_bytes=True),
        opening("max-records-zero", InvalidCall, max_records=0),
        opening("max-records-negative", InvalidCall, max_records=-5),
        opening("max-records-float", InvalidCall, max_records=1e6),
        opening("max-records-text", InvalidCall, max_records="many"),
        opening("require-unknown", InvalidCall, require="always"),
        opening("require-in-capitals", InvalidCall, require="VOLATILE"),
        opening("require-number", InvalidCall, require=3),
        opening("require-more-than-memory-gives", Misconfigured, require="local-1s"),
        opening("require-the-most", Misconfigured, require="majority"),
        opening("models-that-are-no-resources", InvalidCall, models=[dict]),
        opening("models-with-none", InvalidCall, models=[None]),
        opening("models-with-two-of-a-kind", InvalidModel, models=[Zone, resource("Zone")]),
        opening("models-that-are-one", InvalidCall, models=Zone),
        opening("unknown-scheme", NotSupported, "cassandra://localhost"),
        opening("web-address", NotSupported, "https://localhost"),
        opening("no-scheme", NotSupported, "localhost:6379"),
        opening("empty-address", NotSupported, ""),
        opening("scheme-alone", NotSupported, "://"),
        opening("memory-with-a-name", InvalidCall, "memory://shared"),
        opening("memory-with-an-option", InvalidCall, "memory://?size=1"),
        opening("address-none", NotSupported, None),
        opening("address-as-bytes", NotSupported, b"memory://"),
        opening("backend-class", NotSupported, MemoryBackend),
        opening("address-that-cannot-be-read", InvalidCall, "redis://[::1"),
    ],
)
def test_store_that_cannot_be_opened_is_refused(
    error: type[StoreError], target: Any, options: dict[str, Any], opener: str
):
    """DUR-2: What cannot be right, or is less than demanded, is refused before anything is opened."""
    with pytest.raises(StoreError) as caught:
        OPENERS[opener](target, **options)

    check_error(Case("open", "DUR-2", lambda _: None, error), caught.value)
