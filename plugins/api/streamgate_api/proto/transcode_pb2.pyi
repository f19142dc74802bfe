from google.api import annotations_pb2 as _annotations_pb2
from streamgate_api.proto import streaming_pb2 as _streaming_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitTranscodeRequest(_message.Message):
    __slots__ = ("content_id", "profile", "priority")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    profile: str
    priority: int
    def __init__(self, content_id: _Optional[str] = ..., profile: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class TranscodeTask(_message.Message):
    __slots__ = ("task_id", "status")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    status: str
    def __init__(self, task_id: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...

class TranscodeStatusRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class TranscodeStatus(_message.Message):
    __slots__ = ("task_id", "content_id", "status", "progress", "stage", "renditions", "speed", "eta_s", "error", "attempts")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    RENDITIONS_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    ETA_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    content_id: str
    status: str
    progress: float
    stage: str
    renditions: _containers.RepeatedCompositeFieldContainer[_streaming_pb2.Rendition]
    speed: float
    eta_s: float
    error: str
    attempts: int
    def __init__(self, task_id: _Optional[str] = ..., content_id: _Optional[str] = ..., status: _Optional[str] = ..., progress: _Optional[float] = ..., stage: _Optional[str] = ..., renditions: _Optional[_Iterable[_Union[_streaming_pb2.Rendition, _Mapping]]] = ..., speed: _Optional[float] = ..., eta_s: _Optional[float] = ..., error: _Optional[str] = ..., attempts: _Optional[int] = ...) -> None: ...

class CancelTranscodeRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class ListTranscodesRequest(_message.Message):
    __slots__ = ("status", "content_id", "limit", "cursor")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    status: str
    content_id: str
    limit: int
    cursor: str
    def __init__(self, status: _Optional[str] = ..., content_id: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class TranscodePage(_message.Message):
    __slots__ = ("items", "next_cursor")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[TranscodeStatus]
    next_cursor: str
    def __init__(self, items: _Optional[_Iterable[_Union[TranscodeStatus, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...
