"""The gateway's doors beside plain HTTP, as a client uses them: gRPC by reflection and by stub, events, WebSocket."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import grpc
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from streamgate_api.proto import (
    content_pb2,
    content_pb2_grpc,
    transcode_pb2,
    transcode_pb2_grpc,
    upload_pb2,
    upload_pb2_grpc,
)
from tests.e2e.client import Api

TWINS = {"Upload": ("POST", "/api/v1/upload"), "Chunk": ("POST", "/api/v1/upload/chunk")}
TWINS["Watch"] = ("GET", "/api/v1/transcode/status")


@attrs.frozen
class GrpcMethod:
    """`operation`: method and path of its HTTP twin."""

    path: str
    operation: tuple[str, str]
    is_from_stream: bool
    is_to_stream: bool


def channel_to(port: int) -> Any:
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}")


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


async def grpc_methods(port: int) -> list[GrpcMethod]:
    """What the server says of itself."""
    pool, added = DescriptorPool(), set[str]()
    async with channel_to(port) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub

        async def ask(**what: str) -> Any:
            asked = iter([reflection_pb2.ServerReflectionRequest(**what)])
            answers = stub(channel).ServerReflectionInfo(asked)
            return await anext(aiter(answers))

        async def add(**what: str) -> None:
            for each in (await ask(**what)).file_descriptor_response.file_descriptor_proto:
                file = FileDescriptorProto.FromString(each)
                if file.name not in added:
                    added.add(file.name)
                    for needed in file.dependency:
                        await add(file_by_filename=needed)
                    pool.AddSerializedFile(each)

        listed = (await ask(list_services="")).list_services_response.service
        names = [each.name for each in listed if each.name.startswith("streamgate.")]
        for name in names:
            await add(file_containing_symbol=name)
    return [_method(method) for name in names for method in pool.FindServiceByName(name).methods]


def _method(method: Any) -> GrpcMethod:
    operation = TWINS.get(method.name, ("", ""))
    options = annotations_pb2.http.message_type._concrete_class
    for field, value in method.GetOptions().ListFields():
        if field.name == "http":
            rule = options.FromString(value.SerializeToString())
            verb = rule.WhichOneof("pattern")
            operation = (verb.upper(), getattr(rule, verb))
    path = f"/{method.containing_service.full_name}/{method.name}"
    return GrpcMethod(path, operation, method.client_streaming, method.server_streaming)


async def outcome_of(port: int, method: GrpcMethod, token: str) -> str:
    """The name of the status that an empty message gets."""
    async with channel_to(port) as channel:
        more = {"metadata": bearer(token), "timeout": 20}
        try:
            if method.is_from_stream:
                await channel.stream_unary(method.path)(iter([b""]), **more)
            elif method.is_to_stream:
                async for _ in channel.unary_stream(method.path)(b"", **more):
                    break
            else:
                await channel.unary_unary(method.path)(b"", **more)
        except grpc.aio.AioRpcError as refused:
            return refused.code().name
    return "OK"


async def say_hello_over_grpc(port: int, token: str, content_id: str) -> None:
    """The work of a creator by generated stubs: a content, its gate, its file, the transcode watched to its end."""
    contents: Any = content_pb2_grpc.ContentServiceStub
    uploads: Any = upload_pb2_grpc.UploadServiceStub
    transcodes: Any = transcode_pb2_grpc.TranscodeServiceStub
    more: dict[str, Any] = {"metadata": bearer(token), "timeout": 60}
    async with channel_to(port) as channel:
        request = content_pb2.CreateContentRequest(title="By gRPC")
        request.gate.update({"public": {}})
        made = await contents(channel).Create(request, **more)
        stored = await contents(channel).GetGate(content_pb2.GetGateRequest(content_id=made.content_id), **more)
        assert "public" in stored.gate.fields
        parts = [
            upload_pb2.UploadRequest(
                header=upload_pb2.UploadHeader(filename="no video.bin", content_id=made.content_id)
            ),
            *[upload_pb2.UploadRequest(data=b"not a video at all " * 1000)] * 5,
        ]
        done = await uploads(channel).Upload(iter(parts), **more)
        assert (done.content_id, done.size_bytes) == (made.content_id, 95_000)
        submit = transcode_pb2.SubmitTranscodeRequest(content_id=content_id)
        task = await transcodes(channel).Submit(submit, **more)
        told: list[str] = []
        async for status in transcodes(channel).Watch(
            transcode_pb2.TranscodeStatusRequest(task_id=task.task_id), **more
        ):
            told.append(status.status)
        assert told[-1] in ("failed", "dead"), told


@attrs.define
class Seen:
    """Names of events about the upload, until it was complete."""

    by_events: list[str] = attrs.field(factory=list)
    by_socket: list[str] = attrs.field(factory=list)
    by_others: list[str] = attrs.field(factory=list)


async def upload_and_look(owner: Api, other: Api, folder: Path) -> Seen:
    """Looks on three connections while a file is uploaded."""
    base_url = str(owner.http.base_url).rstrip("/")
    file = folder / "watched.bin"
    file.write_bytes(b"watched " * 50_000)
    made = await owner.call("POST", "/api/v1/content", json={"title": "Watched"})
    query = f"?kinds=upload&content_id={made['content_id']}"
    ticket = (await owner.call("POST", "/api/v1/events/ticket"))["ticket"]
    seen = Seen()
    async with AsyncExitStack() as cleanup:
        http = await cleanup.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=40)))
        streams = [
            await cleanup.enter_async_context(
                http.get(f"{base_url}/api/v1/events{query}", headers={"Authorization": f"Bearer {api.token}"})
            )
            for api in (owner, other)
        ]
        socket = await cleanup.enter_async_context(http.ws_connect(f"{base_url}/api/v1/ws{query}&ticket={ticket}"))
        for stream in streams:
            assert await _next(stream) == "hello"
        assert (await socket.receive_json())["event"] == "hello"
        hearing = asyncio.ensure_future(_all_of(streams[1], seen.by_others))
        begun = await owner.begin_upload(file, content_id=made["content_id"])
        await owner.resume_upload(begun, file)
        async with asyncio.timeout(30):
            while not _is_end(seen.by_events):
                seen.by_events.append(await _next(streams[0]))
            while not _is_end(seen.by_socket):
                name = (await socket.receive_json())["event"]
                seen.by_socket += [name] if name != "ping" else []
        hearing.cancel()
        await asyncio.wait({hearing})
    return seen


def _is_end(names: list[str]) -> bool:
    return bool(names) and not names[-1].endswith(".progress")


async def _next(stream: aiohttp.ClientResponse) -> str:
    name = ""
    async for line in stream.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            json.loads(value)
        elif not field and name:
            return name
    raise ConnectionError("the stream ended")


async def _all_of(stream: aiohttp.ClientResponse, names: list[str]) -> None:
    while True:
        names.append(await _next(stream))
