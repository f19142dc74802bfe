"""Wrong requests for every operation of an OpenAPI document: what is sent, and what must come back.

    for case in wrong_requests(operation, document, ids): ...

Nothing here knows an endpoint by name. A case is built from the operation's own schema, so what is documented is
what is tried; `ids` fill in what a request must name to get as far as the fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import attrs

JSON = "application/json"
REFUSED = frozenset({400, 403, 404, 409, 410, 413, 415, 416, 422})
_INVALID = frozenset({422})
_NAMED = re.compile(r"\{([^}]*)\}")

NO_JSON = {
    "half an object": b'{"a":',
    "words": b"nope",
    "NaN": b'{"a": NaN}',
    "two values": b"{} {}",
    "no UTF-8": b'{"a": "\xff"}',
    "half a surrogate": b'{"a": "\\ud800"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "nested deeply": b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
}
NO_OBJECT = {"an array": b"[]", "a text": b'"x"', "a number": b"1", "null": b"null"}
WRONG_IDS = {
    "an id nobody has": "x_0000000000000000000000",
    "a long one": "A" * 300,
    "U+0000": "a%00b",
    "a way out": "..%2f..%2f..%2fetc%2fpasswd",
    "a way out, twice encoded": "..%252f..%252fetc%252fpasswd",
    "dots": "%2e%2e",
    "a line end": "a%0d%0aX-Evil:%201",
    "a snowman": "%e2%98%83",
    "no UTF-8": "%ff%fe",
    "SQL": "%27%20OR%201%3d1--",
    "blank": "%20",
}
_VALUES: tuple[tuple[str, Any], ...] = (
    ("object", {"x": 1}),
    ("array", [[]]),
    ("boolean", True),
    ("number", 1.5),
    ("string", "text"),
    ("null", None),
)


@attrs.frozen(eq=False)
class Operation:
    method: str
    path: str
    policy: str
    spec: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def media_types(self) -> tuple[str, ...]:
        return tuple(self.spec.get("requestBody", {}).get("content", {}))

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [each for each in self.spec.get("parameters", ()) if each["in"] == place]

    def codes(self, status: int) -> tuple[str, ...]:
        """What the document says that this operation may answer."""
        return tuple(self.spec["responses"].get(str(status), {}).get("x-streamgate-codes", ()))


@attrs.frozen(kw_only=True)
class Case:
    """One wrong request. `url` is encoded already. `wanted`: statuses; `field`: whom a 422 must name; `allowed`: what
    a 405 must."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = attrs.field(default=None, repr=False)
    wanted: frozenset[int] = REFUSED
    field: str = ""
    allowed: str = ""


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    return [
        Operation(method.upper(), path, spec["x-streamgate-policy"], spec)
        for path, methods in document["paths"].items()
        for method, spec in methods.items()
    ]


