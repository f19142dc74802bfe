"""Questions between processes: who asks is proved, who answers too, and nothing counts twice."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from streamgate.bus.base import MAX_PAYLOAD_BYTES, PayloadTooLarge
from streamgate.context import Actor
from streamgate.envelope import Envelope
from streamgate.identity.credentials import to_base64, unbase64
from streamgate.identity.grants import Grants
from streamgate.identity.signed import IdentityRefused, SignedBus
from streamgate.identity.trust import WINDOW_S
from streamgate.testing.attacks import attack

GREET = "svc.greeter.v1.greet"
OTHER = "svc.greeter.v1.insult"


class Service:
    """Answers with what it was asked, and remembers."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def __call__(self, question: bytes) -> bytes:
        self.asked.append(question)
        return b"hello " + question


async def serve(world: Any, *subjects: str) -> Service:
    service, bus = Service(), world.greeter()
    for subject in subjects or (GREET,):
        await bus.serve(subject, "svc-greeter", service)
    return service


async def raw(world: Any, payload: bytes, subject: str = GREET) -> bytes:
    """What anybody who reaches the bus can do."""
    answer: bytes = await world.inner.request(subject, payload, timeout_s=1)
    return answer


async def test_who_is_granted_it_is_answered(world: Any) -> None:
    service = await serve(world)
    assert await world.door().request(GREET, b"Ada", timeout_s=1) == b"hello Ada"
    assert service.asked == [b"Ada"]


@attack("A10", "B43")
async def test_a_question_without_a_seal_is_refused_and_never_heard(world: Any) -> None:
    service = await serve(world)
    for payload in (b"", b"Ada", Envelope(id="1", body={}).to_bytes(), b"\x01q" + bytes(40), bytes(2000)):
        assert (await raw(world, payload))[:2] == b"\x01r"
    assert service.asked == []


async def test_what_is_not_granted_is_not_even_sent(world: Any, tapped: Any) -> None:
    await serve(world, GREET, OTHER)
    async with tapped(world, OTHER) as seen:
        with pytest.raises(IdentityRefused, match=r"door may not ask svc\.greeter\.v1\.insult.*PluginInfo\.needs"):
            await world.door().request(OTHER, b"Ada", timeout_s=1)
    assert seen == []


async def test_a_seal_is_for_one_method(world: Any, tapped: Any) -> None:
    service = await serve(world, GREET, OTHER)
    async with tapped(world, GREET) as seen:
        await world.door().request(GREET, b"Ada", timeout_s=1)
    assert (await raw(world, seen[0], OTHER))[:2] == b"\x01r"
    assert len(service.asked) == 1


@attack("B43")
async def test_the_same_question_counts_once(world: Any, tapped: Any) -> None:
    service = await serve(world)
    async with tapped(world, GREET) as seen:
        await world.door().request(GREET, b"Ada", timeout_s=1)
    for _ in range(2):
        assert b"sent before" in await raw(world, seen[0])
        world.now_s += WINDOW_S * 0.4
    world.now_s += WINDOW_S
    assert b"behind our clock" in await raw(world, seen[0])
    assert len(service.asked) == 1


async def test_a_nonce_is_remembered_for_as_long_as_its_question_is_fresh(world: Any, tapped: Any) -> None:
    """The memory turns over; a question from just before the turn must not come back after it."""
    await serve(world)
    door = world.door()
    async with tapped(world, GREET) as seen:
        world.now_s += 2 * WINDOW_S - 1
        await door.request(GREET, b"late", timeout_s=1)
        world.now_s += 2
        await door.request(GREET, b"turns", timeout_s=1)
    assert b"sent before" in await raw(world, seen[0])


@pytest.mark.parametrize("off_s", [-WINDOW_S - 1, WINDOW_S + 1])
async def test_clocks_that_are_too_far_apart_are_named(world: Any, off_s: float) -> None:
    service = await serve(world)
    credentials = world.issue("door", world.door().certificate.grants)
    away = SignedBus(world.inner, credentials, now_s=lambda: world.now_s + off_s)
    with pytest.raises(IdentityRefused):
        await away.request(GREET, b"Ada", timeout_s=1)
    assert service.asked == []


async def test_any_changed_byte_is_noticed(world: Any, tapped: Any) -> None:
    service = await serve(world)
    async with tapped(world, GREET) as seen:
        await world.door().request(GREET, b"Ada", timeout_s=1)
    service.asked.clear()
    for at in range(len(seen[0])):
        changed = bytearray(seen[0])
        changed[at] ^= 1
        assert (await raw(world, bytes(changed)))[:2] == b"\x01r", at
    for cut in range(0, len(seen[0]), 7):
        assert (await raw(world, seen[0][:cut]))[:2] == b"\x01r", cut
    assert service.asked == []


