"""The master key: where it comes from, and what it opens."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from streamgate.sdk.secrets import MasterKey, MasterKeyFault, load_master_key
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings

KEY = base64.b64encode(bytes(range(32))).decode()
POSTGRES = DatabaseSettings(url=Secret("postgresql://db/streamgate"))


def settings(folder: Path, secrets: SecretSettings = SecretSettings()) -> KernelSettings:  # noqa: B008 (frozen)
    return KernelSettings(data_dir=folder, secrets=secrets)


def test_what_is_wrapped_opens_under_the_same_purpose_only() -> None:
    keys = MasterKey(bytes(32))
    wrapped = keys.wrap("auth.signing", b"secret")
    assert keys.unwrap("auth.signing", wrapped) == b"secret"
    assert b"secret" not in wrapped
    assert keys.wrap("auth.signing", b"secret") != wrapped
    for opener, purpose in ((keys, "auth.refresh"), (MasterKey(b"x" * 32), "auth.signing")):
        with pytest.raises(MasterKeyFault, match="does not open"):
            opener.unwrap(purpose, wrapped)


@pytest.mark.parametrize("at", [0, 5, 20, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    keys = MasterKey(bytes(32))
    wrapped = bytearray(keys.wrap("p", b"secret"))
    wrapped[at] ^= 1
    with pytest.raises(MasterKeyFault):
        keys.unwrap("p", bytes(wrapped))


def test_too_short_a_text_is_noticed() -> None:
    for wrapped in (b"", b"\x01", b"\x01" + bytes(12)):
        with pytest.raises(MasterKeyFault):
            MasterKey(bytes(32)).unwrap("p", wrapped)


def test_derived_keys_differ_by_purpose_and_stay_the_same() -> None:
    keys = MasterKey(bytes(32))
    assert keys.derive("a") == MasterKey(bytes(32)).derive("a") != keys.derive("b")
    assert len(keys.derive("a", length_bytes=16)) == 16


def test_it_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    wrapped = load_master_key(settings(folder)).wrap("p", b"x")
    assert load_master_key(settings(folder)).unwrap("p", wrapped) == b"x"
    assert stat.S_IMODE((folder / "master.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["master.key"]


def test_two_who_make_it_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_master_key(settings(tmp_path)), range(8)))
    assert len({each.derive("p") for each in keys}) == 1


def test_the_setting_and_the_file_come_first(tmp_path: Path) -> None:
    expected = MasterKey(bytes(range(32))).derive("p")
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert load_master_key(settings(tmp_path, SecretSettings(master_key=Secret(KEY)))).derive("p") == expected
    assert load_master_key(settings(tmp_path, SecretSettings(master_key_file=str(file)))).derive("p") == expected
    assert not (tmp_path / "master.key").exists()


def test_elsewhere_its_absence_is_a_fault_that_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyFault, match="STREAMGATE_SECRETS__MASTER_KEY"):
        load_master_key(attrs.evolve(settings(tmp_path), database=POSTGRES))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"x" * 31).decode(), "ß" * 44, KEY[:-2]])
def test_a_malformed_key_is_a_fault_that_does_not_show_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(MasterKeyFault) as caught:
        load_master_key(settings(tmp_path, SecretSettings(master_key=Secret(text))))
    assert text not in str(caught.value)


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyFault, match="cannot be read"):
        load_master_key(settings(tmp_path, SecretSettings(master_key_file=str(tmp_path / "none"))))


def test_it_hides_itself() -> None:
    assert repr(MasterKey(bytes(32))) == "MasterKey(…)"


def test_former_keys_open_and_wrap_nothing(tmp_path: Path) -> None:
    old, new = bytes(32), bytes(range(32))
    wrapped = MasterKey(old).wrap("p", b"secret")
    both = MasterKey(new, [old])
    assert both.unwrap("p", wrapped) == b"secret"
    assert not both.is_current("p", wrapped)
    fresh = both.wrap("p", b"secret")
    assert both.is_current("p", fresh)
    assert MasterKey(new).unwrap("p", fresh) == b"secret"
    assert both.derive("p") == MasterKey(new).derive("p")
    with pytest.raises(MasterKeyFault, match="previous_master_keys"):
        MasterKey(new).unwrap("p", wrapped)
    with pytest.raises(MasterKeyFault):
        both.unwrap("q", wrapped)
    with pytest.raises(MasterKeyFault, match="32 bytes"):
        MasterKey(new, [b"short"])


def test_former_keys_come_from_the_setting_or_from_further_lines_of_the_file(tmp_path: Path) -> None:
    former = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
    wrapped = [MasterKey(bytes([n]) * 32).wrap("p", b"x") for n in (1, 2)]
    file = tmp_path / "key"
    file.write_text("\n".join([KEY, *former]) + "\n")
    named = SecretSettings(master_key=Secret(KEY), previous_master_keys=Secret(" ".join(former)))
    for given in (named, SecretSettings(master_key_file=str(file))):
        loaded = load_master_key(settings(tmp_path, given))
        assert loaded.derive("p") == MasterKey(bytes(range(32))).derive("p")
        assert [loaded.unwrap("p", each) for each in wrapped] == [b"x", b"x"]
    file.write_text(f"{KEY}\nnot-a-key\n")
    with pytest.raises(MasterKeyFault, match="not base64"):
        load_master_key(settings(tmp_path, SecretSettings(master_key_file=str(file))))
