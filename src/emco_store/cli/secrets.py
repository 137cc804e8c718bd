"""Secrets: hide what may be one in a URL."""

from __future__ import annotations

import re

_BEFORE_HOST = re.compile(r"(?<=://)[^\n]*@")
"""Up to the last ``@`` of the line: a password that is not escaped may contain anything."""
_OPTION = re.compile(r"([?&][^=&\s]*(?:password|secret|token|properties)[^=&\s]*=)[^&\s'\"]*", re.IGNORECASE)


def masked(text: str) -> str:
    """Hide user, password and secret options of every URL in a text."""
    return _OPTION.sub(r"\1***", _BEFORE_HOST.sub("***@", text))
