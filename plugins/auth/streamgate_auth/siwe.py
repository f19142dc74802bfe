"""EIP-4361 (Sign-In with Ethereum): strict, over the raw text.

The parser accepts exactly the ABNF of the standard and keeps every field as it was written, so that
`parse(text).to_text() == text` for whatever it accepts: nothing can hide between what was signed and what
was compared. No field may be missing, doubled, out of order or unknown, and no field may hold a line break.

Source: https://eips.ethereum.org/EIPS/eip-4361 (message format).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import attrs

from streamgate.sdk.evm import is_checksummed

MAX_MESSAGE_CHARS = 4096
MAX_RESOURCES = 32

# RFC 3986, the characters alone: what a URI means is compared elsewhere.
_RESERVED_UNRESERVED = r"A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;="
_AUTHORITY = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@\[\]]|%[0-9A-Fa-f]{2})+"
_URI = r"[A-Za-z][A-Za-z0-9+\-.]*:(?:[" + _RESERVED_UNRESERVED + r"]|%[0-9A-Fa-f]{2})*"
_DATE_TIME = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+\-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_MESSAGE = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+\-.]*)://)?"
    rf"(?P<domain>{_AUTHORITY}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9A-Fa-f]{40})\n"
    r"\n"
    rf"(?:(?P<statement>[{_RESERVED_UNRESERVED} ]+)\n)?"
    r"\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: (?P<version>1)\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,78})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,128})\n"
    rf"Issued At: (?P<issued_at>{_DATE_TIME})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_DATE_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_DATE_TIME}))?"
    r"(?:\nRequest ID: (?P<request_id>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?",
    re.ASCII,
)


class SiweInvalid(ValueError):
    """The text is not an EIP-4361 message. Its own text says what is wrong, never the message."""


@attrs.frozen(kw_only=True)
class SiweMessage:
    """One message, each field as written. `None` is a field that is not there; `resources` may be there empty."""

    domain: str
    address: str
    uri: str
    chain_id: str
    nonce: str
    issued_at: str
    scheme: str | None = None
    statement: str | None = None
    version: str = "1"
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None

    def to_text(self) -> str:
        """The message to sign, without a final line break."""
        scheme = "" if self.scheme is None else f"{self.scheme}://"
        lines = [f"{scheme}{self.domain} wants you to sign in with your Ethereum account:", self.address, ""]
        if self.statement is not None:
            lines.append(self.statement)
        lines += [
            "",
            f"URI: {self.uri}",
            f"Version: {self.version}",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
        ]
        for label, value in (
            ("Expiration Time", self.expiration_time),
            ("Not Before", self.not_before),
            ("Request ID", self.request_id),
        ):
            if value is not None:
                lines.append(f"{label}: {value}")
        if self.resources is not None:
            lines.append("Resources:")
            lines.extend(f"- {resource}" for resource in self.resources)
        return "\n".join(lines)


def parse_siwe(text: str) -> SiweMessage:
    """The fields of a message.

    Raises:
        SiweInvalid: the text deviates from the standard anywhere, the address is not checksummed (EIP-55),
            or a time is no time.
    """
    if len(text) > MAX_MESSAGE_CHARS:
        raise SiweInvalid(f"the message is longer than {MAX_MESSAGE_CHARS} characters")
    found = _MESSAGE.fullmatch(text)
    if found is None:
        raise SiweInvalid("the message does not have the form of EIP-4361")
    fields = found.groupdict()
    if not is_checksummed(fields["address"]):
        raise SiweInvalid("the address in the message is not checksummed (EIP-55)")
    for name in ("issued_at", "expiration_time", "not_before"):
        if fields[name] is not None:
            parse_time(fields[name])
    listed: str | None = fields.pop("resources")
    resources = None if listed is None else tuple(line[2:] for line in listed.split("\n")[1:])
    if resources is not None and len(resources) > MAX_RESOURCES:
        raise SiweInvalid(f"the message names more than {MAX_RESOURCES} resources")
    return SiweMessage(**fields, resources=resources)


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, aware. Digits past microseconds are cut off.

    Raises:
        SiweInvalid: no such day.
    """
    normal = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text.upper())
    try:
        return datetime.fromisoformat(normal)
    except ValueError as fault:
        raise SiweInvalid("a time in the message is not a time") from fault


def format_time(unix_s: int) -> str:
    """Whole seconds in UTC, as our own messages write them."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
