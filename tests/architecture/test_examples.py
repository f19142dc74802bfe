"""What pages tell people to type exists: commands and their options, requests, settings, files; and Python parses."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from streamgate.contracts.events import AUTH_SESSION_ENDED, GATE_CHANGED
from streamgate.testing.docs import GENERATED
from streamgate.testing.docs.api import api_reference
from streamgate.testing.docs.built import built
from streamgate.testing.docs.cli import commands
from streamgate.testing.docs.config import config_reference
from streamgate.testing.docs.errors import errors_reference
from streamgate.testing.docs.events import events_reference

ROOT = Path(__file__).parents[2]
PAGES = [  # those that are made from the code cannot be wrong in this way
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/how-to/*.md")),
    *(path for path in sorted(ROOT.glob("docs/reference/*.md")) if f"docs/reference/{path.name}" not in GENERATED),
]
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

OF_EXAMPLES = ("/api/v1/guest-book", "/api/v1/guestlist")  # of plugins that pages invent
OF_SERVICES = {"auth.decide", "auth.signed_in"}  # a span's name, an act of the audit trail
COMMANDS = dict(commands())
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
METHODS = "GET|POST|PUT|PATCH|DELETE|OPTIONS"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text_of(page), flags=re.MULTILINE | re.DOTALL)


def typed(page: Path) -> Iterator[list[str]]:
    """The words of each command that a page shows: in blocks of `sh`, and of the README's indented ones."""
    shown = blocks(page, "sh") + re.findall(r"^    ((?:make|streamgate) .*)$", text_of(page), flags=re.MULTILINE)
    for block in shown:
        for line in whole_lines(block):
            words = shlex.split(line, comments=True)
            while words and (words[0] == "export" or re.match(r"[A-Z_]+=", words[0])):
                words = words[1:]
            if words:
                yield words


def whole_lines(block: str) -> Iterator[str]:
    """Lines of a shell, a command each: continued ones, and those within quotes, are one."""
    line = ""
    for each in block.splitlines():
        line = f"{line}{each}"
        if line.endswith("\\"):
            line = line[:-1]
        elif line.count("'") % 2 == 0:
            yield line
            line = ""


def spans(page: Path) -> list[str]:
    """Inline code."""
    without_blocks = re.sub(r"^ *```.*?^ *```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", without_blocks)]


# --- commands -------------------------------------------------------------------------------------


def what_is_wrong(words: list[str]) -> str:
    """With a command of ours; empty when it exists with these options."""
    path, rest = words[0], words[1:]
    while rest and f"{path} {rest[0]}" in COMMANDS:
        path, rest = f"{path} {rest[0]}", rest[1:]
    command = COMMANDS[path]
    if isinstance(command, click.Group) and rest and not rest[0].startswith(("-", "…")):
        return f"{path} has no {rest[0]}"
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
    return f"{path} does not take {unknown}" if unknown else ""


def alternatives(span: str) -> Iterator[list[str]]:
    """`streamgate config check | show --origin` names two."""
    first, *others = (part.split() for part in span.split("|"))
    yield first
    stem = first[:2]
    yield from ([*stem, *other] for other in others)


@PAGE
def test_commands_and_their_options_exist(page: Path) -> None:
    named = [words for words in typed(page) if words[0] == "streamgate"]
    named += [words for span in spans(page) if span.startswith("streamgate ") for words in alternatives(span)]
    assert [wrong for wrong in map(what_is_wrong, named) if wrong] == []


@PAGE
def test_make_targets_and_files_in_commands_exist(page: Path) -> None:
    for words in typed(page):
        if words[0] == "make":
            assert words[1] in TARGETS, words
        files = [word for word in words if re.match(r"(deploy|docs|config|tests|plugins)/", word)]
        assert [word for word in files if not (ROOT / word).exists()] == []


# --- requests -------------------------------------------------------------------------------------


def is_template(path: str, template: str) -> bool:
    steps, known = path.strip("/").split("/"), template.strip("/").split("/")
    fits = (each == step or step.startswith("{") for each, step in zip(steps, known, strict=False))
    return len(steps) == len(known) and all(fits)


def operation(method: str, path: str) -> Any:
    """As OpenAPI has it, or True where a mount answers; None where nothing does."""
    document = built().document["paths"]
    same = [methods for template, methods in document.items() if template == path] or [
        methods for template, methods in document.items() if is_template(path, template)
    ]
    for methods in same:
        if method.lower() in methods:
            return methods[method.lower()]
    mounted = any(path == mount.prefix or path.startswith(mount.prefix + "/") for mount in built().mounts)
    return True if mounted or path in OF_EXAMPLES else None


def is_there(path: str) -> bool:
    """Some operation, or a part of the path of one."""
    step = path.rstrip("/")
    known = [*built().document["paths"], *(mount.prefix for mount in built().mounts), *OF_EXAMPLES]
    return any(is_template(step, "/".join(each.split("/")[: step.count("/") + 1])) for each in known)


@PAGE
def test_paths_of_the_api_exist(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)", "]", text_of(page))
    paths = {each.rstrip(".,;:") for each in re.findall(r"/api/v1/[\w{}$./-]*", text)}
    assert sorted(path for path in paths if not is_there(path)) == []
    named = set(re.findall(rf"`({METHODS}) (/[\w{{}}$./-]*)(?:\?([\w=&]*))?", text))
    assert sorted(each for each in named if operation(each[0], each[1]) is None or foreign_fields(*each)) == []


