"""The gRPC server: a unit beside the HTTP server, on a port of its own.

Drains when the process does: no new calls, running ones have GRACE_S, then they are cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import attrs
import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from loguru import logger
from starlette.types import ASGIApp

from streamgate.settings import ServerSettings
from streamgate_api.proto import auth_pb2, content_pb2, nft_pb2, streaming_pb2, transcode_pb2, upload_pb2
from streamgate_api.rpc.calls import Calls, Context, Handler, caller_of, parse, told
from streamgate_api.rpc.health import Health
from streamgate_api.rpc.operations import Operation, operation_of
from streamgate_api.rpc.uploading import Uploading
from streamgate_api.rpc.watching import Watching

FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR for module in (auth_pb2, content_pb2, nft_pb2, streaming_pb2, transcode_pb2, upload_pb2)
)
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
GRACE_S = 5.0
OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port that is taken is a fault, not shared
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.keepalive_time_ms", 60_000),  # a peer that is gone is noticed
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # a client that pings more often is cut
    ("grpc.http2.max_ping_strikes", 3),
)
ABOVE_HTTP = 100
MAX_CALLS = 1000
"""At once; one more is RESOURCE_EXHAUSTED."""


class PortTaken(OSError):
    """Names the address and what to do."""


@attrs.frozen(kw_only=True)
class Address:
    """Where to listen. `is_derived`: nobody named this port, so nobody is promised that it is free."""

    host: str
    port: int
    is_derived: bool


def address_beside(base_url: str, settings: ServerSettings, configured: int | None) -> Address:
    """On the address of the HTTP server: the port that is configured, or 100 above its own; any free one where that
    is any free one."""
    if configured is not None:
        return Address(host=settings.host, port=configured, is_derived=False)
    port = 0 if settings.port == 0 else (urlsplit(base_url).port or 0) + ABOVE_HTTP
    return Address(host=settings.host, port=port if port <= 65535 else 0, is_derived=True)


class RpcServer:
    """Args:
    app: answers what is asked, there when this starts.
    draining: set when the process begins to stop.
    """

    name = "api.grpc"
    needs = ("bus", "services", "events")

    def __init__(
        self,
        app: Callable[[], ASGIApp],
        address: Address,
        draining: asyncio.Event,
        *,
        is_there: Callable[[str], bool] = lambda service: True,
    ) -> None:
        self._app = app
        self.address = address
        self._draining = draining
        self._is_there = is_there
        self._server: grpc.aio.Server | None = None
        self._drain: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises PortTaken when a port that was configured is busy; a derived one is a warning."""
        address, calls = self.address, Calls(self._app())
        health = Health(calls, [service.full_name for service in _services()], self._draining, self._is_there)
        server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        server.add_generic_rpc_handlers((_Methods({**_handlers(calls, self._draining), **health.handlers()}),))
        names = [service.full_name for service in _services()]
        reflection.enable_server_reflection(
            [*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME], server
        )
        where = f"[{address.host}]" if ":" in address.host else address.host
        try:
            self.port = server.add_insecure_port(f"{where}:{address.port}")
        except RuntimeError as fault:
            await server.stop(None)
            if not address.is_derived:
                raise PortTaken(
                    f"cannot listen on {where}:{address.port} for gRPC; stop what holds it or set api.grpc_port"
                ) from fault
            logger.bind(address=f"{where}:{address.port}").warning("no gRPC: the port is taken; set api.grpc_port")
            return
        await server.start()
        self._server = server
        self._drain = asyncio.create_task(self._stop_when_draining(server), name=self.name)
        logger.bind(address=f"{where}:{self.port}").info("gRPC")

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is None or self._drain is None:
            return
        self._draining.set()
        await self._drain
        self._drain = None

    async def _stop_when_draining(self, server: grpc.aio.Server) -> None:
        await self._draining.wait()
        with suppress(asyncio.CancelledError):
            await server.stop(GRACE_S)


def _services() -> list[Any]:
    return [service for file in FILES for service in file.services_by_name.values()]


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """All methods in one look-up. gRPC asks handlers of single services one after another."""

    def __init__(self, by_path: Mapping[str, Handler]) -> None:
        self._by_path = by_path

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._by_path.get(handler_call_details.method)


def _handlers(calls: Calls, draining: asyncio.Event) -> dict[str, Handler]:
    """By the full path of the method."""
    uploading, watching = Uploading(calls), Watching(calls, draining)
    own: dict[str, Handler] = {
        "streamgate.v1.UploadService.Upload": grpc.stream_unary_rpc_method_handler(
            uploading.upload, response_serializer=_serialize
        ),
        "streamgate.v1.UploadService.Chunk": grpc.stream_unary_rpc_method_handler(
            uploading.chunk, response_serializer=_serialize
        ),
        "streamgate.v1.TranscodeService.Watch": grpc.unary_stream_rpc_method_handler(
            watching.watch, response_serializer=_serialize
        ),
    }

    def handler(method: MethodDescriptor) -> Handler:
        operation = operation_of(method)
        if operation is None:
            return own[method.full_name]
        return grpc.unary_unary_rpc_method_handler(_unary(calls, operation), response_serializer=_serialize)

    return {
        f"/{service.full_name}/{method.name}": handler(method) for service in _services() for method in service.methods
    }


def _unary(calls: Calls, operation: Operation) -> Callable[[bytes, Context], Any]:
    async def handle(payload: bytes, context: Context) -> Message:
        caller = caller_of(context)

        async def work() -> Message:
            return await calls.operate(caller, operation, parse(operation.request, payload))

        return await told(context, caller, operation.name, work)

    return handle


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def method_names() -> Sequence[str]:
    """Full names of the methods that are operations of the API."""
    return [method.full_name for service in _services() for method in service.methods]
