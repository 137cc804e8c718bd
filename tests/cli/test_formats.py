"""JSON and YAML of the command line: nothing in them steers a terminal, and reading gives back what was written."""

from __future__ import annotations

import json

import pytest
import yaml

from emco_store.cli.formats import write_json, write_yaml
from tests.cli.conftest import start

HOSTILE = [
    "\x1b[31m",
    "\x9b31m",
    "a\x85b",
    "plain\x85",
    "\x7f",
    "\u2028\u2029",
    "\u202eabc",
    "a\x85\nb",
    "\ufeff",
    "\x00",
]
UNSEEN = [chr(code) for code in (*range(0xD800), *range(0xE0000, 0xE0100)) if not chr(code).isprintable()]
VERBS = {
    "get": ["Project/p", "-o", "json"],
    "get as YAML": ["Project/p", "-o", "yaml"],
    "list": ["Project", "-o", "json"],
    "export": [],
    "export as JSON": ["--format", "json"],
}
BUNDLE = r"""
version: emco/v2
resourceContext: {anchor: projects}
metadata: {name: p, description: "x\x9B31my\x1B[2Jz\u202E"}
"""


@pytest.mark.parametrize(
    ("write", "read"), [(write_json, json.loads), (write_yaml, yaml.safe_load)], ids=["json", "yaml"]
)
def test_output_holds_no_control_character_and_reads_back(write, read):
    """Every character that is not printable is an escape, in keys and in values; reading gives the same text."""
    for text in [*HOSTILE, "".join(UNSEEN), "é 漢 \U0001f600"]:
        value = {"key": text, text: [text]}

        written = write(value)

        assert all(character == "\n" or character.isprintable() for character in written), ascii(text)
        assert value == read(written), ascii(text)


@pytest.mark.parametrize("verb", VERBS)
def test_hostile_document_reaches_no_terminal(tmp_path, verb):
    """What a document holds cannot steer the terminal of a person who looks at it."""
    bundle = tmp_path / "hostile.yaml"
    bundle.write_text(BUNDLE, "utf-8")

    process = start(verb.partition(" ")[0], *VERBS[verb], "--load", str(bundle))
    out, err = process.communicate(timeout=60)

    assert 0 == process.returncode, err
    assert "31my" in out
    assert not {"\x9b", "\x1b", "\u202e"} & set(out)
