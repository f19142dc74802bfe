"""EIP-4361: what the standard allows is read as it stands, anything else is refused."""

from __future__ import annotations

import json
import random
import string
import subprocess
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.sdk.evm import to_checksum
from streamgate.testing.attacks import attack
from streamgate_auth.siwe import MAX_MESSAGE_CHARS, SiweInvalid, SiweMessage, format_time, parse_siwe, parse_time

# The example messages of EIP-4361, "Examples": with and without the optional fields.
EXAMPLE = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""

EXAMPLE_WITH_SCHEME = "https://" + EXAMPLE.replace("example.com wants", "example.com:3388 wants", 1)

NO_STATEMENT = """service.org wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2


URI: https://service.org/login
Version: 1
Chain ID: 1
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z"""


def test_the_standards_example_is_read_field_by_field() -> None:
    assert parse_siwe(EXAMPLE) == SiweMessage(
        domain="example.com",
        address="0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
        statement="I accept the ExampleOrg Terms of Service: https://example.com/tos",
        uri="https://example.com/login",
        chain_id="1",
        nonce="32891756",
        issued_at="2021-09-30T16:25:24Z",
        resources=(
            "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
            "https://example.com/my-web2-claim.json",
        ),
    )


def mutated(count: int) -> list[str]:
    """The examples, and what becomes of them by a few changes; the same each time."""
    chance = random.Random(4361)
    pieces = [
        "",
        "\n",
        " ",
        "\r",
        "\n\n",
        "0",
        "a",
        "%41",
        "Version: 1\n",
        "Not Before: 2021-09-30T16:25:24Z",
        "- x:y",
        "é",
    ]
    found = [EXAMPLE, EXAMPLE_WITH_SCHEME, NO_STATEMENT]
    while len(found) < count:
        text = chance.choice(found[:3])
        for _ in range(chance.randint(1, 2)):
            at = chance.randint(0, len(text))
            text = text[:at] + chance.choice(pieces) + text[at + chance.randint(0, 1) :]
        found.append(text)
    return found


def test_the_reference_implementation_reads_the_same() -> None:
    """Whatever we accept, `siwe` accepts, and reads the same in each field: there is nothing that we alone see."""
    texts = mutated(600)
    js = Path(__file__).parents[2] / "js"
    done = subprocess.run(
        ["node", "siwe.mjs"], cwd=js, input=json.dumps(texts).encode(), capture_output=True, check=True, timeout=50
    )
    accepted = 0
    for text, theirs in zip(texts, json.loads(done.stdout), strict=True):
        try:
            ours = attrs.asdict(parse_siwe(text))
        except SiweInvalid:
            continue
        accepted += 1
        assert theirs is not None, text
        wanted = {name: value for name, value in ours.items() if value is not None}
        assert json.loads(json.dumps(wanted)) == {name: theirs.get(name) for name in wanted}, text
    assert 50 < accepted < 500


def test_scheme_and_port_belong_to_the_first_line() -> None:
    message = parse_siwe(EXAMPLE_WITH_SCHEME)
    assert (message.scheme, message.domain) == ("https", "example.com:3388")


def test_a_message_without_statement_keeps_both_blank_lines() -> None:
    assert parse_siwe(NO_STATEMENT).statement is None


@pytest.mark.parametrize("domain", ["127.0.0.1", "test@127.0.0.1", "127.0.0.1:8080", "test@127.0.0.1:8080", "[::1]:80"])
def test_any_rfc_3986_authority_is_a_domain(domain: str) -> None:
    assert parse_siwe(NO_STATEMENT.replace("service.org wants", f"{domain} wants")).domain == domain


