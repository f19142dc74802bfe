from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UploadRequest(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: UploadHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[UploadHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadHeader(_message.Message):
    __slots__ = ("filename", "content_type", "content_id", "title")
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    filename: str
    content_type: str
    content_id: str
    title: str
    def __init__(self, filename: _Optional[str] = ..., content_type: _Optional[str] = ..., content_id: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class UploadAnswer(_message.Message):
    __slots__ = ("upload_id", "content_id", "filename", "size_bytes", "sha256", "status")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    content_id: str
    filename: str
    size_bytes: int
    sha256: str
    status: str
    def __init__(self, upload_id: _Optional[str] = ..., content_id: _Optional[str] = ..., filename: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...

class InitUploadRequest(_message.Message):
    __slots__ = ("filename", "size_bytes", "content_type", "sha256", "content_id", "title")
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    filename: str
    size_bytes: int
    content_type: str
    sha256: str
    content_id: str
    title: str
    def __init__(self, filename: _Optional[str] = ..., size_bytes: _Optional[int] = ..., content_type: _Optional[str] = ..., sha256: _Optional[str] = ..., content_id: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class InitUploadAnswer(_message.Message):
    __slots__ = ("upload_id", "content_id", "filename", "size_bytes", "chunk_size_bytes", "chunks", "expires_at")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    content_id: str
    filename: str
    size_bytes: int
    chunk_size_bytes: int
    chunks: int
    expires_at: str
    def __init__(self, upload_id: _Optional[str] = ..., content_id: _Optional[str] = ..., filename: _Optional[str] = ..., size_bytes: _Optional[int] = ..., chunk_size_bytes: _Optional[int] = ..., chunks: _Optional[int] = ..., expires_at: _Optional[str] = ...) -> None: ...

class ChunkRequest(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: ChunkHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[ChunkHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class ChunkHeader(_message.Message):
    __slots__ = ("upload_id", "index", "sha256")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    index: int
    sha256: bytes
    def __init__(self, upload_id: _Optional[str] = ..., index: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class ChunkAck(_message.Message):
    __slots__ = ("upload_id", "index", "size_bytes", "sha256", "received_bytes")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    index: int
    size_bytes: int
    sha256: str
    received_bytes: int
    def __init__(self, upload_id: _Optional[str] = ..., index: _Optional[int] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., received_bytes: _Optional[int] = ...) -> None: ...

class CompleteUploadRequest(_message.Message):
    __slots__ = ("upload_id", "sha256")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    sha256: str
    def __init__(self, upload_id: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class UploadStatusRequest(_message.Message):
    __slots__ = ("upload_id",)
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    def __init__(self, upload_id: _Optional[str] = ...) -> None: ...

class UploadStatus(_message.Message):
    __slots__ = ("upload_id", "content_id", "filename", "status", "size_bytes", "chunk_size_bytes", "chunks", "received_bytes", "progress", "missing_chunks", "sha256", "failure", "failure_detail", "created_at", "expires_at")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MISSING_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAIL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    content_id: str
    filename: str
    status: str
    size_bytes: int
    chunk_size_bytes: int
    chunks: int
    received_bytes: int
    progress: float
    missing_chunks: _containers.RepeatedScalarFieldContainer[int]
    sha256: str
    failure: str
    failure_detail: str
    created_at: str
    expires_at: str
    def __init__(self, upload_id: _Optional[str] = ..., content_id: _Optional[str] = ..., filename: _Optional[str] = ..., status: _Optional[str] = ..., size_bytes: _Optional[int] = ..., chunk_size_bytes: _Optional[int] = ..., chunks: _Optional[int] = ..., received_bytes: _Optional[int] = ..., progress: _Optional[float] = ..., missing_chunks: _Optional[_Iterable[int]] = ..., sha256: _Optional[str] = ..., failure: _Optional[str] = ..., failure_detail: _Optional[str] = ..., created_at: _Optional[str] = ..., expires_at: _Optional[str] = ...) -> None: ...

class AbortUploadRequest(_message.Message):
    __slots__ = ("upload_id",)
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    def __init__(self, upload_id: _Optional[str] = ...) -> None: ...

class ListUploadsRequest(_message.Message):
    __slots__ = ("limit", "cursor")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    limit: int
    cursor: str
    def __init__(self, limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class UploadItem(_message.Message):
    __slots__ = ("upload_id", "content_id", "filename", "status", "size_bytes", "received_bytes", "progress", "created_at")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    content_id: str
    filename: str
    status: str
    size_bytes: int
    received_bytes: int
    progress: float
    created_at: str
    def __init__(self, upload_id: _Optional[str] = ..., content_id: _Optional[str] = ..., filename: _Optional[str] = ..., status: _Optional[str] = ..., size_bytes: _Optional[int] = ..., received_bytes: _Optional[int] = ..., progress: _Optional[float] = ..., created_at: _Optional[str] = ...) -> None: ...

class UploadPage(_message.Message):
    __slots__ = ("items", "next_cursor")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[UploadItem]
    next_cursor: str
    def __init__(self, items: _Optional[_Iterable[_Union[UploadItem, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...
