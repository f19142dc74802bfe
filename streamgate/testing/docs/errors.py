"""The reference of every error code, from the classes of the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from streamgate.testing.docs.built import NOTE, ROOT, built, table

_SOURCES = ("streamgate/**/*.py", "plugins/*/streamgate_*/**/*.py")
_ROOT_CLASS = "StreamgateError"
_HEAD = f"""\
# Error reference

{NOTE}

Errors are problem documents (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail`, `code`,
`request_id`, and `errors` (`field`, `message`) where single fields are at fault. Branch on `code`: it does not change.
`detail` is for people. *Again* means that the same request may succeed later; 429 and 503 say in `Retry-After` when.

*Where* are the areas of the [API](api.md) whose operations name it; *besides*: none does. Such a code stays between
services, is kept with a job, an upload or a content and shown there, or comes from what all have in common:
credentials, stores, live connections.
"""


@attrs.frozen(kw_only=True)
class ErrorDoc:
    """One error class. What it does not say itself is its base's."""

    name: str
    base: str
    said: Mapping[str, Any]  # Any: literals of the class body
    about: str


def errors_reference() -> str:
    classes = error_classes()
    bases = {doc.name: doc for doc in classes}
    answered = _answered()
    rows = []
    for doc in classes:
        if "code" in doc.said:
            code, title = str(doc.said["code"]), str(_of(bases, doc, "title"))
            again = "yes" if _of(bases, doc, "retryable") else ""
            what = f"{title}. {doc.about}" if doc.about and doc.about.rstrip(".") != title else title
            where = ", ".join(answered.get(code, ())) or "besides"
            rows.append((f"`{code}`", str(_of(bases, doc, "status")), again, what, where))
    return _HEAD + "\n" + "\n".join(table(("Code", "Status", "Again", "What", "Where"), sorted(rows))) + "\n"


def error_classes() -> list[ErrorDoc]:
    """Every class of the one error family in this repository."""
    parsed = [
        doc
        for path in sorted(each for pattern in _SOURCES for each in ROOT.glob(pattern))
        if "testing" not in path.parts and "plugin_template" not in path.parts
        for doc in _classes_in(path)
    ]
    bases = {doc.name: doc for doc in parsed}
    return [doc for doc in parsed if _is_error(bases, doc)]


def _classes_in(path: Path) -> Iterator[ErrorDoc]:
    text = path.read_text(encoding="utf-8")
    if "class " not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and (node.bases or node.name == _ROOT_CLASS):
            base = ast.unparse(node.bases[0]).rpartition(".")[2] if node.bases else ""
            about = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            yield ErrorDoc(name=node.name, base=base, said=dict(_said(node)), about=about)


def _said(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    wanted = {"code", "status", "title", "retryable"}
    for line in node.body:
        if isinstance(line, ast.Assign):
            target, value = line.targets[0], line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            target, value = line.target, line.value
        else:
            continue
        if isinstance(target, ast.Name):
            names, values = [target.id], [value]
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            names = [each.id for each in target.elts if isinstance(each, ast.Name)]
            values = value.elts
        else:
            continue
        for name, each in zip(names, values, strict=False):
            if name in wanted and isinstance(each, ast.Constant):
                yield name, each.value


def _is_error(bases: Mapping[str, ErrorDoc], doc: ErrorDoc) -> bool:
    seen: set[str] = set()
    while doc.name not in seen:
        if doc.name == _ROOT_CLASS:
            return True
        seen.add(doc.name)
        doc = bases.get(doc.base, doc)
    return False


def _of(bases: Mapping[str, ErrorDoc], doc: ErrorDoc, name: str) -> Any:
    while name not in doc.said:
        doc = bases[doc.base]
    return doc.said[name]


def _answered() -> dict[str, list[str]]:
    """Areas by code; a code of nearly every operation is `any`."""
    areas: dict[str, set[str]] = {}
    operations = [each for methods in built().document["paths"].values() for each in methods.values()]
    everywhere = {operation["tags"][0] for operation in operations if operation["tags"][0] != "system"}
    for operation in operations:
        for answer in operation["responses"].values():
            for code in answer.get("x-streamgate-codes", ()):
                areas.setdefault(code, set()).add(operation["tags"][0])
    return {code: ["any"] if found >= everywhere else sorted(found) for code, found in areas.items()}
