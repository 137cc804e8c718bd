"""The check of the types in the documentation sees every block, and reports the lines of the page."""

from __future__ import annotations

from tests.docs.typed_blocks import complaints, module_of, pages

PAGE = """\
# A title

```python
x: int = "a"
```

- A list:

  ```python
  >>> y: int = "b"
  >>> for _ in ():
  ...     y + None
  2
  ```

```text
z: int = "c"
```
"""


def test_complaint_names_the_page_and_the_line():
    """A mistake in a block is reported where it stands, in sessions and in lists too, and text is no code."""
    found = [line.split(": error:")[0] for line in complaints({"docs/a-b.md": PAGE})]

    assert ["docs/a-b.md:4", "docs/a-b.md:10", "docs/a-b.md:12"] == found


def test_block_with_a_name_is_a_module_of_its_own():
    """Two blocks may be modules that import each other, and define what the rest of the page defines otherwise."""
    blocks = ["x = 1", "# one.py\nx = 'a'", "# two.py\nfrom one import x\nx + 1"]
    page = "# Title\n" + "".join(f"\n```python\n{block}\n```\n" for block in blocks)

    assert ["docs/a.md:15"] == [line.split(": error:")[0] for line in complaints({"docs/a.md": page})]


def test_page_without_code_is_no_module():
    """Prose and other languages make nothing to check."""
    assert "" == module_of("# Title\n\n```console\n$ ls\n```\n")


def test_every_page_with_code_is_checked():
    """The pages of the tests are the pages of the check."""
    named = [page.as_posix() for page in pages()]

    assert any(name.endswith("README.md") for name in named)
    assert any(name.endswith("docs/tutorial/first-store.md") for name in named)
