"""``Opaque``: free-form JSON whose keys may be anything, kept as text inside a document."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer


def _read(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            message = "opaque data given as text must be JSON"
            raise ValueError(message) from None
    return value


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


Opaque = Annotated[dict[str, Any], BeforeValidator(_read), PlainSerializer(_write, return_type=str, when_used="json")]
"""A map of any JSON values whose keys may hold dots or begin with ``$``; the store keeps it as one text.

No reference is ever looked for in it, and it cannot be filtered by.
"""
