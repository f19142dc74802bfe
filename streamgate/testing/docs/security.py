"""The table of attacks: what stops each, and which tests try it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from streamgate.testing.attacks import attack
from streamgate.testing.docs.attacks import ATTACKS, HOLES, Attack
from streamgate.testing.docs.built import NOTE, ROOT, table

_HEAD = f"""\
# Attacks that must fail

{NOTE} Rows are in `streamgate/testing/docs/attacks.py`; a test says by `@attack("B12")` which of them it tries.

Tests in `tests/security` are black box: they attack a running server, as one process and split over NATS, PostgreSQL,
Redis and S3, and show beside each attack that the honest way works. Others try a part closer to the code.
"""
_PLACES = {"A": "Holes of predecessors", "B": "Attacks on token-gated video"}


@attrs.frozen(kw_only=True)
class Marked:
    """A test that says which attacks it tries."""

    path: Path
    name: str
    rows: tuple[str, ...]


def security_reference() -> str:
    """Raises ValueError where a mark names no row, or a row has neither test nor gap."""
    tests: dict[str, list[Marked]] = defaultdict(list)
    for marked in marked_tests():
        for row in marked.rows:
            tests[row].append(marked)
    attacks = (*HOLES, *ATTACKS)
    unknown = set(tests) - {each.row for each in attacks}
    bare = [each.row for each in attacks if not each.gap and not tests[each.row]]
    if unknown or bare:
        raise ValueError(f"marks that name no attack: {sorted(unknown)}; attacks without test or gap: {bare}")
    out = [_HEAD]
    for letter, rows in (("A", HOLES), ("B", ATTACKS)):
        head = ("#", "Attack", "Defence", "Tried by")
        shown = [(each.row, each.attack, each.defence, _tests(tests[each.row])) for each in rows]
        out += [f"## {_PLACES[letter]}", "", *table(head, shown), ""]
    out += ["## What is not tried", "", *_gaps(attacks, tests)]
    return "\n".join(out) + "\n"


def marked_tests() -> Iterator[Marked]:
    """Read from the text of the tests, in the order of their files."""
    for path in sorted((ROOT / "tests").glob("**/test_*.py")):
        text = path.read_text(encoding="utf-8")
        if f"@{attack.__name__}(" in text:
            yield from _marked_in(path, ast.parse(text))


def _marked_in(path: Path, module: ast.Module) -> Iterator[Marked]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rows = tuple(row for each in node.decorator_list for row in _rows(each))
            if rows:
                yield Marked(path=path, name=node.name, rows=rows)


def _rows(decorator: ast.expr) -> Sequence[str]:
    match decorator:
        case ast.Call(func=ast.Name(id=attack.__name__), args=arguments):
            return [str(ast.literal_eval(each)) for each in arguments]
    return ()


def _tests(marked: Sequence[Marked]) -> str:
    """Those against a running server first, each file once."""
    by_file: dict[Path, list[str]] = defaultdict(list)
    for each in sorted(marked, key=lambda each: each.path.parent.name != "security"):
        by_file[each.path].append(each.name)
    shown = []
    for path, names in by_file.items():
        link = f"[{path.relative_to(ROOT / 'tests')}](../../{path.relative_to(ROOT)})"
        shown.append(f"{link}: {', '.join(f'`{name}`' for name in names)}")
    return "; ".join(shown)


def _gaps(attacks: Sequence[Attack], tests: Mapping[str, Sequence[Marked]]) -> Iterator[str]:
    for each in attacks:
        if each.gap:
            rest = "besides what is tried above: " if tests.get(each.row) else ""
            yield f"- {each.row}, {each.attack[0].lower()}{each.attack[1:]}: {rest}{each.gap}."
