from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenSessionRequest(_message.Message):
    __slots__ = ("content_id", "client_id")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    client_id: str
    def __init__(self, content_id: _Optional[str] = ..., client_id: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "hls_url", "dash_url", "poster_url", "storyboard_url", "expires_at", "renew_after_s", "decided_until", "grace", "preview_s", "max_height_px", "captions", "chapters_url")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    HLS_URL_FIELD_NUMBER: _ClassVar[int]
    DASH_URL_FIELD_NUMBER: _ClassVar[int]
    POSTER_URL_FIELD_NUMBER: _ClassVar[int]
    STORYBOARD_URL_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    RENEW_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    DECIDED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_S_FIELD_NUMBER: _ClassVar[int]
    MAX_HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    CAPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHAPTERS_URL_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    hls_url: str
    dash_url: str
    poster_url: str
    storyboard_url: str
    expires_at: str
    renew_after_s: float
    decided_until: str
    grace: Grace
    preview_s: float
    max_height_px: int
    captions: _containers.RepeatedCompositeFieldContainer[Captions]
    chapters_url: str
    def __init__(self, session_id: _Optional[str] = ..., hls_url: _Optional[str] = ..., dash_url: _Optional[str] = ..., poster_url: _Optional[str] = ..., storyboard_url: _Optional[str] = ..., expires_at: _Optional[str] = ..., renew_after_s: _Optional[float] = ..., decided_until: _Optional[str] = ..., grace: _Optional[_Union[Grace, _Mapping]] = ..., preview_s: _Optional[float] = ..., max_height_px: _Optional[int] = ..., captions: _Optional[_Iterable[_Union[Captions, _Mapping]]] = ..., chapters_url: _Optional[str] = ...) -> None: ...

class Captions(_message.Message):
    __slots__ = ("language", "kind", "label", "default", "url")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    language: str
    kind: str
    label: str
    default: bool
    url: str
    def __init__(self, language: _Optional[str] = ..., kind: _Optional[str] = ..., label: _Optional[str] = ..., default: _Optional[bool] = ..., url: _Optional[str] = ...) -> None: ...

class Grace(_message.Message):
    __slots__ = ("until", "reason")
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    until: str
    reason: str
    def __init__(self, until: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RenewSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class RenewedSession(_message.Message):
    __slots__ = ("session_id", "expires_at", "renew_after_s", "decided_until", "grace", "preview_s", "max_height_px")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    RENEW_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    DECIDED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_S_FIELD_NUMBER: _ClassVar[int]
    MAX_HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    expires_at: str
    renew_after_s: float
    decided_until: str
    grace: Grace
    preview_s: float
    max_height_px: int
    def __init__(self, session_id: _Optional[str] = ..., expires_at: _Optional[str] = ..., renew_after_s: _Optional[float] = ..., decided_until: _Optional[str] = ..., grace: _Optional[_Union[Grace, _Mapping]] = ..., preview_s: _Optional[float] = ..., max_height_px: _Optional[int] = ...) -> None: ...

class EndSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class StreamInfoRequest(_message.Message):
    __slots__ = ("content_id",)
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    def __init__(self, content_id: _Optional[str] = ...) -> None: ...

class Rendition(_message.Message):
    __slots__ = ("id", "name", "kind", "width_px", "height_px", "codec", "bitrate_bps", "status", "progress", "frames", "frames_planned", "policy")
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
    policy: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., codec: _Optional[str] = ..., bitrate_bps: _Optional[int] = ..., status: _Optional[str] = ..., progress: _Optional[float] = ..., frames: _Optional[int] = ..., frames_planned: _Optional[int] = ..., policy: _Optional[str] = ...) -> None: ...

class StreamInfo(_message.Message):
    __slots__ = ("content_id", "media_version", "state", "playable", "kind", "duration_s", "renditions", "task_id", "warnings", "error_code", "error_detail")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    MEDIA_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PLAYABLE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    RENDITIONS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_DETAIL_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    media_version: int
    state: str
    playable: bool
    kind: str
    duration_s: float
    renditions: _containers.RepeatedCompositeFieldContainer[Rendition]
    task_id: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    error_code: str
    error_detail: str
    def __init__(self, content_id: _Optional[str] = ..., media_version: _Optional[int] = ..., state: _Optional[str] = ..., playable: _Optional[bool] = ..., kind: _Optional[str] = ..., duration_s: _Optional[float] = ..., renditions: _Optional[_Iterable[_Union[Rendition, _Mapping]]] = ..., task_id: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., error_code: _Optional[str] = ..., error_detail: _Optional[str] = ...) -> None: ...
