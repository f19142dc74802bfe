"""Each field of a signed message is compared with what was asked for (phishing, wrong network, re-serialisation)."""

from __future__ import annotations

import pytest

from streamgate.contracts.auth import MessageMismatch
from streamgate.sdk.evm import Address, ChainId
from streamgate_auth.challenge import Challenge
from streamgate_auth.origin import Origin
from streamgate_auth.siwe import parse_siwe
from streamgate_auth.statement import check_message, message_for

ORIGIN = Origin.parse("https://video.example")
CHALLENGE = Challenge(
    scheme="siwe",
    chain=ChainId("eip155:1"),
    address=Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    nonce="n0nce0000",
    issued_at_s=1_800_000_000,
    expires_at_s=1_800_000_300,
)
FACTS = CHALLENGE.facts(ORIGIN)
ISSUED = message_for(FACTS).to_text()


def test_what_we_issue_is_eip_4361_and_fits() -> None:
    assert parse_siwe(ISSUED).domain == "video.example"
    check_message(ISSUED, FACTS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00.000Z"),
        ("2027-01-15T08:05:00Z", "2027-01-15T09:05:00+01:00"),
        ("URI: https://video.example", "URI: https://video.example/sign-in?x=1"),
        ("video.example wants", "https://video.example wants"),
    ],
)
def test_a_wallets_own_spelling_is_accepted(old: str, new: str) -> None:
    assert old in ISSUED
    check_message(ISSUED.replace(old, new, 1), FACTS)


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("domain", "video.example wants", "evil.example wants"),
        ("domain", "video.example wants", "video.example:8443 wants"),
        ("domain", "video.example wants", "video.example@evil.example wants"),
        ("scheme", "video.example wants", "http://video.example wants"),
        ("uri", "URI: https://video.example", "URI: https://evil.example"),
        ("uri", "URI: https://video.example", "URI: http://video.example"),
        ("uri", "URI: https://video.example", "URI: https://video.example@evil.example"),
        ("uri", "URI: https://video.example", "URI: https://video.example.evil.example"),
        ("chain id", "Chain ID: 1", "Chain ID: 137"),
        ("chain id", "Chain ID: 1", "Chain ID: 01"),
        ("nonce", "n0nce0000", "n0nce0001"),
        ("issued at", "2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z"),
        ("issued at", "2027-01-15T08:00:00Z", "2027-01-15T08:00:00.5Z"),
        ("expiration time", "2027-01-15T08:05:00Z", "2037-01-15T08:05:00Z"),
        ("expiration time", "\nExpiration Time: 2027-01-15T08:05:00Z", ""),
        ("not before", "08:05:00Z", "08:05:00Z\nNot Before: 2027-01-15T08:00:00Z"),
        ("request id", "08:05:00Z", "08:05:00Z\nRequest ID: x"),
        ("resources", "08:05:00Z", "08:05:00Z\nResources:\n- https://evil.example"),
        ("statement", "costs nothing", "costs something"),
        (
            "address",
            "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ),
    ],
)
def test_a_difference_in_any_field_is_refused_by_name(field: str, old: str, new: str) -> None:
    assert old in ISSUED
    with pytest.raises(MessageMismatch, match=f"differs from the challenge in: {field}$"):
        check_message(ISSUED.replace(old, new, 1), FACTS)


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(MessageMismatch, match="EIP-4361"):
        check_message("please let me in", FACTS)


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://video.example/", "video.example"),
        ("https://VIDEO.example:443", "video.example"),
        ("http://127.0.0.1:9090", "127.0.0.1:9090"),
        ("http://[::1]:9090", "[::1]:9090"),
    ],
)
def test_the_domain_is_the_origins_authority(url: str, domain: str) -> None:
    assert Origin.parse(url).domain == domain


@pytest.mark.parametrize("url", ["", "video.example", "ftp://video.example", "https://", "https://user@video.example"])
def test_what_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Origin.parse(url)
