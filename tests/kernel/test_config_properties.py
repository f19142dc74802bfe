"""What holds for any configuration: what is written is read, and no text does more than name faults."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamgate.config import Config, ConfigFaults, load_config, render_config
from streamgate.settings import Secret, config_field


@attrs.frozen(kw_only=True)
class Place:
    name: str = config_field(help="Name.")
    floors: int = config_field(1, help="Floors.")


@attrs.frozen(kw_only=True)
class Toy:
    text: str = config_field("", help="Text.")
    number: int = config_field(0, help="Number.")
    fraction_s: float = config_field(0.0, help="Fraction.")
    is_on: bool = config_field(False, help="On.")
    maybe: str | None = config_field(None, help="Maybe.")
    words: tuple[str, ...] = config_field((), help="Words.")
    pin: Secret = config_field(Secret(""), help="Pin.")
    places: dict[str, Place] = config_field(factory=dict, help="Places.")


# YAML carries no surrogates and no control characters but these.
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\t\n"), max_size=20)
toys = st.builds(
    Toy,
    text=texts,
    number=st.integers(-(10**20), 10**20),
    fraction_s=st.floats(allow_nan=False, allow_infinity=False),
    is_on=st.booleans(),
    maybe=st.none() | texts,
    words=st.lists(texts, max_size=3).map(tuple),
    places=st.dictionaries(texts, st.builds(Place, name=texts, floors=st.integers(0, 9)), max_size=3),
)
enough = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def read(file: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    file.write_bytes(text.encode())
    return load_config(sections={"toy": Toy}, file=file, environment=environment or {})


def places_of_faults(file: Path, text: str, environment: dict[str, str]) -> list[str]:
    try:
        read(file, text, environment)
    except ConfigFaults as faults:
        return [fault.where for fault in faults.faults]
    return []


def plain(toy: Toy) -> dict[str, Any]:
    found = attrs.asdict(toy, filter=lambda field, value: field.name != "pin")
    return {**found, "words": list(toy.words)}


@enough
@given(toy=toys)
def test_what_is_written_is_read(file: Path, toy: Toy) -> None:
    assert read(file, yaml.safe_dump({"toy": plain(toy)}, allow_unicode=True)).section("toy") == toy


@enough
@given(toy=toys)
def test_what_is_shown_is_read(file: Path, toy: Toy) -> None:
    shown = render_config(read(file, yaml.safe_dump({"toy": plain(toy)})))
    kept = {"toy": yaml.safe_load(shown)["toy"]}
    del kept["toy"]["pin"]
    assert read(file, yaml.safe_dump(kept)).section("toy") == toy


@enough
@given(toy=toys)
def test_what_a_variable_says_is_read(file: Path, toy: Toy) -> None:
    config = read(
        file,
        "",
        {
            "STREAMGATE_TOY__TEXT": toy.text,
            "STREAMGATE_TOY__NUMBER": str(toy.number),
            "STREAMGATE_TOY__FRACTION_S": repr(toy.fraction_s),
            "STREAMGATE_TOY__IS_ON": str(toy.is_on),
            "STREAMGATE_TOY__PIN": toy.text,
        },
    )
    found = config.section("toy")
    assert (toy.text, toy.number, toy.fraction_s, toy.is_on) == (
        found.text,
        found.number,
        found.fraction_s,
        found.is_on,
    )
    assert found.pin.reveal() == toy.text


@enough
@given(text=st.text(max_size=60) | st.text(string.ascii_lowercase[:4] + ":-[]{}&*!|>'\"# \n,?%@", max_size=60))
def test_no_text_does_more_than_name_faults(file: Path, text: str) -> None:
    assert all(place.startswith(str(file)) for place in places_of_faults(file, text.replace("\ud800", ""), {}))


@enough
@given(
    name=st.text(string.ascii_uppercase + "_", min_size=1, max_size=20).map("STREAMGATE_".__add__),
    value=st.text(string.printable, max_size=10),
)
def test_no_variable_does_more_than_name_faults(file: Path, name: str, value: str) -> None:
    assert set(places_of_faults(file, "", {name: value})) <= {name}


@enough
@given(secret=st.text(string.ascii_letters + string.digits, min_size=8, max_size=20).map("s3cret".__add__))
def test_a_secret_is_in_no_print(file: Path, secret: str) -> None:
    config = read(file, f"toy: {{pin: {secret}}}")
    assert config.section("toy").pin.reveal() == secret
    assert secret not in render_config(config, with_origins=True) + repr(config)
    with pytest.raises(ConfigFaults) as caught:
        read(file, f"toy: {{pin: [{secret}]}}")
    assert secret not in str(caught.value)