def foreign_fields(method: str, path: str, query: str) -> set[str]:
    """Of a query string: those that the operation does not have."""
    found = operation(method, path)
    known = {each["name"] for each in found["parameters"] if each["in"] == "query"} if isinstance(found, dict) else None
    return set() if known is None else set(re.findall(r"(?:^|&)(\w+)=", query)) - known


def request_of(words: list[str]) -> tuple[str, str, str, str]:
    """Method, path, query and JSON body of a curl command."""
    method, body, form, path, query = "", "", False, "", ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "-X":
            method = following
        elif word == "-d":
            body = following
        elif word in ("-F", "--data-binary"):
            form = True
        elif word.startswith("$URL/"):
            path, _, query = word.removeprefix("$URL").partition("?")
    return method or ("POST" if body or form else "GET"), path, query, body


@PAGE
def test_requests_are_as_the_api_takes_them(page: Path) -> None:
    schemas = built().document["components"]["schemas"]
    for words in typed(page):
        method, path, query, body = request_of(words)
        if words[0] != "curl" or not path.startswith("/api/"):
            continue
        found = operation(method, path)
        assert found is not None, f"{method} {path}"
        assert foreign_fields(method, path, query) == set(), f"{method} {path}"
        if body:
            content = found["requestBody"]["content"]["application/json"]["schema"]
            schema = schemas.get(content.get("$ref", "").rpartition("/")[2], content)
            sent = set(json.loads(body))
            if "properties" in schema:
                assert sent <= set(schema["properties"]), f"{method} {path}"
            assert set(schema.get("required", ())) <= sent, f"{method} {path}"


# --- settings -------------------------------------------------------------------------------------


@functools.cache
def configuration() -> str:
    return config_reference()


@functools.cache
def keys() -> set[str]:
    return set(re.findall(r"^\| `([a-z_.<>]+)` \|", configuration(), flags=re.MULTILINE))


@functools.cache
def variables() -> list[re.Pattern[str]]:
    return [
        re.compile(re.escape(name).replace(re.escape("<KEY>"), "[A-Z0-9_]+") + "(_FILE)?")
        for name in re.findall(r"`(STREAMGATE_[A-Z0-9_<>]+)`", configuration())
    ]


@functools.cache
def names() -> set[str]:
    """Of errors, events and whatever else the references have. They take seconds to make: not while collecting."""
    return set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", errors_reference() + events_reference() + api_reference()))


OF_COMPOSE = {
    name
    for path in ROOT.glob("deploy/compose/*.y*ml")
    for name in re.findall(r"\$\{(STREAMGATE_[A-Z_]+)", path.read_text(encoding="utf-8"))
}
FILES = (".db", ".json", ".key", ".md", ".py", ".conf", ".yaml", ".proto")


@PAGE
def test_variables_exist(page: Path) -> None:
    named = set(re.findall(r"STREAMGATE_[A-Z0-9_]*[A-Z0-9](?!\w|<|…)", text_of(page))) - {"STREAMGATE_PROFILE"}
    assert sorted(each for each in named - OF_COMPOSE if not any(known.fullmatch(each) for known in variables())) == []


@PAGE
def test_keys_of_the_configuration_exist(page: Path) -> None:
    sections = {key.partition(".")[0] for key in keys()}
    dotted = [re.match(r"([a-z_]+(?:\.[a-z_<>]+)+)(?=$|:)", span) for span in spans(page)]
    named = {each[1] for each in dotted if each and each[1].partition(".")[0] in sections}
    named = {each for each in named if not each.endswith(FILES)} - names() - OF_SERVICES
    assert sorted(each for each in named if not any(key == each or key.startswith(f"{each}.") for key in keys())) == []


def test_there_is_something_to_compare_with() -> None:
    """So that nothing above passes by finding nothing."""
    assert {"server.public_url", "auth.chains.<key>.rpc_urls"} <= keys()
    assert {GATE_CHANGED.name, AUTH_SESSION_ENDED.name, "gate.refused"} <= names()
    assert "STREAMGATE_BIND" in OF_COMPOSE
    requests = [words for page in PAGES for words in typed(page) if words[0] == "curl"]
    assert len(requests) > 20
    assert what_is_wrong(["streamgate", "run", "--everything"]) == "streamgate run does not take ['--everything']"
    assert what_is_wrong(["streamgate", "fly"]) == "streamgate has no fly"
    assert operation("GET", "/api/v1/contents") is None
    assert foreign_fields("GET", "/api/v1/content", "q=&colour=") == {"colour"}


# --- Python ---------------------------------------------------------------------------------------


@PAGE
def test_python_parses_and_what_it_imports_of_ours_is_there(page: Path) -> None:
    signatures = re.compile(r"(async )?def \w+\([^)]*\) -> .*\n\Z")  # of hooks: see test_hooks_documented.py
    for block in blocks(page, "python"):
        if signatures.match(block):
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("streamgate"):
                module = importlib.import_module(node.module or "")
                assert [each.name for each in node.names if not hasattr(module, each.name)] == []
