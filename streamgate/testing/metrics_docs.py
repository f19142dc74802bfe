"""The reference of every metric, read from the code: measures of the kernel and prometheus_client's of plugins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
SOURCES = ("streamgate/**/*.py", "plugins/*/streamgate_*/**/*.py")
_KINDS = {
    "Counts": "counter",
    "Levels": "gauge",
    "Timings": "histogram",
    "Counter": "counter",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "Summary": "summary",
}
_HEAD = """\
# Metrics reference

*Made from the code by `make fmt`; do not edit.* What they are for, and how a plugin adds its own:
[telemetry](telemetry.md). `GET /metrics` shows besides what prometheus_client tells of the process itself (`process_*`,
`python_*`).

| Metric | Type | Labels | Meaning | Where |
|---|---|---|---|---|
"""


@attrs.frozen(kw_only=True, order=True)
class MetricDoc:
    """One metric. `where` is the plugin, or the part of the kernel, that has it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    where: str


def metrics_reference() -> str:
    rows = (
        f"| `{doc.name}` | {doc.kind} | {', '.join(f'`{each}`' for each in doc.labels)} | {doc.help} | {doc.where} |"
        for doc in metrics()
    )
    return _HEAD + "\n".join(row.replace("|  |", "| |") for row in rows) + "\n"


def metrics() -> list[MetricDoc]:
    """Every metric that the code of this repository makes, by name.

    Raises:
        ValueError: one whose name, help or labels are not written out where it is made.
    """
    found: list[MetricDoc] = []
    for path in sorted(each for pattern in SOURCES for each in ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if "streamgate_" in text and any(kind in text for kind in _KINDS):
            found += _made_in(ast.parse(text), path.relative_to(ROOT))
    return sorted(found)


def _made_in(tree: ast.Module, path: Path) -> Iterator[MetricDoc]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    real = {each.asname: each.name for node in imports for each in node.names if each.asname}
    for node in ast.walk(tree):
        name = node.func if isinstance(node, ast.Call) else None
        kind = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
        kind = real.get(kind, kind)
        if not isinstance(node, ast.Call) or kind not in _KINDS or not _is_metric(node):
            continue
        try:
            given = [ast.literal_eval(argument) for argument in node.args[:3]]
            given += [ast.literal_eval(key.value) for key in node.keywords if key.arg in ("labels", "labelnames")]
        except ValueError as fault:
            raise ValueError(f"{path}:{node.lineno}: write a metric's name, help and labels out") from fault
        labels = tuple(given[2]) if len(given) > 2 else ()
        yield MetricDoc(name=given[0], kind=_KINDS[kind], labels=labels, help=given[1], where=_where(path))


def _is_metric(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and str(first.value).startswith("streamgate_")


def _where(path: Path) -> str:
    parts = path.parts
    return parts[1] if parts[0] == "plugins" else "sdk" if parts[1] == "sdk" else "kernel"
