"""The folder where an operator keeps identities: `issuer.json`, `<role>.json`, `nats.conf`.

Each role's file goes to the processes of that role and to no others, `nats.conf` to the NATS server, and
`issuer.json` nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from streamgate.identity.credentials import Credentials, IdentityFault, write_private
from streamgate.identity.issuing import Issuer, make_key
from streamgate.identity.nats_config import nats_config
from streamgate.wire import from_plain

ISSUER, NATS_CONFIG = "issuer.json", "nats.conf"


def load_issuer(folder: Path, now_s: int) -> Issuer:
    """The issuer that is kept there; a new one, not yet written, where there is none.

    Raises:
        IdentityFault: it cannot be read.
    """
    path = folder / ISSUER
    try:
        return from_plain(Issuer, orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return Issuer(keys=(make_key(now_s),))
    except OSError as fault:
        raise IdentityFault(f"{path} cannot be read: {fault.strerror}") from fault
    except Exception as fault:  # cattrs and orjson raise many kinds; their texts could hold a key
        raise IdentityFault(f"{path} holds no identity keys") from fault


def write_folder(folder: Path, issuer: Issuer, credentials: Mapping[str, Credentials]) -> Sequence[Path]:
    """Writes the issuer, these roles' files and `nats.conf` for all roles; returns the latter two.

    The issuer comes first: what it has issued is known although the rest may not be written.

    Raises:
        IdentityFault: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(folder / ISSUER, issuer)
        paths = [folder / f"{role}.json" for role in credentials]
        for path, each in zip(paths, credentials.values(), strict=True):
            write_private(path, each)
        (folder / NATS_CONFIG).write_text(nats_config(issuer.issued), encoding="utf-8")
    except OSError as fault:
        raise IdentityFault(f"{folder} cannot be written: {fault.strerror}") from fault
    return [*paths, folder / NATS_CONFIG]
