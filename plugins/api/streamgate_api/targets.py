"""Who serves a path, and where: the nine by their table, all by what they announce, some by configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import attrs
from loguru import logger

from streamgate.announce import EVERY_S, Announcement
from streamgate.contracts.prefixes import SERVICES
from streamgate.web.app import is_below

SELF = "api"
FORGET_AFTER_S = 3 * EVERY_S + 1  # three announcements were missed
AVOID_FOR_S = 2.0  # an instance that did not answer is asked last for so long


@attrs.define
class Instance:
    """A process that serves. Times are of the monotonic clock."""

    base_url: str
    openapi_sha256: str
    heard_at_s: float
    hop: str = ""
    failed_at_s: float = float("-inf")


class Targets:
    """What is known of the services.

    Args:
        configured: service name to base URL; these are never forgotten, and announcements of them not used.
    """

    def __init__(self, configured: Mapping[str, str], *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._configured = {name: url.rstrip("/") for name, url in configured.items()}
        self._now_s = now_s
        self._owners = {p: name for name, paths in SERVICES.items() if name != SELF for p in paths.prefixes}
        self._instances: dict[str, dict[str, Instance]] = {}
        self._turn = 0

    def hear(self, announcement: Announcement) -> None:
        """Takes an announcement in. Paths of the nine are theirs: another service cannot announce them."""
        name = announcement.service
        if name == SELF or name in self._configured:
            return
        known = self._instances.setdefault(name, {})
        base_url = announcement.base_url.rstrip("/")  # not `instance`: in containers every process has one number
        if announcement.is_leaving:
            known.pop(base_url, None)
            return
        instance = known.setdefault(base_url, Instance(base_url, "", 0.0))
        instance.openapi_sha256, instance.heard_at_s = announcement.openapi_sha256, self._now_s()
        instance.hop = announcement.hop
        for prefix in announcement.prefixes:
            owner = self._owners.setdefault(prefix, name) if self._is_free(prefix, name) else None
            if owner != name:
                logger.bind(service=name, prefix=prefix).warning("announced a path that is not its own; ignored")

    def owner_of(self, path: str) -> str | None:
        """The service whose paths this is among, by the longest prefix. The prefix `/` is that one page alone."""
        fitting = [prefix for prefix in self._owners if (path == "/" if prefix == "/" else is_below(path, prefix))]
        return self._owners[max(fitting, key=len)] if fitting else None

    def addresses_of(self, service: str) -> list[str]:
        """Where to ask, best first: in turns, those that failed a moment ago last. Empty: nobody is there."""
        if service in self._configured:
            return [self._configured[service]]
        now_s = self._now_s()
        live = self.live(service)
        if not live:
            return []
        self._turn += 1
        turned = live[self._turn % len(live) :] + live[: self._turn % len(live)]
        return [each.base_url for each in sorted(turned, key=lambda each: now_s - each.failed_at_s < AVOID_FOR_S)]

    def hop_of(self, service: str, base_url: str) -> str:
        """What an instance knows its gateways by; "" where it was not heard of."""
        instance = self._instances.get(service, {}).get(base_url)
        return "" if instance is None else instance.hop

    def failed(self, service: str, base_url: str) -> None:
        """Nobody answered there."""
        instance = self._instances.get(service, {}).get(base_url)
        if instance is not None:
            instance.failed_at_s = self._now_s()

    def live(self, service: str) -> list[Instance]:
        """The instances heard of lately."""
        known = self._instances.get(service, {})
        for instance in [each for each in known.values() if self._now_s() - each.heard_at_s > FORGET_AFTER_S]:
            del known[instance.base_url]
        return list(known.values())

    def services(self) -> list[str]:
        """Every service there is a path for, here or not, by name."""
        return sorted(set(self._owners.values()))

    def described(self) -> dict[str, tuple[str, str]]:
        """Service → (an address, hash of its OpenAPI document), for those that announce themselves."""
        found = {name: self.live(name) for name in self.services()}
        return {name: (live[0].base_url, live[0].openapi_sha256) for name, live in found.items() if live}

    def _is_free(self, prefix: str, name: str) -> bool:
        return all(
            name == owner or not any(is_below(prefix, own) for own in SERVICES[owner].prefixes) for owner in SERVICES
        )
