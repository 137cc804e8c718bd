"""The synchronous twins: generated from the asynchronous sources, and proven equal to them.

``python -m tests.architecture.twins write`` generates, ``… check`` reports every difference. The generator edits
tokens, so comments stay where they are; the check compares syntax trees and file sets, and shares only the table of
names with the generator.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]

PAIRS: Final = (
    ("src/emco_store/_aio", "src/emco_store/_sync"),
    ("src/emco_store/ports/aio.py", "src/emco_store/ports/sync.py"),
    ("src/emco_store/backends/mongo/aio.py", "src/emco_store/backends/mongo/sync.py"),
    ("src/emco_store/backends/mongo/aio_feed.py", "src/emco_store/backends/mongo/sync_feed.py"),
    ("src/emco_store/backends/mongo/aio_gets.py", "src/emco_store/backends/mongo/sync_gets.py"),
    ("src/emco_store/backends/mongo/aio_indexes.py", "src/emco_store/backends/mongo/sync_indexes.py"),
    ("src/emco_store/backends/mongo/aio_pulses.py", "src/emco_store/backends/mongo/sync_pulses.py"),
    ("src/emco_store/backends/mongo/aio_transport.py", "src/emco_store/backends/mongo/sync_transport.py"),
    ("src/emco_store/backends/mongo/fast/aio.py", "src/emco_store/backends/mongo/fast/sync.py"),
    ("src/emco_store/backends/redis/aio.py", "src/emco_store/backends/redis/sync.py"),
    ("src/emco_store/backends/redis/aio_transport.py", "src/emco_store/backends/redis/sync_transport.py"),
    ("src/emco_store/sinks/aio_redis.py", "src/emco_store/sinks/sync_redis.py"),
    ("src/emco_store/backends/redis/aio_feed.py", "src/emco_store/backends/redis/sync_feed.py"),
    ("src/emco_store/backends/redis/aio_waits.py", "src/emco_store/backends/redis/sync_waits.py"),
)
"""Source and twin: two folders or two files."""

RENAMES: Final[Mapping[str, str]] = {
    "AsyncAttempt": "Attempt",
    "AsyncAttempts": "Attempts",
    "AsyncBackground": "Background",
    "AsyncBatcher": "Batcher",
    "AsyncBlock": "Block",
    "AsyncCache": "Cache",
    "AsyncCalls": "Calls",
    "AsyncConsumer": "Consumer",
    "AsyncConsumers": "Consumers",
    "AsyncConsuming": "FeedConsuming",
    "AsyncController": "Controller",
    "AsyncChannel": "Channel",
    "AsyncExports": "Exports",
    "AsyncFastTransport": "FastTransport",
    "AsyncFeed": "MongoFeed",
    "AsyncGets": "Gets",
    "AsyncHandler": "Handler",
    "AsyncFollow": "Follow",
    "AsyncFollower": "Follower",
    "AsyncFollows": "Follows",
    "AsyncHistories": "Histories",
    "AsyncIndexes": "MongoIndexes",
    "AsyncIteration": "Iteration",
    "AsyncLeaseRequirements": "LeaseRequirements",
    "AsyncLeases": "Leases",
    "AsyncLeading": "Leading",
    "AsyncLifecycles": "Lifecycles",
    "AsyncLooks": "Looks",
    "AsyncMongoPort": "MongoPort",
    "AsyncOpenedStore": "OpenedStore",
    "AsyncOnGap": "OnGap",
    "AsyncMigrations": "Migrations",
    "AsyncOrigins": "Origins",
    "AsyncPlainTransport": "PlainTransport",
    "AsyncPort": "Port",
    "AsyncPortBase": "PortBase",
    "AsyncPortWrapper": "PortWrapper",
    "AsyncPulses": "MongoPulses",
    "AsyncRedisClient": "RedisClient",
    "AsyncRedisPort": "RedisPort",
    "AsyncRetrying": "Retrying",
    "AsyncReadingStore": "ReadingStore",
    "AsyncReaper": "Reaper",
    "AsyncRedisSink": "RedisSink",
    "AsyncRegistering": "Registering",
    "AsyncRelay": "Relay",
    "AsyncRelays": "Relays",
    "AsyncReset": "Reset",
    "AsyncSink": "Sink",
    "AsyncStatusReports": "StatusReports",
    "AsyncSignal": "Signal",
    "AsyncStatuses": "Statuses",
    "AsyncStore": "Store",
    "AsyncStreamFeed": "StreamFeed",
    "AsyncSupervisor": "Supervisor",
    "AsyncTaking": "Taking",
    "AsyncTransaction": "Transaction",
    "AsyncTransitions": "Transitions",
    "AsyncTransport": "Transport",
    "AsyncWaiter": "Waiter",
    "AsyncWaits": "Waits",
    "AsyncWatch": "Watch",
    "AsyncWatches": "Watches",
    "AsyncWork": "Work",
    "_AsyncFastTransaction": "_FastTransaction",
    "_AsyncPinned": "_Pinned",
    "_AsyncPlainTransaction": "_PlainTransaction",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "StopAsyncIteration": "StopIteration",
    "_aio": "_sync",
    "aclose": "close",
    "aio_feed": "sync_feed",
    "aio_gets": "sync_gets",
    "aio_indexes": "sync_indexes",
    "aio_pulses": "sync_pulses",
    "aio_transport": "sync_transport",
    "aio_waits": "sync_waits",
    "awaited_answer": "finished_answer",
    "async_pause": "pause",
    "asyncio": "time",
    "awaited": "finished",
    "connect_async": "connect",
}
"""Every name that differs between a source and its twin. One that no source uses is reported."""

UNWRAPPED: Final = {"Awaitable"}
"""Generic types that vanish around what they wrap: ``Awaitable[T]`` is ``T`` in a twin."""

_WORD: Final = re.compile(r"\w+")
_ASYNC_IN_PROSE: Final = re.compile(r"\b(?:async (?=(?:with|for|def)\b)|await (?=[\w.]+\()|asyncio (?=port\b))")
_PROSE: Final = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_OPENING: Final = {*"([{"}
_CLOSING: Final = {*")]}"}


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def check(root: Path, pairs: Sequence[tuple[str, str]] = PAIRS, renames: Mapping[str, str] = RENAMES) -> list[str]:
    """Return one line for each way in which a twin is not its source's twin.

    Args:
        root: The folder that the paths in ``pairs`` start from.
        pairs: Sources and their twins.
        renames: The names that differ.
    """
    problems: list[str] = []
    used: set[str] = set()
    for source_root, twin_root in pairs:
        sources, twins = _modules(root / source_root), _modules(root / twin_root)
        if not sources:
            problems.append(f"{source_root}: no module there, so nothing was compared")
        problems += [f"{twin_root}/{name}: its source is gone: delete it" for name in twins.keys() - sources.keys()]
        problems += [f"{twin_root}/{name}: missing" for name in sources.keys() - twins.keys()]
        for name in sorted(sources.keys() & twins.keys()):
            problems += [f"{twin_root}/{name}: {text}" for text in _differences(sources[name], twins[name], renames)]
        used.update(*(_WORD.findall(path.read_text("utf-8")) for path in sources.values()))
    problems += [f"RENAMES: no source uses {name!r}: remove it" for name in renames if name not in used]
    return sorted(problems)


def write(root: Path, pairs: Sequence[tuple[str, str]] = PAIRS, renames: Mapping[str, str] = RENAMES) -> list[Path]:
    """Generate every twin and delete those whose source is gone; return the files that changed."""
    changed: list[Path] = []
    for source_root, twin_root in pairs:
        sources, twins = _modules(root / source_root), _modules(root / twin_root)
        for name in twins.keys() - sources.keys():
            twins[name].unlink()
            changed.append(twins[name])
        for name, source in sources.items():
            twin = root / twin_root / name
            banner = f"# Generated from {source.relative_to(root)} by `python3 dev.py sync`: do not edit.\n"
            text = _formatted(banner + generate(source.read_text("utf-8"), renames), twin)
            if not twin.exists() or twin.read_text("utf-8") != text:
                twin.parent.mkdir(parents=True, exist_ok=True)
                twin.write_text(text, "utf-8")
                changed.append(twin)
    return changed


def generate(source: str, renames: Mapping[str, str] = RENAMES) -> str:
    """Return the synchronous form of ``source``, unformatted, with its comments."""
    starts = [0]
    for line in io.StringIO(source):
        starts.append(starts[-1] + len(line))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    edits: list[_Edit] = []
    for index, token in enumerate(tokens):
        start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        if token.type == tokenize.NAME and token.string in {"async", "await"}:
            following = tokens[index + 1]
            edits.append(_Edit(start, starts[following.start[0] - 1] + following.start[1], ""))
            closing = _needless_parenthesis(tokens, index) if token.string == "await" else None
            if closing is not None:
                edits += [_Edit(start - 1, start, ""), _Edit(*_span(closing, starts), "")]
        elif token.string in UNWRAPPED and tokens[index + 1].string == "[":
            edits += [_Edit(start, end + 1, ""), _Edit(*_span(_closing(tokens, index + 2), starts), "")]
        elif token.type == tokenize.NAME and token.string in renames:
            edits.append(_Edit(start, end, renames[token.string]))
        elif token.type in _PROSE and token.string != _prose(token.string, renames):
            edits.append(_Edit(start, end, _prose(token.string, renames)))
    for edit in sorted(edits, reverse=True):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source


def main(arguments: Sequence[str]) -> int:
    """Run one command, ``check`` or ``write``; return the exit code."""
    lines: list[str]
    if arguments == ["write"]:
        lines = [f"wrote {path.relative_to(ROOT)}" for path in write(ROOT)]
    elif arguments == ["check"]:
        lines = check(ROOT)
    else:
        lines = ["usage: python -m tests.architecture.twins check|write"]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    if lines and arguments == ["check"]:
        sys.stdout.write("Hint: change the source, then run `python3 dev.py sync`.\n")
    return int(bool(lines) and arguments != ["write"])


def _span(token: tokenize.TokenInfo, starts: Sequence[int]) -> tuple[int, int]:
    return starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1]


def _needless_parenthesis(tokens: Sequence[tokenize.TokenInfo], index: int) -> tokenize.TokenInfo | None:
    """Return what closes the ``(`` right before ``await`` when ``(await name.call(…)).more`` needs neither any more."""
    before, opening = tokens[index - 2 : index]
    if opening.string != "(" or opening.end != tokens[index].start:
        return None
    if before.string in _CLOSING or (before.type == tokenize.NAME and before.end == opening.start):
        return None
    closing = _closing(tokens, index + 1)
    depth = 0
    for token in tokens[index + 1 : tokens.index(closing, index)]:
        depth += (token.string in _OPENING) - (token.string in _CLOSING)
        is_part = token.string == "." or token.string in _CLOSING or token.type == tokenize.NAME
        if depth == 0 and (not is_part or iskeyword(token.string)):
            return None
    return closing


def _closing(tokens: Sequence[tokenize.TokenInfo], index: int) -> tokenize.TokenInfo:
    """Return the token that closes the bracket which ``tokens[index]`` is inside of."""
    depth = 1
    for token in tokens[index:]:
        depth += (token.string in _OPENING) - (token.string in _CLOSING)
        if depth == 0:
            return token
    raise AssertionError  # the tokenizer accepted the source, so its brackets match


def _prose(text: str, renames: Mapping[str, str]) -> str:
    text = _ASYNC_IN_PROSE.sub("", text)
    return _WORD.sub(lambda word: renames.get(word[0], word[0]), text)


def _formatted(text: str, path: Path) -> str:
    """Drop the imports that are no longer used, sort the others anew, since names changed, and format."""
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select=F401,I,RUF022", "--fix-only", "--quiet"], ["format", "--quiet"]):
        run = [*ruff, *command, "--no-cache", f"--stdin-filename={path}", "-"]
        done = subprocess.run(run, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{path}: {done.stderr}")
        text = done.stdout
    return text


def _modules(root: Path) -> dict[str, Path]:
    """Return the modules below ``root`` by their path from there; a file is its own only module, named ``''``."""
    if root.is_file():
        return {"": root}
    return {str(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}


def _differences(source: Path, twin: Path, renames: Mapping[str, str]) -> Iterator[str]:
    expected = _Ordered().visit(_AsSync(renames).visit(ast.parse(source.read_text("utf-8"))))
    try:
        actual = _Ordered().visit(ast.parse(twin.read_text("utf-8")))
    except SyntaxError as error:
        yield f"line {error.lineno}: {error.msg}"
        return
    for wanted, found in _unequal(_statements(expected), _statements(actual)):
        if wanted is None:
            yield f"line {found.lineno}: {_title(found)} is not in the source"
        elif found is None:
            yield f"{_title(wanted)} is missing (source line {wanted.lineno})"
        else:
            yield f"line {found.lineno}: {_first_difference(wanted, found)} (source line {wanted.lineno})"


def _unequal(expected: Sequence[ast.stmt], actual: Sequence[ast.stmt]) -> Iterator[tuple[Any, Any]]:
    """Pair up the statements that differ; None stands for one that the other side does not have."""
    dumps = [ast.dump(node) for node in expected], [ast.dump(node) for node in actual]
    for same, start, end, other_start, other_end in SequenceMatcher(None, *dumps, autojunk=False).get_opcodes():
        if same != "equal":
            yield from zip_longest(expected[start:end], actual[other_start:other_end])


def _statements(module: ast.Module) -> list[ast.stmt]:
    """Return the statements, the imports first: one for each name, in one order, since renamed imports sort anew."""
    imports: list[ast.stmt] = []  # a name that is there twice after renaming counts once
    others: list[ast.stmt] = []
    for node in module.body:
        match node:
            case ast.ImportFrom(source, names, level):
                imports += [ast.copy_location(ast.ImportFrom(source, [name], level), node) for name in names]
            case ast.Import(names):
                imports += [ast.copy_location(ast.Import([name]), node) for name in names]
            case _:
                others.append(node)
    unique = {ast.dump(node): node for node in imports}
    return [*(unique[text] for text in sorted(unique)), *others]


def _title(node: ast.stmt) -> str:
    return ast.unparse(node).split("\n", 1)[0]


def _first_difference(wanted: ast.stmt, found: ast.stmt) -> str:
    lines = zip_longest(ast.unparse(wanted).split("\n"), ast.unparse(found).split("\n"), fillvalue="")
    for want, have in lines:
        if want != have:
            return f"{_title(found)} has {have.strip()!r} for {want.strip()!r}"
    return f"{_title(found)} differs"


class _AsSync(ast.NodeTransformer):
    """Turn a source's tree into what its twin's tree must be."""

    def __init__(self, renames: Mapping[str, str]) -> None:
        self._renames = renames

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field, value in ast.iter_fields(node):
            if isinstance(value, str):
                setattr(node, field, self._renamed(value))
            elif isinstance(value, list) and value and all(isinstance(name, str) for name in value):
                setattr(node, field, [self._renamed(name) for name in value])
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            node.value = _prose(node.value, self._renames)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        node.names = [name for name in node.names if name.name not in UNWRAPPED]
        return self.generic_visit(node) if node.names else None

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in UNWRAPPED:
            result: ast.AST = self.visit(node.slice)
            return result
        return self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        result: ast.AST = self.visit(node.value)
        return result

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._plain(node, ast.FunctionDef)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self._plain(node, ast.With)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self._plain(node, ast.For)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def _plain(self, node: ast.AST, plain: type[ast.stmt]) -> ast.AST:
        return self.generic_visit(ast.copy_location(plain(**dict(ast.iter_fields(node))), node))

    def _renamed(self, dotted: str) -> str:
        return ".".join(self._renames.get(name, name) for name in dotted.split("."))


class _Ordered(ast.NodeTransformer):
    """Put ``__all__``, which renamed names sort anew, and the margin of docstrings into one form."""

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.targets[0]) == "__all__" and isinstance(node.value, ast.List | ast.Tuple):
            node.value.elts.sort(key=ast.dump)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and "\n" in node.value:
            node.value = inspect.cleandoc(node.value)
        return node


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
