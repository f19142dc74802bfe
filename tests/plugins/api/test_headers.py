"""What a gateway says of where a request comes from."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from streamgate.testing.attacks import attack
from streamgate.web.client import CLIENT_KEY
from streamgate_api.headers import Origin, origin_of, to_service

SENT = [
    (b"host", b"inner:9090"),
    (b"x-forwarded-for", b"198.51.100.7, 192.0.2.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"video.example"),
    (b"x-streamgate-hop", b"forged"),
]


def scope(**more: Any) -> dict[str, Any]:
    return {"type": "http", "scheme": "http", "client": ("10.0.0.2", 5), "headers": SENT, **more}


@attack("B27")
def test_a_stranger_is_not_believed() -> None:
    headers = to_service(SENT, origin_of(scope(), hop=""))
    assert headers["x-forwarded-for"] == "10.0.0.2"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("http", "inner:9090")
    assert "x-streamgate-hop" not in headers


def test_what_a_trusted_proxy_says_is_handed_on() -> None:
    """The door has found the address; it notes it only where it is another than the connection's."""
    headers = to_service(SENT, origin_of(scope(**{CLIENT_KEY: "192.0.2.9"}), hop="secret"))
    assert headers.getall("x-forwarded-for") == ["192.0.2.9"]
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("https", "video.example")
    assert headers.getall("x-streamgate-hop") == ["secret"]


@pytest.mark.parametrize("proto", [b"gopher", b"https, http", b""])
def test_a_scheme_that_is_none_is_ours(proto: bytes) -> None:
    origin = Origin(request_id="r", client="192.0.2.9", scheme="http", is_proxied=True)
    assert to_service([(b"x-forwarded-proto", proto)], origin)["x-forwarded-proto"] == "http"
    unknown = to_service([], attrs.evolve(origin, client=""))
    assert "x-forwarded-for" not in unknown
    assert "x-forwarded-host" not in unknown
