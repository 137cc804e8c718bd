"""JSON and YAML for programs and people, without characters that could steer a terminal.

Control characters (C0 and C1), line separators, and marks that change the direction of text are written as escapes.
Reading the output gives back the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import yaml

_SUSPECT = re.compile(r"[^\x20-\x7e\n]")


def write_json(value: Any, *, indent: int | None = 2, sort_keys: bool = False) -> str:
    """Return JSON, without a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys)
    return _escaped(text, lambda character: json.dumps(character)[1:-1])


def write_yaml(value: Any, *, sort_keys: bool = False) -> str:
    """Return YAML."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=120)
    return _escaped(text, lambda character: f"\\U{ord(character):08X}")


def write_value(value: Any, output: str) -> str:
    """Return a whole answer for programs: JSON if ``output`` is ``json``, else YAML."""
    return write_json(value) + "\n" if output == "json" else write_yaml(value)


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    """Escape characters that are not printable, except newlines, which belong to the format."""
    return _SUSPECT.sub(lambda found: found[0] if found[0].isprintable() else escape(found[0]), text)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the same value twice is two values
        """Write out each value."""
        return True


def _write_text(dumper: Any, text: str) -> Any:
    """Choose the style: YAML has escapes only between double quotes."""
    lines = text.split("\n")
    style = '"' if not all(map(str.isprintable, lines)) else "|" if len(lines) > 1 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_text)
