"""Whose word on an address counts, and which addresses count as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.sdk.edge.addresses import ClientAddresses, counted_as, is_neighbour

PROXIES = ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", b"", "192.0.2.7"),
        ("192.0.2.7", b"198.51.100.1", "192.0.2.7"),  # not a proxy of ours: its word is nothing
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what stands left of it was written by it
        ("10.0.0.1", b"203.0.113.9,198.51.100.1 , 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", b"10.2.2.2, 10.3.3.3", "10.2.2.2"),
        ("10.0.0.1", b"203.0.113.9, rubbish", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.9, ", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.1:5555", "198.51.100.1"),
        ("2001:db8:1::1", b"[2001:db8:2::5]:443", "2001:db8:2::5"),
        ("2001:db8:1::1", b"2001:DB8:2:0::5", "2001:db8:2::5"),
        ("::ffff:10.0.0.1", b"::ffff:198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("", b"198.51.100.1", ""),
    ],
)
def test_the_right_most_hop_that_is_not_ours_is_believed(peer: str, forwarded: bytes, expected: str) -> None:
    assert ClientAddresses(PROXIES).find(peer, forwarded, b"") == expected


def test_without_proxies_nobody_is_believed() -> None:
    addresses = ClientAddresses(())
    assert addresses.believes_nobody
    assert addresses.find("127.0.0.1", b"198.51.100.1", b"") == "127.0.0.1"


def test_our_gateway_is_believed_by_what_only_it_knows() -> None:
    addresses = ClientAddresses((), hop="secret")
    assert addresses.find("172.17.0.2", b"198.51.100.1", b"secret") == "198.51.100.1"
    assert addresses.find("172.17.0.2", b"198.51.100.1", b"guess") == "172.17.0.2"
    assert addresses.find("172.17.0.2", b"198.51.100.1", b"") == "172.17.0.2"
    assert not ClientAddresses(()).is_from_gateway(b"")


@given(st.binary(max_size=200))
def test_no_header_is_too_strange(forwarded: bytes) -> None:
    addresses = ClientAddresses(PROXIES)
    assert addresses.find("192.0.2.7", forwarded, b"") == "192.0.2.7"
    assert isinstance(addresses.find("10.0.0.1", forwarded, b""), str)


def test_a_long_header_is_read_from_its_end() -> None:
    forwarded = b"198.51.100.1," * 5000 + b"10.1.1.1"
    assert ClientAddresses(PROXIES).find("10.0.0.1", forwarded, b"") == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
    ],
)
def test_addresses_are_counted_by_what_one_customer_gets(address: str, expected: str) -> None:
    assert counted_as(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("fe80::1", True), ("fd00::1", True), ("", True), ("8.8.8.8", False)],
)
def test_neighbours(address: str, expected: bool) -> None:
    assert is_neighbour(address) is expected
