"""Check the types of the Python blocks in README.md and docs/, as ``mypy --strict`` sees them.

``python -m tests.docs.typed_blocks`` makes one module of each page, with every block on the lines where it stands in
the page, and runs mypy once over all of them: a complaint names the page and the line. A block that begins with
``# NAME.py`` is a module of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
NAMES = "MONGODB_URL: str; REDIS_URL: str; NATS_URL: str"
"""What the tests give to pages that talk to servers; it takes the line of the title."""
CONFIG = f"""\
[mypy]
strict = true
mypy_path = {ROOT / "src"}:{ROOT}
untyped_calls_exclude = redis
[mypy-beanie.*,redis_om.*,my_backend]
ignore_missing_imports = true
[mypy-docs_how_to_from_beanie,docs_how_to_from_redis_om]
disallow_subclassing_any = false
disable_error_code = call-arg
"""
"""Some of redis-py has no types. Other mappers and the backend of a reader are not installed here."""
_OWN = re.compile(r"# (?P<name>\w+)\.py$")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_PROMPT = re.compile(r"^(?:>>>|\.\.\.)(?: |$)")


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages whose blocks are checked."""
    docs = root / "docs"
    return [root / "README.md", *(page for page in sorted(docs.rglob("*.md")) if "_build" not in page.parts)]


def module_of(page: str) -> str:
    """Return the Python blocks of a page as one module, each on its own lines; empty if there are none."""
    return modules_of("", page).get("", "")


def modules_of(name: str, page: str) -> dict[str, str]:
    """Return the modules of a page by name: one for most blocks, and one for each block that begins ``# NAME.py``."""
    lines = page.splitlines()
    modules = {name: [""] * len(lines)}
    for number, block in _blocks(lines):
        own = _OWN.match(block[0])
        into = modules.setdefault(own["name"], [""] * len(lines)) if own else modules[name]
        into[number : number + len(block)] = block
    found = {name: "\n".join(code) + "\n" for name, code in modules.items() if any(code)}
    return found | ({name: NAMES + found[name]} if name in found else {})


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the code of each Python block with the number of its first line, from 0."""
    begin, info, indent = 0, None, 0
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and info is None:
            begin, info, indent = number + 1, fence["info"], len(fence["indent"])
        elif fence:
            if info == "python" and begin < number:
                yield begin, list(_code([line[indent:] for line in lines[begin:number]]))
            info = None


def _code(block: Sequence[str]) -> Iterator[str]:
    """Yield one line for each line of a block: of a session only what is typed."""
    is_session = block[0].startswith(">>>")
    for line in block:
        prompt = _PROMPT.match(line) if is_session else None
        yield line[prompt.end() :] if prompt else "" if is_session else line


def complaints(pages: Mapping[str, str]) -> list[str]:
    """Return what mypy says about the pages, by their names: ``docs/a.md:12: error: …``.

    Raises:
        RuntimeError: mypy could not check them.
    """
    pages_by_module: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        for page, text in pages.items():
            for name, module in modules_of(re.sub(r"\W", "_", page.removesuffix(".md")), text).items():
                pages_by_module[name] = page
                Path(folder, f"{name}.py").write_text(module, "utf-8")
        config = Path(folder, "mypy.ini")
        config.write_text(CONFIG, "utf-8")
        command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary", "--cache-dir"]
        command += [str(ROOT / ".mypy_cache" / "docs"), *(f"{name}.py" for name in pages_by_module)]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stdout + done.stderr)
    return [re.sub(r"^(\w+)\.py", lambda found: pages_by_module[found[1]], line) for line in done.stdout.splitlines()]


def main() -> int:
    """Check all pages; return the exit code."""
    found = complaints({page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in pages()})
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
