"""The reference of every HTTP operation, from the routes that validate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from streamgate.errors import StreamgateError
from streamgate.testing.docs.built import NOTE, built, table
from streamgate.web.openapi import operation_id
from streamgate.web.openapi.answers import implied_errors
from streamgate.web.routes import Route

_HEAD = f"""\
# API reference

{NOTE}

How to sign in, and what all requests have in common: [call the API](../how-to/call-the-api.md). A running
server describes itself at `/openapi.json` (with every schema) and, to read and to try, at `/docs`.

- **for**: `public`; `signed-in`: any wallet; `creator`: who may create (moderators and administrators too); `owner of
  …`: of the thing which that field names (moderators and administrators too); `admin`; `token`: who has the address of
  a playback session.
- A `?` behind a field: it may be left out. `{{…}}` in a path is a field as well.
- **problems** are those of the operation itself. Besides there are those of all that read credentials, bodies or
  fields: 400, 401, 403, 408, 413, 414, 415, 422, 429, 431, 500, 503; each code is in [errors](errors.md).
- **repeatable**: an `Idempotency-Key` is honoured.
"""
_ELSEWHERE = """\
## What stands for others

The gateway's `/openapi.json` describes what it answers here as the operations that are asked for it.
"""

Json = Mapping[str, Any]  # Any: a JSON value


def api_reference() -> str:
    everything = built()
    schemas = everything.document["components"]["schemas"]
    operations = {
        operation["operationId"]: (path, operation)
        for path, methods in everything.document["paths"].items()
        for operation in methods.values()
    }
    out = [_HEAD]
    ordered = sorted(everything.routes, key=lambda route: (_area(route), route.path, route.method))
    for area, routes in groupby(ordered, key=_area):
        out += [f"## {area}", ""]
        for route in routes:
            path, operation = operations[operation_id(route)]
            out += [*_operation(route, path, operation, schemas), ""]
    out.append(_ELSEWHERE)
    mounts = sorted((mount for mount in everything.mounts if not mount.documents), key=lambda mount: mount.prefix)
    out += table(
        ("Prefix", "For", "What"), [(f"`{mount.prefix}`", str(mount.policy), mount.summary) for mount in mounts]
    )
    return "\n".join(out) + "\n"


def _area(route: Route) -> str:
    return route.path.split("/")[3] if route.path.startswith("/api/v1/") else "of every listener"


def _operation(route: Route, path: str, operation: Json, schemas: Json) -> Iterator[str]:
    yield f"### `{route.method} {path}`"
    yield ""
    yield route.summary + ("" if route.summary.endswith((".", "?")) else ".")
    yield ""
    yield f"- for: {route.policy}" + ("; repeatable" if route.creates else "")
    in_query = [_optional(each["name"], each["required"]) for each in operation["parameters"] if each["in"] == "query"]
    if in_query:
        yield f"- query: {', '.join(in_query)}"
    if route.headers_doc:
        yield f"- headers: {', '.join(f'`{name}`' for name in route.headers_doc)}"
    if "requestBody" in operation:
        yield f"- body: {_body(operation['requestBody']['content'], schemas)}"
    yield f"- answers: {_answers(route, operation, schemas)}"
    problems = _problems(route)
    if problems:
        yield f"- problems: {problems}"


def _optional(name: str, is_required: bool) -> str:
    return f"`{name}`" if is_required else f"`{name}`?"


def _body(content: Json, schemas: Json) -> str:
    described = []
    for media_type, what in sorted(content.items()):
        fields = _fields(what.get("schema", {}), schemas)
        described.append(fields if media_type == "application/json" else f"`{media_type}`")
    return " or ".join(described)


def _fields(schema: Json, schemas: Json) -> str:
    named = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    if named.get("type") == "array":
        return f"list of: {_fields(named.get('items', {}), schemas)}"
    properties, required = named.get("properties", {}), named.get("required", ())
    return ", ".join(_optional(name, name in required) for name in properties) or "a JSON object"


def _answers(route: Route, operation: Json, schemas: Json) -> str:
    good = []
    for status, answer in operation["responses"].items():
        if "x-streamgate-codes" in answer:
            continue
        content = answer.get("content", {}).get("application/json")
        others = sorted(set(answer.get("content", {})) - {"application/json"})
        what = [_names(content["schema"], schemas)] if content else [f"`{each}`" for each in others]
        said = [route.also[int(status)]] if int(status) in route.also else []
        good.append(" ".join([status, *said, *filter(None, what)]))
    return "; ".join(good)


def _names(schema: Json, schemas: Json) -> str:
    """The fields of an answer; that some may be left out is for the schema to say."""
    return _fields(schema, schemas).replace("`?", "`")


def _problems(route: Route) -> str:
    own = _codes(route.errors) - _codes(implied_errors(route))
    return ", ".join(f"{status} `{code}`" for status, code in sorted(own))


def _codes(errors: Iterable[type[StreamgateError]]) -> set[tuple[int, str]]:
    return {(error.status, error.code) for error in errors}
