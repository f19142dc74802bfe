"""A configuration that cannot be meant is refused, with faults a person can act on."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from streamgate.config import ConfigFaults, load_config
from streamgate.settings import config_field
from tests.kernel.config_toy import Toy, faults, load, toy


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_faults_are_named_at_once_each_with_its_origin() -> None:
    text = "server:\n  prt: 1\n  port: abc\ntoyy:\n  x: 1\ntoy:\n  tags: a\n"
    found = faults(text, {"STREAMGATE_TOY__LEAS_S": "1", "STREAMGATE_TOY__COLOUR": "RED"})
    assert found == [
        "config/config.yaml:2: server.prt: unknown key; did you mean 'port'?",
        "config/config.yaml:3: server.port: 'abc' is not a whole number",
        "config/config.yaml:4: toyy: unknown section; did you mean 'toy'?",
        "config/config.yaml:7: toy.tags: 'a' is not a list; write [a, b]",
        "STREAMGATE_TOY__COLOUR: toy.colour: 'RED' is none of red, green; write red (the default is red)",
        "STREAMGATE_TOY__LEAS_S: no such setting; did you mean 'STREAMGATE_TOY__LEASE_S'?",
    ]


def test_a_key_in_the_wrong_section_is_told_its_place() -> None:
    assert faults("log:\n  port: 1\n") == ["config/config.yaml:2: log.port: unknown key; it belongs to server.port"]


def test_a_key_like_no_other_is_shown_what_there_is() -> None:
    assert faults("log:\n  zzz: 1\n") == ["config/config.yaml:2: log.zzz: unknown key; known here: level, format"]


def test_a_single_underscore_is_no_silent_mistake() -> None:
    assert faults(environment={"STREAMGATE_SERVER_PORT": "80"}) == [
        "STREAMGATE_SERVER_PORT: no such setting; did you mean 'STREAMGATE_SERVER__PORT'?"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("toy: {is_open: yes}", "'yes' is neither true nor false"),
        ("toy: {is_open: 1}", "'1' is neither true nor false"),
        ("toy: {lease_s: 1e999}", "not a number that can be held"),
        ("toy: {lease_s: .nan}", "'.nan' is not a number"),
        ("server: {port: 9090.0}", "'9090.0' is not a whole number"),
        ("server: {port: 0x1F}", "'0x1F' is not a whole number"),
        ("toy: {colour: [red]}", "is a list; one value is wanted"),
        ("toy: {colour: {a: b}}", "one value, not a group"),
        ("toy: {colour: }", "the key says nothing"),
        ("toy: [1]", "a group of keys is wanted"),
        ("toy: {limits: 3}", "a group of keys is wanted"),
        ("toy: {tags: [[a]]}", "is a list; one value is wanted"),
        ("toy: {chains: {eip155:1: {}}}", "toy.chains.eip155:1.rpc_urls: is missing"),
        ("profile: dev", "--profile or STREAMGATE_PROFILE"),
        ("- a", "a group of keys is wanted"),
        ("toy: {colour: red\n", "this is not YAML"),
        ("a: \x01", "this is not YAML"),
        ("toy: {colour: red, colour: green}", "there twice"),
        ("toy: {lease_s: 1}", "must be at least 2 seconds; is 1"),
        ("server: {port: 65536}", "must be at most 65535; is 65536"),
    ],
)
def test_what_is_not_meant_is_refused(text: str, said: str) -> None:
    found = faults(text)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("config/config.yaml")


def test_a_validator_is_shown_with_the_origin_of_the_value() -> None:
    assert faults(environment={"STREAMGATE_TOY__LEASE_S": "1"}) == [
        "STREAMGATE_TOY__LEASE_S: toy.lease_s: must be at least 2 seconds; is 1"
    ]


def test_a_validator_of_a_map_is_shown_with_the_origin_of_its_first_key() -> None:
    @attrs.frozen
    class Mapped:
        names: dict[str, str] = config_field(factory=dict, help="?", validator=attrs.validators.max_len(0))

    Path("m.yaml").write_text("m:\n  names:\n    a: b\n")
    with pytest.raises(ConfigFaults, match=r"^m\.yaml:3: m\.names: "):
        load_config(sections={"m": Mapped}, file=Path("m.yaml"), environment={})


@pytest.mark.parametrize("text", ["no", "0123", "1.10", "2024-01-01", "null_", "1e3", "~x"])
def test_text_stays_as_it_was_written(text: str) -> None:
    assert toy(f"toy:\n  nickname: {text}\n").nickname == text


def test_a_section_with_nothing_in_it_is_fine() -> None:
    assert toy("toy:\nserver:\n") == Toy()


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigFaults) as caught:
        load_config(sections={}, file=Path("none.yaml"), environment={})
    assert str(caught.value) == "none.yaml: cannot be read: No such file or directory"


def test_sections_of_absent_plugins_pass_where_only_some_are_installed() -> None:
    text, environment = "auth:\n  x: 1\n", {"STREAMGATE_AUTH__X": "1"}
    assert len(faults(text, environment)) == 2
    config = load(text, environment, is_partial=True)
    assert len(config.notes) == 2
    assert "did you mean 'toy'" in faults("toys:\n  x: 1\n", is_partial=True)[0]
    assert "did you mean" in faults(environment={"STREAMGATE_TOYS__PIN": "1"}, is_partial=True)[0]


def test_a_plugin_cannot_take_a_kernel_section() -> None:
    with pytest.raises(ValueError, match="'server'"):
        load_config(sections={"server": Toy}, environment={})


def test_a_type_that_cannot_be_configured_is_the_plugins_fault() -> None:
    @attrs.frozen
    class Odd:
        when: complex = config_field(1j, help="?")

    with pytest.raises(TypeError, match=r"Odd\.when"):
        load_config(sections={"odd": Odd}, environment={})
