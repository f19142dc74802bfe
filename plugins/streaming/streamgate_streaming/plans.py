"""The plan of a media version as its jobs find it: one blob, named by what is in it."""

from __future__ import annotations

import hashlib

import attrs
import orjson

from streamgate.contracts.media import MediaPlan
from streamgate.wire import to_plain

_NAME_CHARS = 16


@attrs.frozen
class PlanBlob:
    key: str
    data: bytes


def plan_blob(content_id: str, media_version: int, plan: MediaPlan) -> PlanBlob:
    """The same plan gives the same key and bytes, so writing it again is harmless; another one gets another key."""
    data = orjson.dumps(to_plain(plan), option=orjson.OPT_SORT_KEYS)
    name = hashlib.sha256(data).hexdigest()[:_NAME_CHARS]
    return PlanBlob(f"{plans_prefix(content_id, media_version)}{name}.json", data)


def copies_prefix(content_id: str, media_version: int) -> str:
    """Where segments of the source itself are, each under one name, whoever cuts them. Everything below it goes with
    the version."""
    return f"copies/{content_id}/{media_version}/"


def plans_prefix(content_id: str, media_version: int) -> str:
    """Everything below it goes with the version."""
    return f"plans/{content_id}/{media_version}/"
