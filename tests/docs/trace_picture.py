"""Draw a trace of the page about traces: ``python -m tests.docs.trace_picture URL`` writes ``docs/_static/trace.svg``.

The picture is of a real trace, made on the server of the URL. A test compares what it shows, apart from the times, with
a trace that is made anew in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emco_store import MemoryBackend, Resource, Transaction, connect
from emco_store.otel import instrument

FILE = Path(__file__).parents[2] / "docs" / "_static" / "trace.svg"
WIDTH, ROW, LEFT, BAR = 860, 34, 190, 640
FONT = 'font-family="sans-serif" font-size="13"'
NAMESPACE = "docs-trace"


class Cluster(Resource):
    """Is grown by two services at once."""

    nodes: int = 1


def trace(target: object) -> list[ReadableSpan]:
    """Return the spans of a call that loses a race and wins the second time: the call first, then its requests."""
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    with connect(target, namespace=NAMESPACE) as rival, connect(target, namespace=NAMESPACE) as plain:
        store = instrument(plain, tracer_provider=tracers)
        store.put(Cluster(name="c1"))
        store.run(lambda tx: tx.update(tx.get(Cluster, "c1").model_copy(update={"nodes": 2})))
        spans.clear()  # by now connections are there
        lost: list[Cluster] = []

        def grow(tx: Transaction) -> Cluster:
            cluster = tx.get(Cluster, "c1")
            if not lost:
                lost.append(rival.patch(cluster, {"nodes": cluster.nodes + 10}))
            return tx.update(cluster.model_copy(update={"nodes": cluster.nodes + 1}))

        store.run(grow)
        rival.delete(Cluster(name="c1"))
    found = sorted(spans.get_finished_spans(), key=lambda span: span.start_time or 0)
    return [*(span for span in found if span.parent is None), *(span for span in found if span.parent is not None)]


def rows(spans: Sequence[ReadableSpan]) -> list[tuple[str, str]]:
    """Return what the picture says of each span: its name, and a note."""
    return [(span.name, _note(span)) for span in spans]


def _note(span: ReadableSpan) -> str:
    said = {name.removeprefix("emco_store."): value for name, value in (span.attributes or {}).items()}
    if "refused" in said:
        return "refused: another commit came between"
    if "attempts" not in said:
        return ""
    return ", ".join(f"{name.replace('_', ' ')} {said[name]}" for name in ("attempts", "conflicts", "round_trips"))


def draw(spans: Sequence[ReadableSpan]) -> str:
    """Return the picture: a bar for each span, as long as it took."""
    begin = min(span.start_time or 0 for span in spans)
    whole = max(span.end_time or 0 for span in spans) - begin
    height = ROW * len(spans) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff" stroke="#d4d4d8"/>',
    ]
    for number, (span, (name, note)) in enumerate(zip(spans, rows(spans), strict=True)):
        start, end = (span.start_time or 0) - begin, (span.end_time or 0) - begin
        x, y = LEFT + BAR * start / whole, 8 + ROW * number
        width = max(BAR * (end - start) / whole, 2)
        colour = "#1d4ed8" if span.parent is None else "#b91c1c" if note else "#15803d"
        text = f"{(end - start) / 1e6:.2f} ms{f', {note}' if note else ''}"
        is_late = x + 400 > WIDTH
        place = f'x="{x + width:.1f}" text-anchor="end"' if is_late else f'x="{x:.1f}"'
        parts += [
            f'<text x="{12 if span.parent is None else 28}" y="{y + 14}" fill="#18181b">{escape(name)}</text>',
            f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="12" rx="2" fill="{colour}"/>',
            f'<text {place} y="{y + 27}" font-size="11" fill="#52525b">{escape(text)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def drawn() -> list[tuple[str, str]]:
    """Return what the file shows of each span: its name, and the note after its time."""
    texts = [
        line.split(">", 1)[1].partition("<")[0] for line in FILE.read_text("utf-8").splitlines() if "<text" in line
    ]
    return [
        (name, text.partition(" ms")[2].removeprefix(", ")) for name, text in zip(texts[::2], texts[1::2], strict=True)
    ]


if __name__ == "__main__":
    FILE.write_text(draw(trace(sys.argv[1] if sys.argv[1:] else MemoryBackend())), "utf-8")
