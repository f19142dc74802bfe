"""Clients of the gRPC server as protoc makes them, by service name; and how its errors are read."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.context import Actor
from streamgate.testing.house import ACTOR_HEADER
from streamgate.wire import to_plain

FILES = {"Auth": "auth", "Content": "content", "Nft": "nft", "Streaming": "streaming", "Transcode": "transcode"}
FILES["Upload"] = "upload"


def messages(name: str) -> Any:
    """The generated module of a service's messages."""
    return importlib.import_module(f"streamgate_api.proto.{FILES[name]}_pb2")


@attrs.frozen
class Client:
    """One person's channel."""

    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...] = ()

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int, *metadata: tuple[str, str]) -> AsyncIterator[Client]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield cls(channel, metadata)

    def acting_as(self, actor: Actor) -> Client:
        """For servers whose application is wrapped by `believing`."""
        return Client(self.channel, (("authorization", f"Bearer {json.dumps(to_plain(actor))}"),))

    def method(self, service: str, name: str) -> Callable[..., Any]:
        module = importlib.import_module(f"streamgate_api.proto.{FILES[service]}_pb2_grpc")
        found: Callable[..., Any] = getattr(getattr(module, f"{service}ServiceStub")(self.channel), name)
        return found

    def raw(self, path: str) -> Callable[..., Any]:
        """A method by its path, in bytes."""
        channel: Any = self.channel
        found: Callable[..., Any] = channel.unary_unary(path)
        return found

    async def call(self, service: str, name: str, request: Any, **more: Any) -> Any:
        metadata = (*self.metadata, *more.pop("metadata", ()))
        return await self.method(service, name)(request, metadata=metadata, timeout=more.pop("timeout", 20), **more)


def believing(app: ASGIApp) -> ASGIApp:
    """The application of a house, where the bearer token is the actor itself."""

    async def translated(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (ACTOR_HEADER.encode(), value.removeprefix(b"Bearer ")) if name == b"authorization" else (name, value)
            for name, value in scope["headers"]
        ]
        await app({**scope, "headers": headers}, receive, send)

    return translated


@attrs.frozen
class Told:
    """What a refusal said."""

    code: grpc.StatusCode
    text: str
    reason: str
    request_id: str
    fields: dict[str, str]
    details: dict[str, Message]


def read_error(error: grpc.aio.AioRpcError) -> Told:
    trailing: dict[str, Any] = dict(cast(Any, error.trailing_metadata() or ()))
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    kinds: list[type[Message]] = [
        error_details_pb2.ErrorInfo,
        error_details_pb2.RequestInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
    ]
    details: dict[str, Any] = {}
    for each in status.details:
        for kind in kinds:
            if each.Is(kind.DESCRIPTOR):
                details[kind.DESCRIPTOR.name] = kind.FromString(each.value)
    assert trailing["streamgate-code"] == details["ErrorInfo"].reason
    assert trailing["x-request-id"] == details["RequestInfo"].request_id
    violations = details["BadRequest"].field_violations if "BadRequest" in details else ()
    return Told(
        code=error.code(),
        text=error.details() or "",
        reason=details["ErrorInfo"].reason,
        request_id=details["RequestInfo"].request_id,
        fields={each.field: each.description for each in violations},
        details=details,
    )


async def refusal(call: Any) -> Told:
    """Awaits a call that must be refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read_error(caught.value)
