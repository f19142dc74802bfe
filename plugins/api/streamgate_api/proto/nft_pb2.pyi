from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VerifyNftRequest(_message.Message):
    __slots__ = ("address", "chain", "contract", "token_id", "standard", "min_balance")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    MIN_BALANCE_FIELD_NUMBER: _ClassVar[int]
    address: str
    chain: str
    contract: str
    token_id: str
    standard: str
    min_balance: str
    def __init__(self, address: _Optional[str] = ..., chain: _Optional[str] = ..., contract: _Optional[str] = ..., token_id: _Optional[str] = ..., standard: _Optional[str] = ..., min_balance: _Optional[str] = ...) -> None: ...

class NftHolding(_message.Message):
    __slots__ = ("address", "chain", "contract", "token_id", "holds", "balance", "standard", "block_number", "checked_at", "sources")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    address: str
    chain: str
    contract: str
    token_id: str
    holds: bool
    balance: str
    standard: str
    block_number: int
    checked_at: str
    sources: int
    def __init__(self, address: _Optional[str] = ..., chain: _Optional[str] = ..., contract: _Optional[str] = ..., token_id: _Optional[str] = ..., holds: _Optional[bool] = ..., balance: _Optional[str] = ..., standard: _Optional[str] = ..., block_number: _Optional[int] = ..., checked_at: _Optional[str] = ..., sources: _Optional[int] = ...) -> None: ...

class OwnedTokensRequest(_message.Message):
    __slots__ = ("chain", "contract", "limit", "cursor")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    chain: str
    contract: str
    limit: int
    cursor: str
    def __init__(self, chain: _Optional[str] = ..., contract: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class OwnedBalance(_message.Message):
    __slots__ = ("address", "balance")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    address: str
    balance: str
    def __init__(self, address: _Optional[str] = ..., balance: _Optional[str] = ...) -> None: ...

class OwnedToken(_message.Message):
    __slots__ = ("token_id", "owner")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    owner: str
    def __init__(self, token_id: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class OwnedTokens(_message.Message):
    __slots__ = ("chain", "contract", "standard", "enumerable", "balances", "items", "next_cursor", "block_number", "checked_at")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    ENUMERABLE_FIELD_NUMBER: _ClassVar[int]
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
    chain: str
    contract: str
    standard: str
    enumerable: bool
    balances: _containers.RepeatedCompositeFieldContainer[OwnedBalance]
    items: _containers.RepeatedCompositeFieldContainer[OwnedToken]
    next_cursor: str
    block_number: int
    checked_at: str
    def __init__(self, chain: _Optional[str] = ..., contract: _Optional[str] = ..., standard: _Optional[str] = ..., enumerable: _Optional[bool] = ..., balances: _Optional[_Iterable[_Union[OwnedBalance, _Mapping]]] = ..., items: _Optional[_Iterable[_Union[OwnedToken, _Mapping]]] = ..., next_cursor: _Optional[str] = ..., block_number: _Optional[int] = ..., checked_at: _Optional[str] = ...) -> None: ...

class TokenRequest(_message.Message):
    __slots__ = ("token_id", "chain", "contract")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    chain: str
    contract: str
    def __init__(self, token_id: _Optional[str] = ..., chain: _Optional[str] = ..., contract: _Optional[str] = ...) -> None: ...

class TokenDetails(_message.Message):
    __slots__ = ("chain", "contract", "token_id", "standard", "owner", "held", "name", "symbol", "token_uri", "block_number", "checked_at")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TOKEN_URI_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
    chain: str
    contract: str
    token_id: str
    standard: str
    owner: str
    held: bool
    name: str
    symbol: str
    token_uri: str
    block_number: int
    checked_at: str
    def __init__(self, chain: _Optional[str] = ..., contract: _Optional[str] = ..., token_id: _Optional[str] = ..., standard: _Optional[str] = ..., owner: _Optional[str] = ..., held: _Optional[bool] = ..., name: _Optional[str] = ..., symbol: _Optional[str] = ..., token_uri: _Optional[str] = ..., block_number: _Optional[int] = ..., checked_at: _Optional[str] = ...) -> None: ...
