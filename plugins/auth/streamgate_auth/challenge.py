"""Challenges that the server does not have to remember.

A `challenge_id` carries everything the answer is checked against, and a MAC under a key of ours: asking for a
million of them stores nothing. It is good for five minutes and for one sign-in: the sign-in's own transaction
inserts its fingerprint under a unique key, so that of two answers one wins, and a wrong answer burns nothing.

    challenge_id = base64url(payload ‖ HMAC-SHA256(key, payload), 32 bytes)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

import attrs
import orjson

from streamgate.contracts.auth import ChallengeExpired, ChallengeInvalid
from streamgate.contracts.hooks import SigningFacts
from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import Address
from streamgate_auth.origin import Origin
from streamgate_auth.siwe import format_time

TTL_S = 300
MAX_ID_CHARS = 512
_MAC_BYTES = 32
_NONCE_BYTES = 16  # EIP-4361 wants at least 8 characters; asked of the system at once, as each asking is a system call
SIGN_IN = "Sign in to StreamGate. This costs nothing and moves nothing."
LINK = "Link this wallet to the StreamGate account {user_id}, whose owner may then act as its holder."


@attrs.frozen(kw_only=True)
class Challenge:
    """What was asked, of whom. Times are whole Unix seconds. `browser`: the hash of the browser that asked, or ""
    where none did (`cookies.browser_hash`). `user_id`: the account that the wallet is to be linked to; "" to sign
    in with it. What is signed says which, so that an answer to one is never an answer to the other."""

    scheme: str
    chain: str
    address: Address
    nonce: str
    issued_at_s: int
    expires_at_s: int
    browser: str = ""
    user_id: str = ""

    def facts(self, origin: Origin) -> SigningFacts:
        """What the wallet is shown, whatever the scheme makes of it."""
        return SigningFacts(
            address=self.address,
            chain=self.chain,
            origin=str(origin),
            domain=origin.domain,
            statement=LINK.format(user_id=self.user_id) if self.user_id else SIGN_IN,
            nonce=self.nonce,
            issued_at=format_time(self.issued_at_s),
            expires_at=format_time(self.expires_at_s),
        )


_FIELDS = tuple(field.name for field in attrs.fields(Challenge))


@attrs.frozen(kw_only=True)
class OpenedChallenge:
    """A challenge that came back. `fingerprint` is the same however its id was spelled: the key it is used up by."""

    challenge: Challenge
    fingerprint: str


class ChallengeBook:
    """Issues challenges and opens them again. `key`: 32 bytes, the same in every replica."""

    def __init__(self, key: bytes, clock: Clock, *, ttl_s: int = TTL_S) -> None:
        self._key = key
        self._clock = clock
        self._ttl_s = ttl_s

    def issue(
        self, scheme: str, address: Address, chain: str, *, browser: str = "", user_id: str = ""
    ) -> tuple[str, Challenge]:
        """The id to hand out, and what it stands for."""
        issued_at_s = int(self._clock.now_s())
        challenge = Challenge(
            scheme=scheme,
            chain=chain,
            address=address,
            nonce=secrets.token_hex(_NONCE_BYTES),
            issued_at_s=issued_at_s,
            expires_at_s=issued_at_s + self._ttl_s,
            browser=browser,
            user_id=user_id,
        )
        payload = orjson.dumps(attrs.astuple(challenge))
        return base64.urlsafe_b64encode(payload + self._mac(payload)).rstrip(b"=").decode(), challenge

    def open(self, challenge_id: str) -> OpenedChallenge:
        """What an id stands for.

        Raises:
            ChallengeInvalid: not made by this server.
            ChallengeExpired: older than five minutes.
        """
        payload = self._authentic_payload(challenge_id)
        challenge = Challenge(**dict(zip(_FIELDS, orjson.loads(payload), strict=True)))
        if self._clock.now_s() >= challenge.expires_at_s:
            raise ChallengeExpired("the challenge has expired; ask for a new one and sign that")
        return OpenedChallenge(challenge=challenge, fingerprint=hashlib.sha256(payload).hexdigest())

    def _authentic_payload(self, challenge_id: str) -> bytes:
        refused = ChallengeInvalid("the challenge_id was not issued here; ask for a new challenge")
        if not challenge_id.isascii() or len(challenge_id) > MAX_ID_CHARS:
            raise refused
        try:
            raw = base64.b64decode(challenge_id + "=" * (-len(challenge_id) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as fault:
            raise refused from fault
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            raise refused
        return payload

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, b"streamgate.challenge.v2\x00" + payload, "sha256")