async def test_rights_cannot_be_written_into_a_certificate(world: Any) -> None:
    """A role with stolen keys asks for more than it was issued."""
    service = await serve(world, GREET, OTHER)
    good = world.issue("door", world.door().certificate.grants)
    certificate = unbase64(good.certificate)
    forged = attrs.evolve(good, certificate=to_base64(certificate.replace(b"v1.greet", b"v1.*    ")))
    bus = SignedBus.__new__(SignedBus)
    with pytest.raises(Exception, match="not signed by its issuer"):
        bus.__init__(world.inner, forged)  # type: ignore[misc]
    assert service.asked == []


async def test_a_caller_cannot_use_anothers_certificate(world: Any) -> None:
    """Certificates travel in plain: whoever has seen one lacks the key that goes with it."""
    service = await serve(world)
    stranger = world.issue("stranger", Grants(asks=(GREET,)))
    victim = world.issue("door", world.door().certificate.grants)
    forged = attrs.evolve(victim, asks=stranger.asks)
    with pytest.raises(IdentityRefused, match="does not recognise door"):
        await world.bus(forged).request(GREET, b"Ada", timeout_s=1)
    assert service.asked == []


async def test_another_installations_identity_is_nobody_here(world: Any) -> None:
    service = await serve(world)
    elsewhere = type(world)(inner=world.inner)
    with pytest.raises(IdentityRefused):
        await elsewhere.door().request(GREET, b"Ada", timeout_s=1)
    assert service.asked == []


async def test_an_expired_certificate_is_refused(world: Any) -> None:
    service = await serve(world)
    door = world.bus(world.issue("door", world.door().certificate.grants, days=1))
    world.now_s += 86_401
    with pytest.raises(IdentityRefused):
        await door.request(GREET, b"Ada", timeout_s=1)
    assert service.asked == []


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [b"", b"hello", b"\x01a" + bytes(32) + b"hello", bytes(500)])
async def test_an_answer_that_the_service_did_not_seal_is_not_believed(world: Any, answer: bytes) -> None:
    async def impostor(_: bytes) -> bytes:
        return answer

    await world.inner.serve(GREET, "svc-greeter", impostor)
    with pytest.raises(IdentityRefused, match="not its own"):
        await world.door().request(GREET, b"may I?", timeout_s=1)


async def test_an_answer_is_for_one_question(world: Any, tapped: Any) -> None:
    """Somebody between the two keeps a yes and gives it to the next question."""
    await serve(world)
    door, kept = world.door(), list[bytes]()
    request = world.inner.request

    async def keeps(subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        kept.append(await request(subject, payload, timeout_s=timeout_s))
        return kept[0]

    world.inner.request = keeps
    assert await door.request(GREET, b"yes", timeout_s=1) == b"hello yes"
    with pytest.raises(IdentityRefused, match="not its own"):
        await door.request(GREET, b"no", timeout_s=1)


async def test_a_service_that_is_not_ours_cannot_be_offered(world: Any) -> None:
    with pytest.raises(IdentityRefused, match="may not answer"):
        await world.door().serve(GREET, "svc-greeter", Service())


async def test_sizes_are_as_without_seals(world: Any) -> None:
    await serve(world)
    with pytest.raises(PayloadTooLarge):
        await world.door().request(GREET, bytes(MAX_PAYLOAD_BYTES + 1), timeout_s=1)


async def test_questions_at_once_do_not_mix(world: Any) -> None:
    await serve(world)
    door = world.door()
    answers = await asyncio.gather(*(door.request(GREET, str(n).encode(), timeout_s=2) for n in range(50)))
    assert answers == [b"hello " + str(n).encode() for n in range(50)]


# --- for whom a role may speak ------------------------------------------------------------------------


@pytest.mark.parametrize(("acts", "kind"), [(False, "anonymous"), (True, "service")])
async def test_a_service_actor_is_believed_from_who_may_act_so(world: Any, acts: bool, kind: str) -> None:
    seen: list[Envelope] = []

    async def answer(question: bytes) -> bytes:
        seen.append(Envelope.from_bytes(question))
        seen.append(Envelope.from_bytes(bytearray(question)))  # other bytes than those delivered: nobody's
        return b"{}"

    await world.greeter().serve(GREET, "svc-greeter", answer)
    door = world.bus(world.issue("door", attrs.evolve(world.door().certificate.grants, acts_as_service=acts)))
    claimed = Envelope(id="1", actor=Actor(kind="service"), source="auth@elsewhere-1").to_bytes()
    await door.request(GREET, claimed, timeout_s=1)
    assert (seen[0].actor.kind, seen[0].source) == (kind, "door")
    assert seen[1].source == "auth@elsewhere-1"


async def test_a_person_may_be_spoken_for(world: Any) -> None:
    seen: list[Envelope] = []

    async def answer(question: bytes) -> bytes:
        seen.append(Envelope.from_bytes(question))
        return b"{}"

    await world.greeter().serve(GREET, "svc-greeter", answer)
    person = Actor(kind="user", user_id="u_1", roles=("creator",))
    await world.door().request(GREET, Envelope(id="1", actor=person).to_bytes(), timeout_s=1)
    assert seen[0].actor == person
