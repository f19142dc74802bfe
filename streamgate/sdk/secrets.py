"""The master key: it wraps every key that lies in the database, and nothing else.

    keys = load_master_key(settings)
    wrapped = keys.wrap("auth.signing", private_bytes)      # to the database
    keys.unwrap("auth.signing", wrapped)                    # back; another purpose does not open it

Where it comes from: `STREAMGATE_SECRETS__MASTER_KEY`, or the file that `…_MASTER_KEY_FILE` names. On the embedded
default alone (SQLite, one process) it is made once, `master.key` in the data directory, readable by its owner only.
Whoever holds it and the database can sign in as anybody: keep the two apart, and back both up.

It is changed like this: the new key becomes `master_key`, the old one is named in `previous_master_keys` (or stands
below the new one in the file: the first line is in use, the others still open); all processes start anew;
`streamgate keys rewrap`; the old one is removed.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streamgate.plugins import PluginContext
from streamgate.settings import KernelSettings

KEY_BYTES = 32
FILE_NAME = "master.key"
_VERSION = b"\x01"
_NONCE_BYTES = 12


class MasterKeyFault(Exception):
    """A start fault: the master key is missing, malformed, or not the one the database was written with."""


class MasterKey:
    """Wraps and derives by purpose (`auth.signing`, `streaming.path`): one key never serves two.

    Args:
        former: keys from before, which still open what they have wrapped. Nothing is wrapped with them.
    """

    def __init__(self, key: bytes, former: Sequence[bytes] = ()) -> None:
        for each in (key, *former):
            if len(each) != KEY_BYTES:
                raise MasterKeyFault(f"the master key must be {KEY_BYTES} bytes, base64; these are {len(each)}")
        self._key = key
        self._wrapping, *self._former = (AESGCM(_derive(each, "streamgate.wrap", KEY_BYTES)) for each in (key, *former))

    def __repr__(self) -> str:
        return "MasterKey(…)"

    def wrap(self, purpose: str, plaintext: bytes) -> bytes:
        """AES-256-GCM: version byte ‖ nonce, 12 bytes ‖ ciphertext ‖ tag, 16 bytes. `purpose` is authenticated."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._wrapping.encrypt(nonce, plaintext, purpose.encode())

    def unwrap(self, purpose: str, wrapped: bytes) -> bytes:
        """What `wrap` was given under the same purpose.

        Raises:
            MasterKeyFault: another key or purpose wrapped it, or it was changed.
        """
        for key in (self._wrapping, *self._former):
            plaintext = _opened(key, purpose, wrapped)
            if plaintext is not None:
                return plaintext
        raise MasterKeyFault(
            f"a stored key ({purpose}) does not open: the master key is not the one it was wrapped with; start with "
            "the master key this database was made with, or name it in secrets.previous_master_keys"
        )

    def is_current(self, purpose: str, wrapped: bytes) -> bool:
        """Whether the key in use wrapped it, and not a former one."""
        return _opened(self._wrapping, purpose, wrapped) is not None

    def derive(self, purpose: str, *, length_bytes: int = KEY_BYTES) -> bytes:
        """A key of its own for a purpose, the same one for as long as the master key is (HKDF-SHA256, RFC 5869).
        What has to outlive the master key is made at random and wrapped."""
        return _derive(self._key, purpose, length_bytes)


def _derive(key: bytes, purpose: str, length_bytes: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length_bytes, salt=None, info=purpose.encode()).derive(key)


def _opened(key: AESGCM, purpose: str, wrapped: bytes) -> bytes | None:
    if wrapped[:1] != _VERSION:
        return None
    try:
        return key.decrypt(wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :], purpose.encode())
    except (InvalidTag, ValueError):
        return None


def load_master_key(settings: KernelSettings) -> MasterKey:
    """The key the settings name, with the former ones; on the embedded default one is made where there is none.

    Raises:
        MasterKeyFault: none is to be had, or it is no 32 bytes of base64. The message names the variable.
    """
    secrets = settings.secrets
    former = _keys(secrets.previous_master_keys.reveal(), "secrets.previous_master_keys")
    if secrets.master_key:
        return _first_of(_keys(secrets.master_key.reveal(), "secrets.master_key"), former, "secrets.master_key")
    if secrets.master_key_file:
        return _read(Path(secrets.master_key_file), former, "secrets.master_key_file")
    if not settings.is_embedded:
        raise MasterKeyFault(
            "the master key is missing: set STREAMGATE_SECRETS__MASTER_KEY (32 bytes, base64: "
            "`openssl rand -base64 32`) or STREAMGATE_SECRETS__MASTER_KEY_FILE"
        )
    path = settings.data_dir / FILE_NAME
    _make_once(path)
    return _read(path, former, str(path))


def master_key(ctx: PluginContext) -> MasterKey:
    """The process' one master key."""
    return ctx.shared(MasterKey, lambda: load_master_key(ctx.settings))


def _make_once(path: Path) -> None:
    """A process that loses the race to make it reads the winner's: the file appears whole or not at all."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        os.write(handle, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
        os.fsync(handle)
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        Path(draft).unlink()


def _read(path: Path, former: Sequence[bytes], origin: str) -> MasterKey:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as fault:
        raise MasterKeyFault(f"{origin}: the master key cannot be read ({fault.strerror})") from fault
    return _first_of(_keys(text, origin), former, origin)


def _first_of(keys: Sequence[bytes], former: Sequence[bytes], origin: str) -> MasterKey:
    if not keys:
        raise MasterKeyFault(f"{origin}: there is no master key in it")
    return MasterKey(keys[0], [*keys[1:], *former])


def _keys(text: str, origin: str) -> list[bytes]:
    """Keys between blanks and line ends."""
    return [_parse(word, origin) for word in text.split()]


def _parse(text: str, origin: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise MasterKeyFault(
            f"{origin}: the master key is not base64 (`streamgate keys generate` makes one)"
        ) from fault
    if len(key) != KEY_BYTES:
        raise MasterKeyFault(f"{origin}: the master key must be {KEY_BYTES} bytes; these are {len(key)}")
    return key
