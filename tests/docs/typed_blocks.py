"""Check the types of the Python blocks in README.md and docs/, as ``mypy --strict`` sees them.

``python -m tests.docs.typed_blocks`` makes one module of each page, with every block on the lines where it stands in
the page, and runs mypy once over all of them: a complaint names the page and the line.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
NAMES = "MONGODB_URL: str; REDIS_URL: str"
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
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_PROMPT = re.compile(r"^(?:>>>|\.\.\.)(?: |$)")


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages whose blocks are checked."""
    docs = root / "docs"
    return [root / "README.md", *(page for page in sorted(docs.rglob("*.md")) if "_build" not in page.parts)]


def module_of(page: str) -> str:
    """Return the Python blocks of a page as one module, each on its own lines; empty if there are none."""
    lines = list(_code(page))
    if not any(lines):
        return ""
    return "\n".join([NAMES, *lines[1:]]) + "\n"


def _code(page: str) -> Iterator[str]:
    """Yield one line for each line of the page: of a Python block its code, of everything else nothing."""
    info: str | None = None
    indent, is_session = 0, False
    for line in page.splitlines():
        fence = _FENCE.match(line)
        if fence:
            info, indent, is_session = (fence["info"] if info is None else None), len(fence["indent"]), False
            yield ""
        elif info != "python":
            yield ""
        else:
            code = line[indent:]
            is_session = is_session or code.startswith(">>>")
            prompt = _PROMPT.match(code) if is_session else None
            yield code[prompt.end() :] if prompt else "" if is_session else code


def complaints(modules: Mapping[str, str]) -> list[str]:
    """Return what mypy says about modules, by the names of their pages: ``docs/a.md:12: error: …``.

    Raises:
        RuntimeError: mypy could not check them.
    """
    names = {re.sub(r"\W", "_", page.removesuffix(".md")): page for page in modules}
    with TemporaryDirectory() as folder:
        for name, page in names.items():
            Path(folder, f"{name}.py").write_text(modules[page], "utf-8")
        config = Path(folder, "mypy.ini")
        config.write_text(CONFIG, "utf-8")
        command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary", "--cache-dir"]
        command += [str(ROOT / ".mypy_cache" / "docs"), *(f"{name}.py" for name in names)]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stdout + done.stderr)
    return [re.sub(r"^(\w+)\.py", lambda found: names[found[1]], line) for line in done.stdout.splitlines()]


def main() -> int:
    """Check all pages; return the exit code."""
    modules = {page.relative_to(ROOT).as_posix(): module_of(page.read_text("utf-8")) for page in pages()}
    found = complaints({page: module for page, module in modules.items() if module})
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
