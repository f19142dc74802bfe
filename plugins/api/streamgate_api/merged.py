"""One OpenAPI document for all services, as if they were one: fetched from each, kept by its hash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import aiohttp
import orjson
from loguru import logger

from streamgate import __version__
from streamgate.web.openapi import Description
from streamgate_api.described import completed
from streamgate_api.targets import Targets

FETCH_TIMEOUT_S = 3.0
RETRY_AFTER_S = 10.0  # a service that did not describe itself is left out for so long
_REF = "#/components/schemas/"

Document = Mapping[str, Any]


class MergedDescription:
    """The document of all services that are there, the gateway's own first.

    Anybody may ask for it, so services are asked for theirs by one request at a time, and not again and again.

    Args:
        own: the gateway's own document.
    """

    def __init__(
        self, targets: Targets, own: Callable[[], Description], *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._targets = targets
        self._own = own
        self._now_s = now_s
        self._fetching = asyncio.Lock()
        self._fetched: dict[str, Document] = {}  # by hash
        self._failed_at_s: dict[tuple[str, str], float] = {}  # by address and hash
        self._merged: tuple[tuple[tuple[str, str], ...], Description] | None = None

    async def current(self) -> Description:
        wanted = self._targets.described()
        if self._missing(wanted.values()):
            async with self._fetching:
                await self._fetch(self._missing(wanted.values()))
        there = tuple((name, sha) for name, (_, sha) in wanted.items() if sha in self._fetched)
        if self._merged is None or self._merged[0] != there:
            self._fetched = {sha: self._fetched[sha] for _, sha in there}
            documents = {name: self._fetched[sha] for name, sha in there}
            merged = completed(merge(orjson.loads(self._own().document), documents))
            self._merged = (there, Description.of(merged))
        return self._merged[1]

    def _missing(self, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Addresses and hashes of documents to fetch; not those that could not be had a moment ago."""
        since_s = self._now_s() - RETRY_AFTER_S
        self._failed_at_s = {each: at_s for each, at_s in self._failed_at_s.items() if at_s > since_s}
        return [each for each in wanted if each[1] not in self._fetched and each not in self._failed_at_s]

    async def _fetch(self, missing: list[tuple[str, str]]) -> None:
        """One that does not answer is left out."""
        if not missing:  # fetched by another request meanwhile
            return
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:

            async def fetch(base_url: str, sha256: str) -> None:
                try:
                    async with http.get(f"{base_url}/openapi.json") as answer:
                        answer.raise_for_status()
                        self._fetched[sha256] = orjson.loads(await answer.read())
                except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as fault:
                    self._failed_at_s[base_url, sha256] = self._now_s()
                    logger.bind(base_url=base_url, error=repr(fault)).warning("service is not described")

            await asyncio.gather(*(fetch(*each) for each in missing))


def merge(own: Document, others: Mapping[str, Document]) -> dict[str, Any]:
    """One document. A path stays whose it was first; two schemas of one name that differ get the service's name."""
    paths: dict[str, Any] = dict(own["paths"])
    schemas: dict[str, Any] = dict(own["components"]["schemas"])
    for service, document in others.items():
        theirs: dict[str, Any] = document["components"]["schemas"]
        renamed = {
            name: f"{service.title()}{name}" for name, schema in theirs.items() if schemas.get(name, schema) != schema
        }
        schemas |= {renamed.get(name, name): _with_names(schema, renamed) for name, schema in theirs.items()}
        for path, operations in document["paths"].items():
            paths.setdefault(path, _with_names(operations, renamed))
    components = {**own["components"], "schemas": schemas}
    return {**own, "info": {"title": "StreamGate", "version": __version__}, "paths": paths, "components": components}


def _with_names(plain: Any, renamed: Mapping[str, str]) -> Any:
    """The same with references to renamed schemas following them."""
    if isinstance(plain, dict):
        return {
            key: _REF + renamed.get(value.removeprefix(_REF), value.removeprefix(_REF))
            if key == "$ref" and isinstance(value, str)
            else _with_names(value, renamed)
            for key, value in plain.items()
        }
    return [_with_names(each, renamed) for each in plain] if isinstance(plain, list) else plain
