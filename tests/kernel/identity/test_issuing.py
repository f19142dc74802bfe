"""Credentials: made, kept, rotated without a stop."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.identity.credentials import IdentityFault, load_credentials, write_private
from streamgate.identity.folder import load_issuer, write_folder
from streamgate.identity.grants import Grants
from streamgate.identity.issuing import OVERLAP_S
from streamgate.identity.nkeys import decode_seed, encode_public, encode_seed
from streamgate.identity.signed import IdentityRefused, SignedBus

GREET = "svc.greeter.v1.greet"
OPENED = "evt.door.opened.v1"


async def hello(question: bytes) -> bytes:
    return b"hello " + question


def both(world: Any, grants: dict[str, Grants]) -> tuple[Any, Any]:
    """New credentials for the door and the greeter."""
    return world.issue("door", grants["door"]), world.issue("greeter", grants["greeter"])


async def understand(world: Any, door: Any, greeter: Any) -> bool:
    """Whether a call and an event go from one to the other."""
    inner, heard = type(world.inner)(is_local=False), list[bytes]()
    await inner.start()

    async def hears(payload: bytes) -> None:
        heard.append(payload)

    asking, serving = (SignedBus(inner, each, now_s=lambda: world.now_s) for each in (door, greeter))
    await serving.serve(GREET, "svc-greeter", hello)
    await serving.subscribe_group(OPENED, "greeter", hears)
    try:
        answer = await asking.request(GREET, b"you", timeout_s=1)
    except IdentityRefused:
        answer = b""
    await asking.publish(OPENED, b"wide", message_id="1")
    await inner.stop()
    assert (answer == b"hello you") == (heard == [b"wide"])  # both or neither
    return bool(heard)


async def test_a_rotation_step_by_step_lets_every_pair_of_processes_talk(world: Any, grants: dict[str, Grants]) -> None:
    """In a rolling restart each of the two may have the credentials before the step or those after it."""
    before = both(world, grants)
    for expected in ("introduced", "in use", "forgotten"):
        world.issuer, step = world.issuer.rotate(int(world.now_s))
        assert step == expected
        after = both(world, grants)
        for door in (before[0], after[0]):
            for greeter in (before[1], after[1]):
                assert await understand(world, door, greeter), step
        before = after
        world.now_s += OVERLAP_S
    assert len(world.issuer.keys) == 1


async def test_what_the_old_key_issued_is_worth_nothing_when_it_is_forgotten(
    world: Any, grants: dict[str, Grants]
) -> None:
    """A stolen identity: two steps and a forgetting at once put it out."""
    stolen = both(world, grants)
    for _ in range(2):
        world.issuer, _ = world.issuer.rotate(int(world.now_s))
        both(world, grants)
    with pytest.raises(IdentityFault, match="for 8 more days"):
        world.issuer.rotate(int(world.now_s))
    world.issuer, step = world.issuer.rotate(int(world.now_s), at_once=True)
    assert step == "forgotten"
    fresh = both(world, grants)
    assert await understand(world, *fresh)
    assert not await understand(world, stolen[0], fresh[1])
    assert encode_public(decode_seed(stolen[0].nats_seed)) not in world.issuer.issued["door"].former


async def test_skipping_a_step_would_not_work(world: Any, grants: dict[str, Grants]) -> None:
    """Why there are three."""
    before = both(world, grants)
    for _ in range(2):
        world.issuer, _ = world.issuer.rotate(int(world.now_s))
    assert not await understand(world, both(world, grants)[0], before[1])


def test_files_are_for_their_owner_only_and_come_back(tmp_path: Path, world: Any, grants: dict[str, Grants]) -> None:
    made = world.issue("door", grants["door"])
    folder = tmp_path / "identity"
    written = write_folder(folder, world.issuer, {"door": made})
    assert [path.name for path in written] == ["door.json", "nats.conf"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes["door.json"] == modes["issuer.json"] == 0o600
    assert set(modes) == {"door.json", "issuer.json", "nats.conf"}
    assert load_credentials(folder / "door.json") == made
    assert load_issuer(folder, 0) == world.issuer
    secrets = (made.nats_seed, made.signing_key, *made.asks.values())
    assert not any(secret in (folder / "nats.conf").read_text() for secret in secrets)


def test_no_key_shows_when_printed(world: Any, grants: dict[str, Grants]) -> None:
    made = world.issue("door", grants["door"])
    shown = repr(made) + repr(world.issuer) + repr(world.issuer.keys)
    assert made.signing_key not in shown
    assert world.issuer.keys[0].secret not in shown


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"certificate": "x"}', "not json"])
def test_a_file_that_is_no_identity_is_a_fault_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "door.json"
    path.write_text(text)
    with pytest.raises(IdentityFault, match=r"door\.json"):
        load_credentials(path)
    with pytest.raises(IdentityFault, match=r"none\.json cannot be read"):
        load_credentials(tmp_path / "none.json")


def test_credentials_of_two_installations_do_not_mix(tmp_path: Path, world: Any, grants: dict[str, Grants]) -> None:
    ours, theirs = world.issue("door", grants["door"]), type(world)().issue("door", grants["door"])
    write_private(tmp_path / "door.json", attrs.evolve(ours, certificate=theirs.certificate))
    with pytest.raises(IdentityFault, match="not trusted here"):
        load_credentials(tmp_path / "door.json")


def test_former_logins_stay_until_they_expire_or_are_forgotten(world: Any, grants: dict[str, Grants]) -> None:
    first = world.issue("door", grants["door"], days=10)
    key = encode_public(decode_seed(first.nats_seed))
    world.issue("door", grants["door"])
    assert key in world.issuer.issued["door"].former
    assert world.issuer.without_former(["door"]).issued["door"].former == {}
    world.now_s += 11 * 86_400
    world.issue("door", grants["door"])
    assert key not in world.issuer.issued["door"].former


def test_a_nats_seed_is_read_strictly() -> None:
    # the example of NATS' own documentation of nkeys: a seed and its public half
    seed, public = (
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    )
    assert encode_public(decode_seed(seed)) == public
    assert encode_seed(decode_seed(seed)) == seed
    for wrong in ("", "SU", public, seed[:-1] + "A", "1" * 58):
        with pytest.raises(ValueError, match="NATS"):
            decode_seed(wrong)
