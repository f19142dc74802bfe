"""OpenAPI 3.1 from the typed routes: what validates is what is documented.

Each operation has its policy as `security` and in words (`x-streamgate-policy`), and each error answer lists
the codes it may carry (`x-streamgate-codes`). Of a mount, the operations are described that it `documents`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs
import orjson

from streamgate import errors
from streamgate.web.openapi.answers import ANSWER_HEADERS, HEADERS_BY_STATUS, implied_errors, reads_credentials
from streamgate.web.problems import MEDIA_TYPE
from streamgate.web.routes import Route
from streamgate.web.schema import Schemas, fields_of, first_paragraph

_PARAMETER = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::[a-z]+)?\}")


@attrs.frozen(kw_only=True)
class Problem:
    """An error, by RFC 9457. `code` is stable; `errors` comes with 422; some codes have members of their own."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[errors.FieldError, ...] = ()


_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"api_key": []}]


@attrs.frozen
class Description:
    """An OpenAPI document, encoded, and its hash."""

    document: bytes
    sha256: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Description:
        encoded = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        return cls(encoded, hashlib.sha256(encoded).hexdigest())


def describe(routes: Sequence[Route], *, title: str, version: str) -> Description:
    """The document for these routes; the same routes give the same bytes.

    Raises:
        TypeError: a class has a field that cannot be described.
    """
    schemas = Schemas()
    schemas.of(Problem)
    schemas.components["Problem"]["additionalProperties"] = True
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})
        operations[route.method.lower()] = _operation(route, schemas)
    info = {"title": title, "version": version}
    components = {"schemas": schemas.components, "securitySchemes": _SECURITY_SCHEMES}
    return Description.of({"openapi": "3.1.0", "info": info, "paths": paths, "components": components})


def operation_id(route: Route) -> str:
    """Stable as long as method and path are: `post_content_by_content_id_gate_check`."""
    words = [
        f"by_{step[1:-1].partition(':')[0]}" if step.startswith("{") else step
        for step in route.path.removeprefix("/api/v1/").strip("/").split("/")
    ]
    return re.sub(r"[^a-zA-Z0-9]+", "_", "_".join([route.method.lower(), *words])).strip("_")


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": route.description or first_paragraph(route.handler),
        "tags": [route.path.split("/")[3] if route.path.startswith("/api/v1/") else "system"],
        "x-streamgate-policy": str(route.policy),
        "security": _security(route),
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        is_open = not attrs.has(route.body)  # `dict[str, Any]`: its fields are somebody else's to know
        is_required = is_open or any(field.default is attrs.NOTHING for field in fields_of(route.body))
        content: dict[str, Any] = {"application/json": {"schema": schemas.of(route.body)}}
        operation["requestBody"] = {"required": is_required, "content": content}
    elif route.raw_body:
        media_types = route.accepts or ("application/octet-stream",)
        schema = {} if route.raw_schema is None else {"schema": schemas.of(route.raw_schema)}
        required = {"required": True} if schema else {}
        operation["requestBody"] = {**required, "content": dict.fromkeys(media_types, schema)}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    """Public routes read a credential that is sent; `{}` says that none is needed."""
    if not reads_credentials(route):
        return []
    return [{}, *_CREDENTIALS] if route.policy.level == "public" else _CREDENTIALS


def _parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    in_path = _PARAMETER.findall(route.path)
    found: list[dict[str, Any]] = []
    described: set[str] = set()
    for field in fields_of(route.query) if route.query is not None else ():
        described.add(field.name)
        schema = schemas.field(field)
        said = {"description": schema.pop("description")} if "description" in schema else {}
        place = "path" if field.name in in_path else "query"
        is_required = place == "path" or field.default is attrs.NOTHING
        found.append({"name": field.name, "in": place, "required": is_required, "schema": schema, **said})
    for name in in_path:
        if name not in described:
            found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    for name, said_of_header in route.headers_doc.items():
        header = {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        found.append({**header, "description": said_of_header})
    return [*found, _idempotency_key(route)] if route.creates else found


def _idempotency_key(route: Route) -> dict[str, Any]:
    compared = "a body of the same length and the same headers of those above" if route.raw_body else "the same body"
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]*$"},
        "description": f"Sent again with the same key and {compared} within a day, the request is answered as it was "
        "the first time and creates nothing. Without sign-in it has no effect.",
    }


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    status, answered = route.status, _answered(route, schemas)
    if status == 200 and "content" not in answered:
        status, answered = 204, {"description": HTTPStatus.NO_CONTENT.phrase}
    created = {"Idempotency-Replayed": {"schema": {"type": "string", "enum": ["true"]}}} if route.creates else {}
    responses: dict[str, Any] = {str(status): {**answered, "headers": {**ANSWER_HEADERS, **created}}}
    by_status: dict[int, list[str]] = {}
    for error in [*implied_errors(route), *route.errors]:
        codes = by_status.setdefault(error.status, [])
        if error.code not in codes:
            codes.append(error.code)
    for error_status, codes in sorted(by_status.items()):
        responses[str(error_status)] = {
            "description": ", ".join(f"`{code}`" for code in codes),
            "x-streamgate-codes": codes,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": HEADERS_BY_STATUS[error_status]} if error_status in HEADERS_BY_STATUS else {}),
        }
    for also_status, said in route.also.items():
        known = responses.setdefault(str(also_status), {})
        known["description"] = "; ".join(filter(None, (known.get("description"), said)))
        if also_status != HTTPStatus.NOT_MODIFIED and "content" in answered:
            known["content"] = {**known.get("content", {}), **answered["content"]}
    return responses


def _answered(route: Route, schemas: Schemas) -> dict[str, Any]:
    answered: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        answered["content"] = {"application/json": {"schema": schemas.of(route.answer)}}
    elif route.produces != ("application/json",):
        answered["content"] = {media_type: {} for media_type in route.produces}
    return answered
