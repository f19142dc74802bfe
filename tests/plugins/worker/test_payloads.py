"""What is wrong with a payload: each field by itself, in the words of the HTTP API, and never the value of a text."""

from __future__ import annotations

from typing import Any, Literal

import attrs
import pytest
from attrs import validators

from streamgate.contracts.jobs import Kind, PayloadInvalid
from streamgate.settings import Matches, config_field
from streamgate.web.schema import Schemas
from streamgate_worker.payloads import check_payload


@attrs.frozen(kw_only=True)
class Part:
    size_bytes: int = attrs.field(validator=validators.le(8))


@attrs.frozen(kw_only=True)
class Payload:
    url: str = attrs.field(validator=[validators.min_len(1), validators.max_len(20)])
    event: str = config_field("a.b", help="What happened, dotted.", validator=Matches(r"[a-z.]+", "must be dotted"))
    for_s: float | None = attrs.field(default=None, validator=validators.optional(validators.ge(1)))
    level: Literal["", "low", "high"] = "low"
    tags: tuple[str, ...] = attrs.field(default=(), validator=validators.max_len(1))
    parts: tuple[Part, ...] = ()
    part: Part | None = None


def kind() -> Kind:
    schemas = Schemas()
    schema = {**schemas.of(Payload), "components": {"schemas": schemas.components}}
    return Kind(name="toy", summary="", payload_schema=schema, user_may_submit=True)


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        ({}, {"url": "is required"}),
        ({"url": ""}, {"url": "must not be empty"}),
        ({"url": "x", "more": 1, "less": 2}, {"more": "is not a known field", "less": "is not a known field"}),
        ({"url": "secret" * 10}, {"url": "must have at most 20 characters; has 60"}),
        ({"url": 7}, {"url": "must be a string"}),
        ({"url": "x", "event": "A B"}, {"event": "is not written as it has to be: What happened, dotted."}),
        ({"url": "x", "for_s": 0}, {"for_s": "must be at least 1 second; is 0"}),
        ({"url": "x", "for_s": "1"}, {"for_s": "must be a number or null"}),
        ({"url": "x", "level": "secret"}, {"level": "must be one of low, high"}),
        ({"url": "x", "tags": ["a", 2]}, {"tags": "must have at most 1 entry; has 2", "tags.1": "must be a string"}),
        ({"url": "x", "parts": [{"size_bytes": 9}]}, {"parts.0.size_bytes": "must be at most 8 bytes; is 9"}),
        ({"url": "x", "parts": [{}]}, {"parts.0.size_bytes": "is required"}),
        ({"url": "x", "part": 7}, {"part": "must be an object"}),
        ({"url": "x", "part": {}}, {"part.size_bytes": "is required"}),
    ],
)
def test_each_fault_is_told_in_words(payload: dict[str, Any], errors: dict[str, str]) -> None:
    with pytest.raises(PayloadInvalid) as caught:
        check_payload(kind(), payload)
    assert {each.field.removeprefix("payload."): each.message for each in caught.value.errors} == errors


def test_as_many_faults_as_anybody_reads() -> None:
    with pytest.raises(PayloadInvalid) as caught:
        check_payload(kind(), {"url": "x", **{f"more{n}": n for n in range(100)}})
    assert len(caught.value.errors) == 20


def test_what_fits_passes() -> None:
    check_payload(kind(), {"url": "x", "for_s": None, "level": "", "part": {"size_bytes": 8}})
