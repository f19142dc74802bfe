"""The kernel stays small enough to be read in an afternoon. Docstrings, comments and blank lines do not count."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

import streamgate

KERNEL = Path(streamgate.__file__).parent
_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines that hold code."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def total(*patterns: str) -> dict[str, int]:
    files = [path for pattern in patterns for path in sorted(KERNEL.glob(pattern))]
    return {str(path.relative_to(KERNEL)): code_lines(path.read_text(encoding="utf-8")) for path in files}


def test_how_lines_are_counted() -> None:
    assert code_lines('"""Doc\nstring."""\n\n# why\nx = (\n    1,\n)  # what\n\ndef f():\n    """Says."""\n') == 4


@pytest.mark.parametrize(
    ("patterns", "limit"),
    [
        (("*.py", "bus/*.py"), 3_000),
        (("web/*.py",), 1_200),
        (("web/openapi/*.py",), 250),
        (("config/*.py",), 780),
        (("settings/*.py",), 400),
        (("telemetry/*.py",), 870),
        (("commands/*.py",), 700),
        (("engine/*.py",), 410),
        (("identity/*.py",), 800),
    ],
    ids=["kernel and bus", "web", "openapi", "config", "settings", "telemetry", "commands", "engine", "identity"],
)
def test_the_kernel_is_small(patterns: tuple[str, ...], limit: int) -> None:
    """docs/decisions/0003-size-of-the-kernel.md says where the numbers come from."""
    sizes = total(*patterns)
    assert sum(sizes.values()) <= limit, (sum(sizes.values()), sizes)
