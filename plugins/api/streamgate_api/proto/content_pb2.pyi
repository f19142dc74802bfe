from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateContentRequest(_message.Message):
    __slots__ = ("title", "description", "tags", "category", "visibility", "protection", "gate")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    PROTECTION_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    title: str
    description: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    category: str
    visibility: str
    protection: str
    gate: _struct_pb2.Struct
    def __init__(self, title: _Optional[str] = ..., description: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., category: _Optional[str] = ..., visibility: _Optional[str] = ..., protection: _Optional[str] = ..., gate: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class GetContentRequest(_message.Message):
    __slots__ = ("content_id",)
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    def __init__(self, content_id: _Optional[str] = ...) -> None: ...

class ListContentRequest(_message.Message):
    __slots__ = ("q", "tag", "category", "owner", "state", "sort", "limit", "cursor")
    Q_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    q: str
    tag: str
    category: str
    owner: str
    state: str
    sort: str
    limit: int
    cursor: str
    def __init__(self, q: _Optional[str] = ..., tag: _Optional[str] = ..., category: _Optional[str] = ..., owner: _Optional[str] = ..., state: _Optional[str] = ..., sort: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class UpdateContentRequest(_message.Message):
    __slots__ = ("content_id", "title", "description", "tags", "category", "visibility", "protection")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    PROTECTION_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    title: str
    description: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    category: str
    visibility: str
    protection: str
    def __init__(self, content_id: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., category: _Optional[str] = ..., visibility: _Optional[str] = ..., protection: _Optional[str] = ...) -> None: ...

class DeleteContentRequest(_message.Message):
    __slots__ = ("content_id",)
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    def __init__(self, content_id: _Optional[str] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("content_id", "owner", "title", "description", "tags", "category", "kind", "state", "playable", "visibility", "protection", "duration_s", "media_version", "poster_url", "warnings", "failure", "failure_detail", "created_at", "updated_at", "published_at", "revision", "owner_address", "moving_poster_url")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PLAYABLE_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    PROTECTION_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    MEDIA_VERSION_FIELD_NUMBER: _ClassVar[int]
    POSTER_URL_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAIL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OWNER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MOVING_POSTER_URL_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    owner: str
    title: str
    description: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    category: str
    kind: str
    state: str
    playable: bool
    visibility: str
    protection: str
    duration_s: float
    media_version: int
    poster_url: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    failure: str
    failure_detail: str
    created_at: str
    updated_at: str
    published_at: str
    revision: int
    owner_address: str
    moving_poster_url: str
    def __init__(self, content_id: _Optional[str] = ..., owner: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., category: _Optional[str] = ..., kind: _Optional[str] = ..., state: _Optional[str] = ..., playable: _Optional[bool] = ..., visibility: _Optional[str] = ..., protection: _Optional[str] = ..., duration_s: _Optional[float] = ..., media_version: _Optional[int] = ..., poster_url: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., failure: _Optional[str] = ..., failure_detail: _Optional[str] = ..., created_at: _Optional[str] = ..., updated_at: _Optional[str] = ..., published_at: _Optional[str] = ..., revision: _Optional[int] = ..., owner_address: _Optional[str] = ..., moving_poster_url: _Optional[str] = ...) -> None: ...

class ContentPage(_message.Message):
    __slots__ = ("items", "next_cursor", "highlights")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Content]
    next_cursor: str
    highlights: _struct_pb2.Struct
    def __init__(self, items: _Optional[_Iterable[_Union[Content, _Mapping]]] = ..., next_cursor: _Optional[str] = ..., highlights: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class GetGateRequest(_message.Message):
    __slots__ = ("content_id",)
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    def __init__(self, content_id: _Optional[str] = ...) -> None: ...

class SetGateRequest(_message.Message):
    __slots__ = ("content_id", "gate")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    gate: _struct_pb2.Struct
    def __init__(self, content_id: _Optional[str] = ..., gate: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RemoveGateRequest(_message.Message):
    __slots__ = ("content_id",)
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    def __init__(self, content_id: _Optional[str] = ...) -> None: ...

class StoredGate(_message.Message):
    __slots__ = ("content_id", "gate", "revision", "warnings", "text")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    gate: _struct_pb2.Struct
    revision: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    text: str
    def __init__(self, content_id: _Optional[str] = ..., gate: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., revision: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ...) -> None: ...

class CheckGateRequest(_message.Message):
    __slots__ = ("content_id", "address")
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    content_id: str
    address: str
    def __init__(self, content_id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class GateCheck(_message.Message):
    __slots__ = ("outcome", "explanation", "renditions", "max_height_px", "preview_s")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    RENDITIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_S_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    explanation: Explanation
    renditions: _containers.RepeatedCompositeFieldContainer[RenditionExplained]
    max_height_px: int
    preview_s: float
    def __init__(self, outcome: _Optional[str] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ..., renditions: _Optional[_Iterable[_Union[RenditionExplained, _Mapping]]] = ..., max_height_px: _Optional[int] = ..., preview_s: _Optional[float] = ...) -> None: ...

class RenditionExplained(_message.Message):
    __slots__ = ("above_height_px", "explanation")
    ABOVE_HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    above_height_px: int
    explanation: Explanation
    def __init__(self, above_height_px: _Optional[int] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("kind", "outcome", "text", "needed", "held", "chain", "contract", "block_number", "nodes", "reason", "parts", "needed_text", "held_text", "held_by", "satisfy", "link", "asked", "read_at_s")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    NEEDED_TEXT_FIELD_NUMBER: _ClassVar[int]
    HELD_TEXT_FIELD_NUMBER: _ClassVar[int]
    HELD_BY_FIELD_NUMBER: _ClassVar[int]
    SATISFY_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    READ_AT_S_FIELD_NUMBER: _ClassVar[int]
    kind: str
    outcome: str
    text: str
    needed: str
    held: str
    chain: str
    contract: str
    block_number: int
    nodes: int
    reason: str
    parts: _containers.RepeatedCompositeFieldContainer[Explanation]
    needed_text: str
    held_text: str
    held_by: str
    satisfy: str
    link: str
    asked: bool
    read_at_s: float
    def __init__(self, kind: _Optional[str] = ..., outcome: _Optional[str] = ..., text: _Optional[str] = ..., needed: _Optional[str] = ..., held: _Optional[str] = ..., chain: _Optional[str] = ..., contract: _Optional[str] = ..., block_number: _Optional[int] = ..., nodes: _Optional[int] = ..., reason: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., needed_text: _Optional[str] = ..., held_text: _Optional[str] = ..., held_by: _Optional[str] = ..., satisfy: _Optional[str] = ..., link: _Optional[str] = ..., asked: _Optional[bool] = ..., read_at_s: _Optional[float] = ...) -> None: ...