class Maker:
    """Makes requests for one operation: as good as its schema allows, and then with one thing wrong."""

    def __init__(self, operation: Operation, document: Mapping[str, Any], ids: Mapping[str, Any]) -> None:
        self.operation = operation
        self._document = document
        self._ids = ids

    def url(self, *, path: Mapping[str, str] | None = None, query: Mapping[str, str | None] | None = None) -> str:
        """`path` and `query` replace single values, encoded already; None leaves a query field out."""
        names = {each["name"]: quote(str(self._value(each)), safe="") for each in self.operation.parameters("path")}
        where = _NAMED.sub(lambda name: {**names, **(path or {})}[name[1]], self.operation.path)
        wanted = {
            each["name"]: quote(str(self._value(each)), safe="")
            for each in self.operation.parameters("query")
            if each.get("required")
        }
        pairs = {**wanted, **(query or {})}
        said = "&".join(f"{name}={value}" for name, value in pairs.items() if value is not None)
        return f"{where}?{said}" if said else where

    def good(self, **more: Any) -> Case:
        """With a body where one is taken."""
        return self._case("good", body=self.encoded_body(), **more)

    def encoded_body(self) -> bytes | None:
        if JSON in self.operation.media_types:
            return json.dumps(self.example(self._schema)).encode()
        return b"raw" if self.operation.media_types else None

    def _case(self, name: str, *, url: str = "", media_type: str = "", **more: Any) -> Case:
        if "headers" not in more and more.get("body") is not None:
            more["headers"] = {"Content-Type": media_type or self.operation.media_types[0]}
        return Case(name=name, method=self.operation.method, url=url or self.url(), **more)

    def _value(self, parameter: Mapping[str, Any]) -> Any:
        return self._ids.get(parameter["name"], self.example(parameter["schema"]))

    # --- bodies -------------------------------------------------------------------------------------

    @property
    def _schema(self) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = self.operation.spec["requestBody"]["content"][JSON]["schema"]
        return schema

    def wrong_bodies(self, max_bytes: int) -> Iterator[Case]:
        """`max_bytes`: of the largest body that is read."""
        if JSON not in self.operation.media_types:
            return
        good = self.encoded_body()
        for name, body in NO_JSON.items():
            yield self._case(f"no JSON: {name}", body=body, wanted=frozenset({400}))
        for name, body in NO_OBJECT.items():
            yield self._case(f"no object: {name}", body=body, wanted=_INVALID)
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            headers = {"Content-Type": media_type}
            yield self._case(f"type {media_type!r}", body=good, headers=headers, wanted=frozenset({415}))
        big = b'{"a":"' + b"x" * max_bytes + b'"}'
        yield self._case("too large", body=big, wanted=frozenset({413}))
        yield from self._wrong_fields()

    def _wrong_fields(self) -> Iterator[Case]:
        schema = self.resolved(self._schema)
        good = self.example(schema)
        if "properties" not in schema:
            return
        yield self._fields("an unknown field", {**good, "no_such_field": 1}, "no_such_field")
        for name in schema.get("required", ()):
            rest = {key: value for key, value in good.items() if key != name}
            yield self._fields(f"without {name}", rest, name)
        for name, inner in schema["properties"].items():
            for said, value in self.wrong_values(inner):
                yield self._fields(f"{name} {said}", {**good, name: value}, name)

    def _fields(self, name: str, body: Any, field: str) -> Case:
        return self._case(name, body=json.dumps(body).encode(), wanted=_INVALID, field=field)

    def wrong_values(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Of each type that is not taken, and just beyond what is documented of those that are."""
        schema, types = self.resolved(schema), self.types(schema)
        if not types:
            return
        for kind, value in _VALUES:
            if kind not in types:
                yield f"is {kind}", value
        if "integer" in types and "number" not in types:
            yield "is huge", 10**30
        if "string" in types:
            yield "has U+0000", "a\0b"
        if "enum" in schema:
            yield "is no choice", "no such choice"
        if "pattern" in schema:
            yield "has characters not allowed", "\u2603 \n"
        if "maxLength" in schema:
            yield "is too long", "x" * (schema["maxLength"] + 1)
        if schema.get("minLength"):
            yield "is empty", ""
        if "minimum" in schema:
            yield "is too small", schema["minimum"] - 1
        if "maximum" in schema:
            yield "is too large", schema["maximum"] + 1
        if "maxItems" in schema and "array" in types:
            yield "has too many", [self.example(schema["items"])] * (schema["maxItems"] + 1)
        if schema.get("minItems"):
            yield "has too few", []

    # --- paths and queries --------------------------------------------------------------------------

    def wrong_parameters(self) -> Iterator[Case]:
        body = self.encoded_body()
        for each in self.operation.parameters("path"):
            for said, value in WRONG_IDS.items():
                yield self._case(f"{each['name']}: {said}", url=self.url(path={each["name"]: value}), body=body)
        query = self.operation.parameters("query")
        for each in query:
            name = each["name"]
            if each.get("required"):
                url = self.url(query={name: None})
                yield self._case(f"without ?{name}", url=url, body=body, wanted=_INVALID, field=name)
            url = self.url(query={name: "a%00b"})
            yield self._case(f"?{name} has U+0000", url=url, body=body, wanted=_INVALID, field=name)
            url = self.url(query={name: "1"}) + f"&{name}=2"
            yield self._case(f"?{name} twice", url=url, body=body, wanted=_INVALID, field=name)
            for said, value in self._wrong_texts(each["schema"]):
                url = self.url(query={name: quote(value, safe="")})
                yield self._case(f"?{name} {said}", url=url, body=body, wanted=_INVALID, field=name)
        if query:
            url = self.url(query={"no_such_field": "1"})
            yield self._case("?no_such_field", url=url, body=body, wanted=_INVALID, field="no_such_field")
        for each in query:
            if each.get("required") and each["name"] in self._ids:
                for said, value in WRONG_IDS.items():
                    yield self._case(f"?{each['name']}: {said}", url=self.url(query={each["name"]: value}), body=body)

    def _wrong_texts(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        schema, types = self.resolved(schema), self.types(schema)
        if not types & {"string", "null"} or (types & {"integer", "number", "boolean"}):
            yield "is no number", "abc"
            yield "is NaN", "nan"
            yield "is huge", "9" * 400
            yield "is blank", "%20"
        if "enum" in schema:
            yield "is no choice", "no_such_choice"
        if "maxLength" in schema:
            yield "is too long", "x" * (schema["maxLength"] + 1)
        if "minimum" in schema:
            yield "is too small", str(schema["minimum"] - 1)
        if "maximum" in schema:
            yield "is too large", str(schema["maximum"] + 1)

    # --- heads --------------------------------------------------------------------------------------

    def wrong_heads(self) -> Iterator[Case]:
        """Too long a URL; too many headers, and too large ones. Whoever asks."""
        body, media = (
            self.encoded_body(),
            {"Content-Type": self.operation.media_types[0]} if self.encoded_body() else {},
        )
        yield self._case("long URL", url=self.url(query={"x": "a" * 9_000}), body=body, wanted=frozenset({414}))
        many = {f"X-More-{number}": "1" for number in range(120)}
        yield self._case("many headers", body=body, headers={**media, **many}, wanted=frozenset({431}))
        large = {**media, "X-Large": "x" * 40_000}
        yield self._case("large headers", body=body, headers=large, wanted=frozenset({431}))

    # --- schemas ------------------------------------------------------------------------------------

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without a reference, and without `null` beside one other choice."""
        if "$ref" in schema:
            found: Mapping[str, Any] = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return found
        others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if len(others) == 1:
            inner = self.resolved(others[0])
            return {**inner, "type": [inner.get("type", "object"), "null"]}
        return schema

    def types(self, schema: Mapping[str, Any]) -> set[str]:
        """Names of the JSON types that are taken; none: any."""
        kind = schema.get("type", [])
        types = {kind} if isinstance(kind, str) else set(kind)
        return types | {"integer"} if "number" in types else types

    def example(self, schema: Mapping[str, Any], name: str = "") -> Any:
        if name in self._ids:
            return self._ids[name]
        schema = self.resolved(schema)
        if "enum" in schema:
            return schema["enum"][0]
        types = self.types(schema)
        if "object" in types:
            inner = schema.get("properties", {})
            return {key: self.example(inner[key], key) for key in schema.get("required", ())}
        if "integer" in types:
            return max(1, schema.get("minimum", 1))
        simple: tuple[tuple[str, Any], ...] = (("string", "text"), ("boolean", True), ("array", []), ("null", None))
        return next((value for kind, value in simple if kind in types), {})
