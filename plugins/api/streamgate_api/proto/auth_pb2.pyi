from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from streamgate_api.proto import nft_pb2 as _nft_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChallengeRequest(_message.Message):
    __slots__ = ("address", "chain", "scheme")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    address: str
    chain: str
    scheme: str
    def __init__(self, address: _Optional[str] = ..., chain: _Optional[str] = ..., scheme: _Optional[str] = ...) -> None: ...

class ChallengeAnswer(_message.Message):
    __slots__ = ("challenge_id", "scheme", "message", "typed_data", "address", "chain", "nonce", "domain", "issued_at", "expires_at", "sign_in_input")
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TYPED_DATA_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SIGN_IN_INPUT_FIELD_NUMBER: _ClassVar[int]
    challenge_id: str
    scheme: str
    message: str
    typed_data: _struct_pb2.Struct
    address: str
    chain: str
    nonce: str
    domain: str
    issued_at: str
    expires_at: str
    sign_in_input: _struct_pb2.Struct
    def __init__(self, challenge_id: _Optional[str] = ..., scheme: _Optional[str] = ..., message: _Optional[str] = ..., typed_data: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., address: _Optional[str] = ..., chain: _Optional[str] = ..., nonce: _Optional[str] = ..., domain: _Optional[str] = ..., issued_at: _Optional[str] = ..., expires_at: _Optional[str] = ..., sign_in_input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class VerifySignatureRequest(_message.Message):
    __slots__ = ("challenge_id", "signature", "message")
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    challenge_id: str
    signature: str
    message: str
    def __init__(self, challenge_id: _Optional[str] = ..., signature: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class VerifySignatureAnswer(_message.Message):
    __slots__ = ("valid", "user_id", "address", "chain", "roles", "access_token", "refresh_token", "token_type", "expires_in", "is_contract")
    VALID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    IS_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    user_id: str
    address: str
    chain: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    is_contract: bool
    def __init__(self, valid: _Optional[bool] = ..., user_id: _Optional[str] = ..., address: _Optional[str] = ..., chain: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., access_token: _Optional[str] = ..., refresh_token: _Optional[str] = ..., token_type: _Optional[str] = ..., expires_in: _Optional[int] = ..., is_contract: _Optional[bool] = ...) -> None: ...

class RefreshRequest(_message.Message):
    __slots__ = ("refresh_token",)
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    def __init__(self, refresh_token: _Optional[str] = ...) -> None: ...

class RefreshAnswer(_message.Message):
    __slots__ = ("user_id", "address", "roles", "access_token", "refresh_token", "token_type", "expires_in")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    address: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    def __init__(self, user_id: _Optional[str] = ..., address: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., access_token: _Optional[str] = ..., refresh_token: _Optional[str] = ..., token_type: _Optional[str] = ..., expires_in: _Optional[int] = ...) -> None: ...

class VerifyTokenRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class VerifyTokenAnswer(_message.Message):
    __slots__ = ("valid", "subject", "audience", "roles", "expires_at", "reason")
    VALID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    subject: str
    audience: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    expires_at: str
    reason: str
    def __init__(self, valid: _Optional[bool] = ..., subject: _Optional[str] = ..., audience: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., expires_at: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
