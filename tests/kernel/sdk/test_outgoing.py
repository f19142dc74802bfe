"""What a URL that a user gives can reach: what is checked is what is connected to."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.sdk.outgoing import AddressRefused, OutgoingError, Unreachable, UrlRefused
from streamgate.sdk.outgoing.addresses import why_refused
from streamgate.sdk.outgoing.guard import Guard
from streamgate.settings import OutgoingSettings
from streamgate.testing.attacks import attack

PUBLIC_V4 = "93.184.216.34"
PUBLIC_V6 = "2606:4700:4700::1111"


def resolver(*answers: Sequence[str]) -> tuple[list[str], Guard]:
    """A guard whose resolver answers differently each time, and the names it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, Guard(OutgoingSettings(allow_http=True), resolve=resolve)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:5db8:d822::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_special_addresses_are_refused(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC_V4,
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "198.20.0.0",
        "223.255.255.255",
        PUBLIC_V6,
        "2001:200::1",
        "2a00:1450:4001::1",
        f"::ffff:{PUBLIC_V4}",
        f"64:ff9b::{PUBLIC_V4}",
    ],
)
def test_public_addresses_are_not(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) == ""


@given(st.ip_addresses(v=4))
def test_a_v4_address_means_the_same_inside_v6(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert why_refused(ipaddress.ip_address(f"{prefix}{address}")) == why_refused(address)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert why_refused(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "clip.mp4",
        "//example.org/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/",
        "https://",
        "https:///x",
        "https://user@example.org/x",
        "https://user:secret@example.org/x",
        "https://example.org:22/x",
        "https://example.org:0/x",
        "https://example.org:99999/x",
        "https://example.org\\@127.0.0.1/x",
        "https://example.org /x",
        "https://example.org/\r\nHost: x",
        "https://example.org/\x00",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1.:80x/",
        "http://[::1",
        "https://example.org/" + "x" * 2048,
    ],
)
async def test_urls_that_cannot_be_used_are_refused_at_once(url: str) -> None:
    asked, guard = resolver([PUBLIC_V4])
    with pytest.raises(UrlRefused):
        guard.check_url(url)
    with pytest.raises(UrlRefused):
        await guard.target(url)
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0/".replace("0/", "0.0.0.0/"),
    ],
)
async def test_addresses_that_are_not_public_are_refused_at_once(url: str) -> None:
    _, guard = resolver([PUBLIC_V4])
    with pytest.raises(AddressRefused) as caught:
        guard.check_url(url)
    assert caught.value.code == "outgoing.address_refused"


@pytest.mark.parametrize("url", ["http://１２７.０.０.１/", "http://127%2e0%2e0%2e1/", "http://①②⑦.0.0.1/"])
async def test_other_spellings_of_loopback_do_not_get_through(url: str) -> None:
    _, guard = resolver(["127.0.0.1"])
    with pytest.raises(OutgoingError):
        await guard.target(url)


@attack("A9", "B29")
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], [PUBLIC_V4, "10.0.0.1"], ["10.0.0.1", PUBLIC_V4], [PUBLIC_V6, "::1"], ["fe80::1%2"]],
    ids=str,
)
async def test_one_private_address_is_enough_to_refuse_a_name(addresses: list[str]) -> None:
    _, guard = resolver(addresses)
    with pytest.raises(AddressRefused) as caught:
        await guard.target("https://example.org/?key=s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("addresses", [[], ["not an address"], [PUBLIC_V4] * 1 + [f"1.1.1.{n}" for n in range(40)]])
async def test_answers_of_a_resolver_that_cannot_be_used_deny(addresses: list[str]) -> None:
    _, guard = resolver(addresses)
    with pytest.raises(Unreachable):
        await guard.target("https://example.org/")


@attack("B29")
async def test_a_resolver_that_fails_denies() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no name server")

    with pytest.raises(Unreachable):
        await Guard(OutgoingSettings(), resolve=resolve).target("https://example.org/")


async def test_a_name_is_resolved_once_and_what_was_checked_is_the_answer() -> None:
    asked, guard = resolver([PUBLIC_V4], ["127.0.0.1"])
    target = await guard.target("https://rebinding.example/x#part")
    assert [str(address) for address in target.addresses] == [PUBLIC_V4]
    assert asked == ["rebinding.example"]
    assert str(target.url) == "https://rebinding.example/x"


async def test_http_and_ports_are_the_operators_choice() -> None:
    with pytest.raises(UrlRefused, match="https"):
        Guard(OutgoingSettings()).check_url("http://example.org/")
    assert Guard(OutgoingSettings(ports=(8443,))).check_url("https://example.org:8443/").port == 8443
    assert Guard(OutgoingSettings(ports=(0,))).check_url("https://example.org:9/").port == 9
    with pytest.raises(UrlRefused, match="port"):
        Guard(OutgoingSettings(ports=(8443,))).check_url("https://example.org/")


@pytest.mark.parametrize(
    ("allowed", "url", "address", "is_allowed"),
    [
        (OutgoingSettings(allow_networks=("10.1.0.0/16",)), "https://a.example/", "10.1.2.3", True),
        (OutgoingSettings(allow_networks=("10.1.0.0/16",)), "https://a.example/", "::ffff:10.1.2.3", True),
        (OutgoingSettings(allow_networks=("10.1.0.0/16",)), "https://a.example/", "10.2.0.1", False),
        (OutgoingSettings(allow_networks=("fd00::/8",)), "https://[fd00::1]/", "", True),
        (OutgoingSettings(allow_hosts=("Store.internal",)), "https://store.internal/", "10.9.9.9", True),
        (OutgoingSettings(allow_hosts=("store.internal",)), "https://store.internal./", "10.9.9.9", True),
        (OutgoingSettings(allow_hosts=("store.internal",)), "https://xstore.internal/", "10.9.9.9", False),
        (OutgoingSettings(allow_hosts=(".internal",)), "https://a.b.internal/", "10.9.9.9", True),
        (OutgoingSettings(allow_hosts=(".internal",)), "https://evilinternal/", "10.9.9.9", False),
    ],
)
async def test_exceptions_are_exactly_what_the_operator_wrote(
    allowed: OutgoingSettings, url: str, address: str, *, is_allowed: bool
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    guard = Guard(allowed, resolve=resolve)
    if is_allowed:
        assert (await guard.target(url)).port == 443
    else:
        with pytest.raises(AddressRefused):
            await guard.target(url)


@pytest.mark.parametrize("field", [{"allow_networks": ("10.0.0.0/33",)}, {"ports": (70_000,)}])
def test_settings_that_cannot_be_are_refused(field: dict[str, tuple[object, ...]]) -> None:
    with pytest.raises(ValueError, match=r"IPv4|65535"):
        OutgoingSettings(**field)  # type: ignore[arg-type]
