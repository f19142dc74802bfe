"""A gate as people write it: JSON, or the part of YAML that says the same.

Of YAML there are mappings, sequences and scalars. Plain scalars are read as YAML 1.2's JSON schema has them: `no`,
`12:30`, a time and `0x12…` are texts. There are no anchors and aliases (a few lines of which make gigabytes), no tags,
no second document, and no key twice.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
import yaml
from starlette.requests import Request

from streamgate.contracts.gate import Rule
from streamgate.errors import BadRequest, TooLarge, UnsupportedMediaType

JSON, YAML = "application/json", "application/yaml"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
_YAML_TYPES = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = {"null": None, "~": None, "": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,99})\.[0-9]{1,99}(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Raises TooLarge: 413."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise TooLarge(f"the body is larger than the {max_bytes} bytes that are read here")
    return bytes(body)


async def read_document(request: Request) -> Any:
    """What the body holds, whatever it is.

    Raises:
        TooLarge, UnsupportedMediaType, BadRequest: 413, 415, 400.
    """
    kind = media_type(request)
    if kind != JSON and not kind.endswith("+json") and kind not in _YAML_TYPES:
        raise UnsupportedMediaType(f"send {JSON} or {YAML}, not {kind or 'a body without Content-Type'}")
    body = await read_body(request, MAX_BYTES)
    return await asyncio.to_thread(parse_yaml, body) if kind in _YAML_TYPES else parse_json(body)


def media_type(request: Request) -> str:
    """In small letters, without parameters; "" where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json(body: bytes) -> Any:
    """Raises BadRequest: 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise BadRequest(f"the body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from fault


def parse_yaml(body: bytes) -> Any:
    """Raises BadRequest: 400, with the line."""
    try:
        return _Builder(body.decode()).document()
    except UnicodeDecodeError as fault:
        raise BadRequest("the body is not YAML: it is not UTF-8") from fault
    except yaml.MarkedYAMLError as fault:
        where = "" if fault.problem_mark is None else f" at line {fault.problem_mark.line + 1}"
        raise BadRequest(f"the body is not YAML: {fault.problem or fault.context}{where}") from fault
    except yaml.YAMLError as fault:
        raise BadRequest("the body is not YAML: it has a character that YAML does not allow") from fault


def to_yaml(rule: Rule) -> str:
    """What `parse_yaml` reads as the same."""
    text: str = yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


class _Builder:
    """Makes the value from the parser's events, so that nothing is made of what is refused."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Any:
        """Raises BadRequest; yaml.YAMLError where it is no YAML."""
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if found:
                    raise _refused(event, "a second document has no place here")
                found.append(self._value(next(self._events), 1))
        return found[0] if found else None

    def _value(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(event, "anchors and aliases are not read here")
        if getattr(event, "tag", None) is not None:
            raise _refused(event, "tags are not read here")
        if depth > MAX_DEPTH:
            raise _refused(event, f"it is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(each, depth + 1) for each in self._until(yaml.SequenceEndEvent)]
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _refused(event, "a key is a plain word")
            if event.value in found:
                raise _refused(event, f"the key {event.value[:40]!r} is there twice")
            found[event.value] = self._value(next(self._events), depth + 1)
        return found

    def _until(self, end: type[yaml.Event]) -> Any:
        while not isinstance(event := next(self._events), end):
            yield event


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # in quotes, or a block
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _refused(event: yaml.Event, why: str) -> BadRequest:
    mark: Any = event.start_mark  # an event of the parser always has one
    return BadRequest(f"the YAML is not read: {why}, at line {mark.line + 1}")
