"""README.md is also the page of the package on an index, where the files of the checkout are not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def relative_links(text: str) -> list[str]:
    """Return the targets of links and pictures that lead to files of the checkout."""
    inline = re.findall(r"\]\(\s*<?([^)\s>]+)", text)
    named = re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)
    html = re.findall(r"""(?:href|src)=["']([^"']+)""", text)
    return [target for target in [*inline, *named, *html] if not re.match(r"https?://|mailto:|#", target)]


def test_links_of_the_readme_work_outside_of_a_checkout():
    """No link in README.md leads to a file beside it."""
    assert [] == relative_links((ROOT / "README.md").read_text("utf-8"))


def test_pages_that_the_readme_names_exist():
    """A path in README.md is that of a file or folder."""
    text = (ROOT / "README.md").read_text("utf-8")
    named = re.findall(r"`((?:docs/)?[\w./-]*(?:\.md|/))`", text)

    assert named
    assert [] == [name for name in named if not (ROOT / name).exists() and not (ROOT / "docs/how-to" / name).exists()]


def test_relative_link_is_seen():
    """The rule above bites, for every way to write a link."""
    text = '[a](docs/a.md) ![b](b.svg)\n[c]: c.md\n<img src="d.png"> [e](https://example.org) [f](#f)'

    assert ["docs/a.md", "b.svg", "c.md", "d.png"] == relative_links(text)
