"""The reference of the gRPC services, read from the `.proto` files (their comments are nowhere else)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from streamgate.testing.docs.built import NOTE, ROOT, table

PROTOS = "plugins/*/streamgate_*/proto/*.proto"
_HEAD = f"""\
# gRPC reference

{NOTE}

Package `streamgate.v1`, on the gateway's port for gRPC (`api.grpc_port`). How to make a client and sign in:
[call the API](../how-to/call-the-api.md#grpc). Beside these there are `grpc.health.v1.Health` and server reflection.

Each call with an HTTP twin does exactly what that [operation](api.md) does: same credentials, limits and problems.
"""
_BLOCK = re.compile(r"^(?P<indent> *)(?P<what>service|message|rpc|enum|oneof) (?P<name>\w+)")
_RPC = re.compile(r"rpc (\w+)\((stream )?([\w.]+)\) returns \((stream )?([\w.]+)\)")
_HTTP = re.compile(r'\{(get|post|put|delete|patch): "([^"]+)"')
_FIELD = re.compile(r"^(?:(optional|repeated) )?([\w.]+|map<\w+, ?[\w.]+>) (\w+) = \d+;")


@attrs.define
class _Call:
    name: str
    takes: str
    gives: str
    about: str
    http: str = ""


@attrs.define
class _Message:
    name: str
    fields: list[tuple[str, str, str]] = attrs.field(factory=list)


@attrs.define
class ProtoDoc:
    """One `.proto` file with its service."""

    about: str
    service: str = ""
    calls: list[_Call] = attrs.field(factory=list)
    messages: list[_Message] = attrs.field(factory=list)


def grpc_reference() -> str:
    out = [_HEAD]
    for path in sorted(ROOT.glob(PROTOS)):
        doc = read_proto(path)
        out += [f"## {doc.service}", "", f"{doc.about} ([{path.name}](../../{path.relative_to(ROOT)}))", ""]
        rows = [(f"`{call.name}`", call.takes, call.gives, call.http, call.about) for call in doc.calls]
        out += [*table(("Call", "Takes", "Gives", "HTTP twin", "What"), rows), ""]
        for message in doc.messages:
            if message.fields:
                out += [f"**{message.name}**", "", *(_field(*each) for each in message.fields), ""]
    return "\n".join(out).rstrip() + "\n"


def _field(kind: str, name: str, about: str) -> str:
    return f"- `{name}` {kind}" + (f": {about}" if about else "")


def read_proto(path: Path) -> ProtoDoc:
    """What a file of ours says. It knows the form that ours have, not all of the language.

    Raises:
        ValueError: a line that it cannot read.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    doc = ProtoDoc(about=" ".join(_comment(lines[: lines.index('syntax = "proto3";')])))
    said: list[str] = []
    for line in (each.strip() for each in lines):
        if line.startswith("//"):
            said.append(line.removeprefix("//").strip())
            continue
        _take(doc, line, " ".join(said), path)
        said = []
    return doc


def _comment(lines: list[str]) -> Iterator[str]:
    return (line.removeprefix("//").strip() for line in lines)


def _take(doc: ProtoDoc, line: str, said: str, path: Path) -> None:
    rpc, block, field, http = _RPC.match(line), _BLOCK.match(line), _FIELD.match(line), _HTTP.search(line)
    if rpc:
        name, takes_stream, takes, gives_stream, gives = rpc.groups()
        takes, gives = (f"{stream or ''}`{kind}`" for stream, kind in ((takes_stream, takes), (gives_stream, gives)))
        doc.calls.append(_Call(name, takes, gives, said))
    elif http:
        doc.calls[-1].http = f"`{http[1].upper()} {http[2]}`"
    elif block and block["what"] == "service":
        doc.service = block["name"]
    elif block and block["what"] == "message":
        doc.messages.append(_Message(block["name"]))
    elif field:
        label, kind, name = field.groups()
        doc.messages[-1].fields.append((f"{label} {kind}" if label else kind, name, said))
    elif not (line in ("", "}", "};", "*/") or line.startswith(("syntax", "package", "import", "option", "oneof"))):
        raise ValueError(f"{path.name}: what is {line!r}?")
