"""The gRPC server itself: its port, its end, health, reflection; and every method as nobody."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from streamgate.context import Actor
from streamgate.settings import ServerSettings
from streamgate.testing.house import house
from streamgate_api.rpc.server import ABOVE_HTTP, Address, PortTaken, RpcServer, address_beside
from tests.plugins.api.rpc_client import Client, believing, read_error, refusal

Code = grpc.StatusCode
ANY_PORT = Address(host="127.0.0.1", port=0, is_derived=False)
PUBLIC = {
    *(f"streamgate.v1.AuthService.{name}" for name in ("Challenge", "VerifySignature", "Refresh", "VerifyToken")),
    *(f"streamgate.v1.ContentService.{name}" for name in ("Get", "List")),
    *(f"streamgate.v1.StreamingService.{name}" for name in ("OpenSession", "RenewSession", "EndSession", "Info")),
}
NOT_ROUTED = {"streamgate.v1.TranscodeService.List", "streamgate.v1.AuthService.VerifyNft"}
"""Operations that not every build of the services has yet: UNIMPLEMENTED then."""


@attrs.define
class Application:
    """Answers `/ready` as it is told, and nothing else."""

    status: int = 200
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += scope["path"] == "/ready"
        answer: Response = JSONResponse({"code": "x", "detail": ""}, status_code=self.status)
        await answer(scope, receive, send)


@attrs.define
class Running:
    app: Application
    server: RpcServer
    draining: asyncio.Event
    absent: set[str]
    channel: grpc.aio.Channel

    @property
    def health(self) -> Any:
        made: Any = health_pb2_grpc.HealthStub
        return made(self.channel)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    app, draining, absent = Application(), asyncio.Event(), set[str]()
    server = RpcServer(lambda: app, ANY_PORT, draining, is_there=lambda service: service not in absent)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Running(app, server, draining, absent, channel)
    await server.stop()


async def status(running: Running, service: str = "") -> str:
    answer = await running.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


# --- the port -------------------------------------------------------------------------------------


def test_the_port_is_beside_that_of_http() -> None:
    settings = ServerSettings(host="127.0.0.1")
    derived = address_beside("http://127.0.0.1:9090", settings, None)
    assert (derived.port, derived.is_derived) == (9090 + ABOVE_HTTP, True)
    assert address_beside("http://127.0.0.1:9090", settings, 7000) == Address(
        host="127.0.0.1", port=7000, is_derived=False
    )
    assert address_beside("http://127.0.0.1:41000", ServerSettings(port=0), None).port == 0
    assert address_beside("http://127.0.0.1:65500", settings, None).port == 0


async def test_a_port_that_is_taken_is_a_fault_where_it_was_named(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        named = RpcServer(lambda: running.app, attrs.evolve(ANY_PORT, port=port), asyncio.Event())
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}.*api.grpc_port"):
            await named.start()
        derived = RpcServer(lambda: running.app, attrs.evolve(ANY_PORT, port=port, is_derived=True), asyncio.Event())
        await derived.start()
        await derived.stop()
    ours = attrs.evolve(ANY_PORT, port=running.server.port)
    with pytest.raises(PortTaken):  # another gRPC server's, too: ports are not shared
        await RpcServer(lambda: running.app, ours, asyncio.Event()).start()


# --- health ---------------------------------------------------------------------------------------


async def test_health_follows_readiness(running: Running) -> None:
    assert set(await asyncio.gather(*(status(running) for _ in range(20)))) == {"SERVING"}
    assert await status(running, "streamgate.v1.UploadService") == "SERVING"
    assert running.app.asked == 1  # probed once for all who ask at one time
    running.absent.add("upload")
    assert await status(running, "streamgate.v1.UploadService") == "NOT_SERVING"
    assert await status(running, "streamgate.v1.ContentService") == "SERVING"
    told = await refusal(running.health.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=10))
    assert told.code is Code.NOT_FOUND


async def test_health_is_watched(running: Running) -> None:
    call = running.health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    running.app.status = 503
    assert (await call.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    unknown = running.health.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=20)
    assert (await unknown.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()
    running.app.status = 200
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    running.draining.set()
    assert (await call.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert not await call.read()  # the end


async def test_a_draining_server_takes_no_more_and_ends_soon(running: Running) -> None:
    call = running.health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
    await call.read()
    began_s = time.monotonic()
    running.draining.set()
    await running.server.stop()
    assert time.monotonic() - began_s < 3
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.health.Check(health_pb2.HealthCheckRequest(), timeout=2)
    assert caught.value.code() is Code.UNAVAILABLE


# --- every method as nobody -----------------------------------------------------------------------


async def ask_reflection(channel: grpc.aio.Channel, **what: str) -> Any:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub
    async for answer in stub(channel).ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**what)])):
        return answer
    raise AssertionError("reflection did not answer")


async def described(channel: grpc.aio.Channel) -> list[MethodDescriptor]:
    """The methods of our services, as reflection alone tells them."""
    pool, added = DescriptorPool(), set[str]()

    async def add(**what: str) -> None:
        answer = await ask_reflection(channel, **what)
        for each in answer.file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(each)
            if file.name not in added:
                added.add(file.name)
                for needed in file.dependency:
                    await add(file_by_filename=needed)
                pool.AddSerializedFile(each)

    listed = (await ask_reflection(channel, list_services="")).list_services_response.service
    names = [each.name for each in listed if each.name.startswith("streamgate.")]
    for name in names:
        await add(file_containing_symbol=name)
    return [method for name in names for method in pool.FindServiceByName(name).methods]


async def asked(client: Client, method: MethodDescriptor, payload: bytes = b"") -> Any:
    """Awaits the first answer of any kind of method."""
    channel: Any = client.channel
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = client.metadata
    if method.client_streaming:
        return await channel.stream_unary(path)(iter([payload]), metadata=metadata, timeout=20)
    if method.server_streaming:
        async for answer in channel.unary_stream(path)(payload, metadata=metadata, timeout=20):
            return answer
    return await channel.unary_unary(path)(payload, metadata=metadata, timeout=20)


@pytest.fixture
async def nobody(tmp_path: Path) -> AsyncIterator[Client]:
    names = ["cache", "metadata", "auth", "worker", "streaming", "transcoder", "upload", "api"]
    async with house(tmp_path, names) as home:
        server = RpcServer(lambda: believing(home.app), ANY_PORT, asyncio.Event())
        await server.start()
        async with Client.connect(server.port) as client:
            yield client
        await server.stop()


async def test_nobody_gets_past_any_method(nobody: Client) -> None:
    """Methods as reflection lists them: a new one is walked without anybody adding it here."""
    methods = await described(nobody.channel)
    assert len(methods) > 25
    for method in methods:
        for payload in (b"", b"\xff\xff"):
            code = Code.OK
            try:
                await asked(nobody, method, payload)
            except grpc.aio.AioRpcError as refused:
                code = refused.code()
            if method.full_name in PUBLIC:
                assert code not in (Code.INTERNAL, Code.UNKNOWN), f"{method.full_name} {payload!r}: {code}"
            elif payload and not method.client_streaming:
                assert code is Code.INVALID_ARGUMENT, f"{method.full_name}: {code}"
            elif method.full_name in NOT_ROUTED:
                assert code in (Code.UNAUTHENTICATED, Code.UNIMPLEMENTED), method.full_name
            else:
                assert code is Code.UNAUTHENTICATED, f"{method.full_name}: {code}"


async def test_an_empty_message_of_somebody_is_never_a_fault_of_ours(nobody: Client) -> None:
    somebody = nobody.acting_as(Actor(kind="user", user_id="u_alice", roles=("viewer", "creator")))
    for method in await described(nobody.channel):
        try:
            await asked(somebody, method)
        except grpc.aio.AioRpcError as refused:
            told = read_error(refused)
            assert told.code not in (Code.INTERNAL, Code.UNKNOWN), f"{method.full_name}: {told}"
            assert told.code is not Code.UNAUTHENTICATED or method.containing_service.name == "AuthService"
            assert told.reason
