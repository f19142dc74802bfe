from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitTranscodeRequest(_message.Message):
    __slots__ = ("content_id", "profile", "priority", "policy")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    profile: str
    priority: int
    policy: str
    def __init__(self, content_id: _Optional[str] = ..., profile: _Optional[str] = ..., priority: _Optional[int] = ..., policy: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("task_id", "content_id", "status", "progress", "stage", "renditions", "speed", "eta_s", "error", "attempts", "frames", "frames_planned", "fps")
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
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_PLANNED_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    content_id: str
    status: str
    progress: float
    stage: str
    renditions: _containers.RepeatedCompositeFieldContainer[RenditionProgress]
    speed: float
    eta_s: float
    error: str
    attempts: int
    frames: int
    frames_planned: int
    fps: float
    def __init__(self, task_id: _Optional[str] = ..., content_id: _Optional[str] = ..., status: _Optional[str] = ..., progress: _Optional[float] = ..., stage: _Optional[str] = ..., renditions: _Optional[_Iterable[_Union[RenditionProgress, _Mapping]]] = ..., speed: _Optional[float] = ..., eta_s: _Optional[float] = ..., error: _Optional[str] = ..., attempts: _Optional[int] = ..., frames: _Optional[int] = ..., frames_planned: _Optional[int] = ..., fps: _Optional[float] = ...) -> None: ...

class RenditionProgress(_message.Message):
    __slots__ = ("id", "name", "kind", "width_px", "height_px", "codec", "bitrate_bps", "status", "progress", "frames", "frames_planned", "fps", "speed", "eta_s", "policy")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_PLANNED_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    ETA_S_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    kind: str
    width_px: int
    height_px: int
    codec: str
    bitrate_bps: int
    status: str
    progress: float
    frames: int
    frames_planned: int
    fps: float
    speed: float
    eta_s: float
    policy: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., codec: _Optional[str] = ..., bitrate_bps: _Optional[int] = ..., status: _Optional[str] = ..., progress: _Optional[float] = ..., frames: _Optional[int] = ..., frames_planned: _Optional[int] = ..., fps: _Optional[float] = ..., speed: _Optional[float] = ..., eta_s: _Optional[float] = ..., policy: _Optional[str] = ...) -> None: ...

class CancelTranscodeRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class PauseTranscodeRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class ResumeTranscodeRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class RetryRenditionRequest(_message.Message):
    __slots__ = ("task_id", "rendition_id")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    RENDITION_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    rendition_id: str
    def __init__(self, task_id: _Optional[str] = ..., rendition_id: _Optional[str] = ...) -> None: ...

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