@attack("B3")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("Chain ID: 1\n", "", id="chain id missing"),
        pytest.param("URI: https://service.org/login\n", "", id="uri missing"),
        pytest.param("Nonce: 32891757\n", "", id="nonce missing"),
        pytest.param("Version: 1\n", "", id="version missing"),
        pytest.param("\nIssued At: 2021-09-30T16:25:24.000Z", "", id="issued at missing"),
        pytest.param("Nonce: 32891757", "Nonce: 1234567", id="nonce too short"),
        pytest.param("Nonce: 32891757", "Nonce: 3289175-", id="nonce not alphanumeric"),
        pytest.param("Nonce: 32891757\n", "Nonce: 32891757\nNonce: 32891757\n", id="nonce twice"),
        pytest.param("Version: 1", "Version: 2", id="wrong version"),
        pytest.param("Version: 1\nChain ID: 1", "Chain ID: 1\nVersion: 1", id="out of order"),
        pytest.param("2021-09-30T16:25:24.000Z", "Wed Oct 05 2011 16:48:00 GMT+0200 (CEST)", id="not RFC 3339"),
        pytest.param("2021-09-30T16:25:24.000Z", "2021-09-31T16:25:24.000Z", id="no such day"),
        pytest.param("2021-09-30T16:25:24.000Z", "2021-09-30T16:25:24", id="no zone"),
        pytest.param("2021-09-30T16:25:24.000Z", "2021-09-30T16:25:24Z\n", id="line break at the end"),
        pytest.param("2021-09-30T16:25:24.000Z", "2021-09-30T16:25:24Z\nRole: admin", id="unknown field"),
        pytest.param("\n\n\nURI", "\n\n\n\nURI", id="extra blank line"),
        pytest.param("\n\n\nURI", "\n\nURI", id="blank line missing"),
        pytest.param("\n\n\nURI", "\n\none\ntwo\n\nURI", id="statement of two lines"),
        pytest.param("\n\n\nURI", "\n\nzwölf\n\nURI", id="statement beyond ASCII"),
        pytest.param("\n\n\nURI", "\n\na\rb\n\nURI", id="carriage return"),
        pytest.param("\n", "\r\n", id="CRLF"),
        pytest.param("0xC02aaA39", "0xc02aaA39", id="wrong checksum"),
        pytest.param(
            "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
            "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
            id="no checksum",
        ),
        pytest.param("service.org wants", "service.org/login wants", id="path in the domain"),
        pytest.param("service.org wants", " wants", id="no domain"),
        pytest.param("https://service.org/login", "/login", id="relative uri"),
        pytest.param("https://service.org/login", "https://service.org/a b", id="space in the uri"),
        pytest.param("Chain ID: 1", "Chain ID: 0x1", id="chain id not decimal"),
        pytest.param("Chain ID: 1", "Chain ID: \u0661", id="a digit that is not ASCII"),
    ],
)
def test_every_deviation_is_refused(old: str, new: str) -> None:
    assert old in NO_STATEMENT
    with pytest.raises(SiweInvalid):
        parse_siwe(NO_STATEMENT.replace(old, new))


def test_optional_fields_come_in_the_standards_order_only() -> None:
    whole = (
        NO_STATEMENT
        + "\nExpiration Time: 2021-09-30T17:25:24Z\nNot Before: 2021-09-30T15:25:24Z\nRequest ID: a\nResources:"
    )
    message = parse_siwe(whole)
    assert (message.request_id, message.resources) == ("a", ())
    assert message.to_text() == whole
    with pytest.raises(SiweInvalid):
        parse_siwe(NO_STATEMENT + "\nNot Before: 2021-09-30T15:25:24Z\nExpiration Time: 2021-09-30T17:25:24Z")


def test_a_long_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(SiweInvalid, match="longer"):
        parse_siwe(NO_STATEMENT + " " * MAX_MESSAGE_CHARS)


def test_times_are_read_with_their_offset_and_any_precision() -> None:
    assert parse_time("2021-09-30T18:25:24+02:00") == parse_time("2021-09-30T16:25:24.000000000z")
    assert format_time(int(parse_time("2021-09-30T16:25:24Z").timestamp())) == "2021-09-30T16:25:24Z"


TEXT = st.text(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;= ", min_size=1, max_size=40)
PATH = st.text(string.ascii_letters + string.digits + "-._~/?#&=", max_size=20)
TIMES = st.integers(0, 4_000_000_000).map(format_time)
MESSAGES = st.builds(
    SiweMessage,
    scheme=st.none() | st.sampled_from(["https", "http", "ipfs+x"]),
    domain=st.from_regex(r"[a-z][a-z0-9.-]{0,20}(:[0-9]{1,5})?", fullmatch=True),
    address=st.binary(min_size=20, max_size=20).map(lambda raw: to_checksum("0x" + raw.hex())),
    statement=st.none() | TEXT,
    uri=PATH.map(lambda path: f"https://example.com/{path}"),
    chain_id=st.integers(0, 2**256).map(str).filter(lambda text: len(text) <= 78),
    nonce=st.text(string.ascii_letters + string.digits, min_size=8, max_size=40),
    issued_at=TIMES,
    expiration_time=st.none() | TIMES,
    not_before=st.none() | TIMES,
    request_id=st.none() | st.text(string.ascii_letters + string.digits + "-._~", max_size=10),
    resources=st.none() | st.lists(PATH.map(lambda path: f"ipfs://{path}"), max_size=4).map(tuple),
)


@given(MESSAGES)
def test_what_is_written_is_read_back_the_same(message: SiweMessage) -> None:
    assert parse_siwe(message.to_text()) == message


@attack("B3")
@given(MESSAGES, st.data())
def test_no_other_text_means_the_same(message: SiweMessage, data: st.DataObject) -> None:
    """One character changed, taken out or put in: refused, or read as another message, never as the same one."""
    text = message.to_text()
    at = data.draw(st.integers(0, len(text)))
    other = data.draw(st.sampled_from(["", "\n", " ", "a", "0", "é", "\r"]))
    length = data.draw(st.integers(0, 1))
    changed = text[:at] + other + text[at + length :]
    try:
        parsed = parse_siwe(changed)
    except SiweInvalid:
        return
    assert parsed.to_text() == changed
    assert (parsed == message) == (changed == text)
