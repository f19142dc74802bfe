"""The installation's identity keys: what makes credentials. They stay with the operator, in no container.

rotate() three times, with all processes started anew, one after another, in between:
1  a new key is made and trusted everywhere, nothing is signed with it
2  everything is signed with it, the old one is still trusted
3  the old one is forgotten
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streamgate.identity.credentials import (
    Certificate,
    Credentials,
    IdentityFault,
    sign_certificate,
    to_base64,
    unbase64,
)
from streamgate.identity.grants import Grants, service_of
from streamgate.identity.nkeys import encode_public, encode_seed
from streamgate.identity.seals import pair_key

DAY_S = 86_400
VALID_DAYS = 365
OVERLAP_S = 8 * DAY_S  # events wait on the bus for up to seven days, and are checked when they are read
BACKDATED_S = 300  # clocks differ

Step = Literal["introduced", "in use", "forgotten"]


@attrs.frozen(kw_only=True, repr=False)
class IdentityKey:
    """`secret` is what the keys between callers and services come from, `seed` what signs certificates (base64)."""

    key_id: str
    seed: str
    secret: str
    in_use_since_s: int = 0  # 0: not yet


@attrs.frozen(kw_only=True)
class Issued:
    """A role's latest credentials. `former`: public keys for NATS of those before, not yet expired."""

    nats_key: str
    grants: Grants
    not_after_s: int
    former: dict[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True, repr=False)
class Issuer:
    """What lies in `issuer.json`. The key that is in use is the last one that has been; a newer one waits."""

    keys: tuple[IdentityKey, ...]
    issued: dict[str, Issued] = attrs.field(factory=dict)

    @property
    def key_in_use(self) -> IdentityKey:
        return [key for key in self.keys if key.in_use_since_s][-1]

    def issue(self, role: str, grants: Grants, now_s: int, *, days: int = VALID_DAYS) -> tuple[Issuer, Credentials]:
        """New credentials for a role; those before stay good until they expire."""
        used, signing, login = self.key_in_use, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        certificate = Certificate(
            role=role,
            issuer=used.key_id,
            public_key=to_base64(signing.public_key().public_bytes_raw()),
            not_before_s=now_s - BACKDATED_S,
            not_after_s=now_s + days * DAY_S,
            grants=grants,
        )
        raw = sign_certificate(certificate, _private(used))
        asked = {service_of(subject) for subject in grants.asks}
        credentials = Credentials(
            certificate=to_base64(raw),
            signing_key=to_base64(signing.private_bytes_raw()),
            nats_seed=encode_seed(login),
            trusted={key.key_id: to_base64(_private(key).public_key().public_bytes_raw()) for key in self.keys},
            asks={name: to_base64(pair_key(_service_key(used, name), raw)) for name in sorted(asked)},
            answers={
                name: {key.key_id: to_base64(_service_key(key, name)) for key in self.keys} for name in grants.answers
            },
        )
        before = self.issued.get(role)
        former = {} if before is None else {**before.former, before.nats_key: before.not_after_s}
        issued = Issued(
            nats_key=encode_public(login),
            grants=grants,
            not_after_s=certificate.not_after_s,
            former={key: until_s for key, until_s in former.items() if until_s > now_s},
        )
        return attrs.evolve(self, issued={**self.issued, role: issued}), credentials

    def without_former(self, roles: Iterable[str]) -> Issuer:
        """NATS takes the latest credentials of these roles only."""
        changed = {role: attrs.evolve(self.issued[role], former={}) for role in roles}
        return attrs.evolve(self, issued={**self.issued, **changed})

    def rotate(self, now_s: int, *, at_once: bool = False) -> tuple[Issuer, Step]:
        """One step on. Credentials have to be issued anew for all roles after it.

        Args:
            at_once: forgets the old key although events signed with it may still wait to be read.

        Raises:
            IdentityFault: the old key cannot be forgotten yet.
        """
        newest, used = self.keys[-1], self.key_in_use
        if newest is not used:
            return attrs.evolve(self, keys=(*self.keys[:-1], attrs.evolve(newest, in_use_since_s=now_s))), "in use"
        if len(self.keys) == 1:
            return attrs.evolve(self, keys=(*self.keys, make_key(0))), "introduced"
        wait_s = used.in_use_since_s + OVERLAP_S - now_s
        if wait_s > 0 and not at_once:
            raise IdentityFault(
                f"the old identity key is needed for {-(-wait_s // DAY_S)} more days: events signed with it may still "
                "wait to be read (--at-once forgets it all the same, as after a theft; they become dead letters)"
            )
        kept = {role: attrs.evolve(issued, former={}) for role, issued in self.issued.items()}
        return attrs.evolve(self, keys=(used,), issued=kept), "forgotten"


def make_key(in_use_since_s: int) -> IdentityKey:
    private = Ed25519PrivateKey.generate()
    return IdentityKey(
        key_id=os.urandom(6).hex(),
        seed=to_base64(private.private_bytes_raw()),
        secret=to_base64(os.urandom(32)),
        in_use_since_s=in_use_since_s,
    )


def _private(key: IdentityKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(unbase64(key.seed))


def _service_key(key: IdentityKey, service: str) -> bytes:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"streamgate answers {service}".encode())
    return derivation.derive(unbase64(key.secret))
