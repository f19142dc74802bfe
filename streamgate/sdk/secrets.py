"""The master key: it wraps every key that lies in the database, and nothing else.

    keys = load_master_key(settings)
    wrapped = keys.wrap("auth.signing", private_bytes)      # to the database
    keys.unwrap("auth.signing", wrapped)                    # back; another purpose does not open it

Where it comes from: `STREAMGATE_SECRETS__MASTER_KEY`, or the file that `…_MASTER_KEY_FILE` names. On the embedded
default alone (SQLite, one process) it is made once, `master.key` in the data directory, readable by its owner only.
Whoever holds it and the database can sign in as anybody: keep the two apart, and back both up.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
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
    """Wraps and derives by purpose (`auth.signing`, `streaming.path`): one key never serves two."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise MasterKeyFault(f"the master key must be {KEY_BYTES} bytes, base64; these are {len(key)}")
        self._key = key
        self._wrapping = AESGCM(self.derive("streamgate.wrap"))

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
        nonce, sealed = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            if wrapped[:1] != _VERSION:
                raise InvalidTag
            return self._wrapping.decrypt(nonce, sealed, purpose.encode())
        except (InvalidTag, ValueError) as fault:
            raise MasterKeyFault(
                f"a stored key ({purpose}) does not open: the master key is not the one it was wrapped with; "
                "start with the master key this database was made with"
            ) from fault

    def derive(self, purpose: str, *, length_bytes: int = KEY_BYTES) -> bytes:
        """A key of its own for a purpose, always the same one (HKDF-SHA256, RFC 5869)."""
        return HKDF(algorithm=hashes.SHA256(), length=length_bytes, salt=None, info=purpose.encode()).derive(self._key)


def load_master_key(settings: KernelSettings) -> MasterKey:
    """The key the settings name; on the embedded default one is made where there is none.

    Raises:
        MasterKeyFault: none is to be had, or it is no 32 bytes of base64. The message names the variable.
    """
    secrets = settings.secrets
    if secrets.master_key:
        return _parse(secrets.master_key.reveal(), "secrets.master_key")
    if secrets.master_key_file:
        return _read(Path(secrets.master_key_file), "secrets.master_key_file")
    if not settings.is_embedded:
        raise MasterKeyFault(
            "the master key is missing: set STREAMGATE_SECRETS__MASTER_KEY (32 bytes, base64: "
            "`openssl rand -base64 32`) or STREAMGATE_SECRETS__MASTER_KEY_FILE"
        )
    path = settings.data_dir / FILE_NAME
    _make_once(path)
    return _read(path, str(path))


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


def _read(path: Path, origin: str) -> MasterKey:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as fault:
        raise MasterKeyFault(f"{origin}: the master key cannot be read ({fault.strerror})") from fault
    return _parse(text, origin)


def _parse(text: str, origin: str) -> MasterKey:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise MasterKeyFault(f"{origin}: the master key is not base64 (`openssl rand -base64 32` makes one)") from fault
    if len(key) != KEY_BYTES:
        raise MasterKeyFault(f"{origin}: the master key must be {KEY_BYTES} bytes; these are {len(key)}")
    return MasterKey(key)
