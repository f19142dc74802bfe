"""Who owns a path, and who is there."""

from __future__ import annotations

import attrs
import pytest

from streamgate.announce import Announcement
from streamgate_api.targets import AVOID_FOR_S, FORGET_AFTER_S, Targets


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def targets(clock: Clock) -> Targets:
    return Targets({"cache": "http://cache:9006/"}, now_s=clock)


def said(
    service: str, base_url: str = "http://a:1", *prefixes: str, leaving: bool = False, sha: str = "s"
) -> Announcement:
    return Announcement(
        service=service,
        instance="all@1",
        base_url=base_url,
        prefixes=prefixes,
        openapi_sha256=sha,
        is_leaving=leaving,
    )


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/api/v1/upload", "upload"),
        ("/api/v1/upload/init", "upload"),
        ("/api/v1/uploads", None),
        ("/api/v1/stream/s/token/0.m4s", "streaming"),
        ("/api/v1/streaming/x", None),
        ("/.well-known/jwks.json", "auth"),
        ("/.well-known/other", None),
        ("/api/v1/content/x", None),  # the gateway's own: never forwarded
        ("/api/v1", None),
        ("/", None),
    ],
)
def test_the_table_knows_the_nine_before_anybody_speaks(targets: Targets, path: str, owner: str | None) -> None:
    assert targets.owner_of(path) == owner


def test_what_is_announced_is_there_until_it_is_silent_or_leaves(targets: Targets, clock: Clock) -> None:
    targets.hear(said("upload", "http://a:1"))
    targets.hear(said("upload", "http://b:2/"))
    assert sorted(targets.addresses_of("upload")) == ["http://a:1", "http://b:2"]
    clock.now_s += FORGET_AFTER_S - 1
    targets.hear(said("upload", "http://b:2"))
    clock.now_s += 2
    assert targets.addresses_of("upload") == ["http://b:2"]
    targets.hear(said("upload", "http://b:2", leaving=True))
    assert targets.addresses_of("upload") == []


def test_the_one_that_failed_is_asked_last_for_a_while(targets: Targets, clock: Clock) -> None:
    targets.hear(said("upload", "http://a:1"))
    targets.hear(said("upload", "http://b:2"))
    targets.failed("upload", "http://a:1")
    assert {targets.addresses_of("upload")[0] for _ in range(4)} == {"http://b:2"}
    clock.now_s += AVOID_FOR_S
    assert {targets.addresses_of("upload")[0] for _ in range(4)} == {"http://a:1", "http://b:2"}


def test_configuration_is_not_overruled(targets: Targets) -> None:
    targets.hear(said("cache", "http://elsewhere:1"))
    assert targets.addresses_of("cache") == ["http://cache:9006"]


def test_a_new_service_brings_its_own_paths_but_not_those_of_others(targets: Targets) -> None:
    targets.hear(
        said("guestlist", "http://g:1", "/api/v1/guestlist", "/api/v1/auth/verify-signature", "/api/v1/stream")
    )
    assert targets.owner_of("/api/v1/guestlist/x") == "guestlist"
    assert targets.owner_of("/api/v1/auth/verify-signature") == "auth"
    assert targets.owner_of("/api/v1/stream/s/t/0.m4s") == "streaming"
    targets.hear(said("latecomer", "http://l:1", "/api/v1/guestlist"))
    assert targets.owner_of("/api/v1/guestlist") == "guestlist"


def test_nobody_takes_the_gateways_own_paths(targets: Targets) -> None:
    targets.hear(said("guestlist", "http://g:1", "/api/v1/content/x"))
    assert targets.owner_of("/api/v1/content/x") is None
    targets.hear(said("api", "http://other-gateway:9090", "/api/v1/content"))
    assert targets.addresses_of("api") == []


def test_the_root_is_one_page_and_not_everything(targets: Targets) -> None:
    targets.hear(said("web", "http://w:1", "/", "/web"))
    assert targets.owner_of("/") == "web"
    assert targets.owner_of("/web/app.js") == "web"
    assert targets.owner_of("/anything") is None


def test_an_instance_is_asked_with_what_it_knows_its_gateways_by(targets: Targets) -> None:
    targets.hear(attrs.evolve(said("upload", "http://a:1"), hop="one"))
    assert (targets.hop_of("upload", "http://a:1"), targets.hop_of("upload", "http://b:2")) == ("one", "")
    targets.hear(attrs.evolve(said("upload", "http://a:1"), hop="two"))  # it has started anew
    assert targets.hop_of("upload", "http://a:1") == "two"
    assert targets.hop_of("cache", "http://cache:9006") == ""
