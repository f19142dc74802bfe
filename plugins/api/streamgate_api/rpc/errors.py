"""Problem documents as gRPC statuses: the code by a table, the rest in the details every gRPC client library reads.

Trailing metadata: `streamgate-code` (the stable code), `x-request-id`, and `grpc-status-details-bin`, a
google.rpc.Status with ErrorInfo (reason: the code), RequestInfo, BadRequest (faults of fields), RetryInfo, and a
Struct of what else the problem document holds (a gate's explanation, missing chunks).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import grpc
import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from streamgate.errors import Internal, StreamgateError
from streamgate.web.problems import problem_document
from streamgate_api.inside import Answer
from streamgate_api.rpc.messages import plain_to_struct

DOMAIN = "streamgate"
_STANDARD = frozenset({"type", "title", "status", "detail", "code", "request_id", "errors"})

Code = grpc.StatusCode

BY_STATUS = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.FAILED_PRECONDITION,
    410: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    431: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
    507: Code.UNAVAILABLE,
}
BY_CODE = {
    "service.deadline_exceeded": Code.DEADLINE_EXCEEDED,
    "request.unknown_path": Code.UNIMPLEMENTED,
    "jobs.lease_lost": Code.ABORTED,
    "stream.too_many": Code.RESOURCE_EXHAUSTED,
    "upload.chunk_busy": Code.ABORTED,
    "upload.chunk_differs": Code.ALREADY_EXISTS,
    "upload.too_many": Code.RESOURCE_EXHAUSTED,
}
"""Where the status alone does not tell: a second try helps after ABORTED, not after FAILED_PRECONDITION."""


@attrs.frozen
class RpcError:
    """What the caller is told: the arguments of `ServicerContext.abort`, and the HTTP status they stand for."""

    status: int  # of HTTP
    code: grpc.StatusCode
    details: str
    trailing: tuple[tuple[str, str | bytes], ...]


def from_answer(answer: Answer) -> RpcError:
    """Of an answer with status 400 or above."""
    try:
        problem = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        problem = {}
    if not isinstance(problem, dict) or "code" not in problem:
        return from_error(Internal(), answer.header(b"x-request-id"))
    return _from_problem(problem, answer.status, answer.header(b"retry-after"))


def from_error(error: StreamgateError, request_id: str) -> RpcError:
    """Of an error that came up in the gateway's gRPC part itself."""
    retry = "" if error.retry_after_s is None else str(int(error.retry_after_s))
    return _from_problem(problem_document(error, request_id), error.status, retry)


def code_of(status: int, code: str) -> grpc.StatusCode:
    return BY_CODE.get(code) or BY_STATUS.get(status, Code.INTERNAL if status >= 500 else Code.FAILED_PRECONDITION)


def _from_problem(problem: Mapping[str, Any], status: int, retry_after: str) -> RpcError:
    code, request_id = str(problem["code"]), str(problem.get("request_id", ""))
    rpc_code, text = code_of(status, code), str(problem.get("detail", ""))
    told = status_pb2.Status(code=rpc_code.value[0], message=text)
    _add(told, error_details_pb2.ErrorInfo(reason=code, domain=DOMAIN, metadata={"http_status": str(status)}))
    _add(told, error_details_pb2.RequestInfo(request_id=request_id))
    if problem.get("errors"):
        violation = error_details_pb2.BadRequest.FieldViolation
        faults = [violation(field=each["field"], description=each["message"]) for each in problem["errors"]]
        _add(told, error_details_pb2.BadRequest(field_violations=faults))
    if retry_after.isdigit():
        _add(told, error_details_pb2.RetryInfo(retry_delay=Duration(seconds=int(retry_after))))
    more = {name: value for name, value in problem.items() if name not in _STANDARD}
    if more:
        _add(told, plain_to_struct(more))
    trailing = (
        ("streamgate-code", code),
        ("x-request-id", request_id),
        ("grpc-status-details-bin", told.SerializeToString()),
    )
    return RpcError(status, rpc_code, text, trailing)


def _add(told: status_pb2.Status, detail: Any) -> None:
    told.details.add().Pack(detail)
