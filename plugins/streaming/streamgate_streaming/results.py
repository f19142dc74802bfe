"""What jobs answer, read with care: it comes from other processes."""

from __future__ import annotations

from typing import Any, TypeVar

from loguru import logger

from streamgate.contracts.events import JobFinished
from streamgate.contracts.media import MadePart, MadeResult
from streamgate.wire import from_plain

from . import indexing, making

RESULT_INVALID = "media.result_invalid"
JOB_FAILED = "media.job_failed"

T = TypeVar("T")


def fault_of(body: JobFinished) -> tuple[str, str]:
    """Code and words for a job that did not do its work; two empty strings for one that did."""
    if body.status == "done":
        return "", ""
    if body.status == "cancelled":
        return making.CANCELLED, "the task was cancelled"
    return body.error_code or JOB_FAILED, body.error_detail or "the job failed"


def parts_of(result: dict[str, Any] | None) -> tuple[MadePart, ...] | None:
    made = structured(MadeResult, result)
    return None if made is None else made.parts


def structured(kind: type[T], result: dict[str, Any] | None) -> T | None:
    """The value; None when it cannot be read."""
    try:
        return from_plain(kind, result)
    except Exception as fault:  # cattrs raises many kinds
        logger.bind(kind=kind.__name__, fault=repr(fault)).warning("job result cannot be read")
        return None


def keys_of(parts: tuple[MadePart, ...]) -> list[str]:
    return [key for part in parts for key in indexing.keys_of(part)]
