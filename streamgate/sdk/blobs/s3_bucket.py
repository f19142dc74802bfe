"""One bucket and its client: where it is, how its errors are called here."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl

import attrs
from loguru import logger

from streamgate.sdk.blobs.base import (
    BlobExists,
    BlobIncomplete,
    BlobMissing,
    StorageFull,
    StoreAway,
    StoreClosed,
    StoreFault,
    check_prefix,
)

CONNECTIONS_MAX = 64
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
ATTEMPTS = 3
RETRY_AFTER_S = 5.0
SERVER_ERROR = 500
REOPEN_S = 0.5

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_INCOMPLETE = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
_EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "507"})
_REFUSED = {
    "NoSuchBucket": "the bucket does not exist: create it",
    "AccessDenied": "the credentials may not use the bucket",
    "403": "the credentials may not use the bucket",
    "Forbidden": "the credentials may not use the bucket",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
}


@attrs.frozen(kw_only=True)
class Place:
    """`s3://bucket?endpoint=…&region=…&prefix=…`; `prefix` is "" or ends in `/`."""

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix} at {self.endpoint or 'AWS'}"


def parse_place(url: SplitResult) -> Place:
    """Raises StoreFault: something in the URL is not right."""
    given = dict(parse_qsl(url.query, keep_blank_values=True))
    unknown = sorted(set(given) - {"endpoint", "region", "prefix"})
    if unknown:
        raise StoreFault(f"blobs.url: {unknown[0]!r} is not known; an s3: URL takes endpoint, region and prefix")
    if _BUCKET.fullmatch(url.netloc) is None or url.path not in ("", "/"):
        raise StoreFault("blobs.url: write s3://bucket?endpoint=https://host&region=…&prefix=…")
    prefix = given.pop("prefix", "")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    try:
        check_prefix(prefix)
    except ValueError as fault:
        raise StoreFault(f"blobs.url: {fault}") from fault
    if given.get("endpoint", "https://x").partition("://")[0] not in ("http", "https"):
        raise StoreFault("blobs.url: endpoint begins with http:// or https://")
    return Place(bucket=url.netloc, prefix=prefix, **{name: text for name, text in given.items() if text})


class Bucket:
    """Opens the client and translates what it raises.

    Args:
        access_key, secret_key: both, or neither (then AWS's usual places are looked at).
    """

    def __init__(self, place: Place, *, access_key: str, secret_key: str) -> None:
        self.place = place
        self._access_key = access_key
        self._secret_key = secret_key
        self._stack = contextlib.AsyncExitStack()
        self._client: Any = None  # botocore makes its methods at run time

    async def open(self) -> None:
        """Raises:
        StoreFault: it cannot be used, with what to do.
        StoreAway: it is not there now.
        """
        from aiobotocore.config import AioConfig
        from botocore.exceptions import BotoCoreError

        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            max_pool_connections=CONNECTIONS_MAX,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            # Checksums beside the signature are AWS's own; other servers differ in what they make of them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        making = _session().create_client(
            "s3",
            region_name=self.place.region,
            endpoint_url=self.place.endpoint or None,
            aws_access_key_id=self._access_key or None,
            aws_secret_access_key=self._secret_key or None,
            config=config,
        )
        try:
            self._client = await self._stack.enter_async_context(making)
            await self.check()
        except StoreAway:
            await self.close()
            raise
        except (StoreClosed, BotoCoreError, ValueError) as fault:
            await self.close()
            told = fault.detail if isinstance(fault, StoreClosed) else str(fault)
            raise StoreFault(f"blobs: {self.place} cannot be used: {told}") from fault
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        self._client = None
        await self._stack.aclose()

    async def check(self) -> None:
        """Raises StoreClosed: the bucket does not answer (StoreAway), or not to us."""
        with self.translated():
            try:
                await self.client.head_bucket(Bucket=self.place.bucket)
            except self.client.exceptions.ClientError as fault:
                if code_of(fault) in _MISSING:  # HEAD has no body to say which
                    raise StoreClosed(_REFUSED["NoSuchBucket"]) from fault
                raise

    @property
    def client(self) -> Any:
        """Raises StoreClosed: it is not open."""
        if self._client is None:
            raise StoreClosed("the blob store is closed")
        return self._client

    def at(self, key: str) -> dict[str, str]:
        """What names an object in a call."""
        return {"Bucket": self.place.bucket, "Key": self.place.prefix + key}

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raises BlobMissing, BlobExists, BlobIncomplete, StorageFull, StoreAway, StoreClosed for its errors."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as fault:
            raise self._named(fault) from fault
        except (BotoCoreError, TimeoutError, ConnectionError) as fault:
            raise StoreAway("the blob store cannot be reached", retry_after_s=RETRY_AFTER_S) from fault

    def _named(self, fault: Any) -> Exception:
        code = code_of(fault)
        if code in _MISSING:
            return BlobMissing()
        if code in _EXISTS:
            return BlobExists("an object never gets other bytes; use another key")
        if code in _INCOMPLETE:
            return BlobIncomplete("this upload is finished or was aborted, or its parts do not fit")
        if code in _FULL:
            return StorageFull("the blob store is full", retry_after_s=60)
        if fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR:
            logger.bind(bucket=self.place.bucket, code=code, error=str(fault)).warning("blob store fails")
            return StoreAway("the blob store fails", retry_after_s=RETRY_AFTER_S)
        logger.bind(bucket=self.place.bucket, code=code, error=str(fault)).warning("blob store refuses")
        return StoreClosed(_REFUSED.get(code, "the blob store refuses"), retry_after_s=RETRY_AFTER_S)


async def once_there(open_store: Callable[[], Awaitable[None]], place: Place, timeout_s: float) -> None:
    """Opens a store that may still be coming up.

    Raises:
        StoreFault: it cannot be used, or was away all the time.
    """
    ends_at = time.monotonic() + timeout_s
    while True:
        try:
            return await open_store()
        except StoreAway as fault:
            if time.monotonic() >= ends_at:
                raise StoreFault(f"blobs: {place} was not ready within {timeout_s:g} s: {fault.detail}") from fault
        await asyncio.sleep(REOPEN_S)


@functools.cache
def _session() -> Any:
    """One for the process: it reads S3's description once, which takes half a second."""
    from aiobotocore.session import get_session

    return get_session()


def code_of(fault: Any) -> str:
    """S3's word for what is wrong, or the HTTP status where there is no word."""
    return str(fault.response.get("Error", {}).get("Code", ""))
