"""Every role of every installed plugin against a real nats-server: what it declares works, all else is denied.

The expectations come from the plugins' own words here, not from the code that writes the configuration.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from streamgate.bus.base import BusUnavailable, Login, matches
from streamgate.bus.client import OrderedClient
from streamgate.bus.nats import NatsBus
from streamgate.errors import Unavailable
from streamgate.events import EventType
from streamgate.health import introspection_of
from streamgate.identity.credentials import load_credentials
from streamgate.identity.declared import Asks
from streamgate.identity.folder import load_issuer, write_folder
from streamgate.identity.grants import grants_of, load_everywhere, plugins_of
from streamgate.identity.joining import join_bus
from streamgate.identity.nkeys import decode_seed, encode_public
from streamgate.identity.signed import IdentityRefused, SignedBus
from streamgate.plugins import PluginInfo, discover
from streamgate.settings import BusSettings, Secret
from streamgate.testing.attacks import attack
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually

INFOS = {f.name: f.info for f in discover() if f.info is not None and f.info.kind == "service" and f.is_builtin}
ROLES = sorted(INFOS)
REFS = {ref.name: ref for info in INFOS.values() for ref in info.offers}
REFS |= {ref.name: ref for ref in map(introspection_of, ROLES)}
METHODS = [(ref, name, ref.subject(name)) for ref in REFS.values() for name in ref.methods]
EVERYWHERE = load_everywhere()


@attrs.frozen
class Installation:
    url: str
    folder: Path

    def bus(self, role: str) -> SignedBus:
        settings = BusSettings(url=Secret(self.url), identity=str(self.folder / f"{role}.json"))
        bus = join_bus(settings, name=role)
        assert isinstance(bus, SignedBus)
        return bus

    def login(self, role: str) -> Login:
        key = decode_seed(load_credentials(self.folder / f"{role}.json").nats_seed)
        return Login(public_key=encode_public(key), sign=key.sign, inbox_prefix=f"_INBOX.{role}")

    def unsigned(self, role: str) -> NatsBus:
        """Somebody who took over a process of that role, and does what they like with its connection."""
        return NatsBus(self.url, name=role, login=self.login(role), reconnect_wait_s=0.02)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder, now_s, made = tmp_path_factory.mktemp("identity"), int(time.time()), {}
    issuer, found = load_issuer(folder, now_s), discover()
    for role in ROLES:
        issuer, made[role] = issuer.issue(role, grants_of(plugins_of(role, found), EVERYWHERE), now_s)
    write_folder(folder, issuer, made)
    with NatsServer(config=(folder / "nats.conf").read_text()) as server:
        yield Installation(server.url, folder)


@asynccontextmanager
async def connected(installation: Installation, role: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A bare connection of a role, and what the server says against it."""
    denied: list[str] = []

    async def note(fault: Exception) -> None:
        denied.append(str(fault))

    client = OrderedClient(installation.login(role))
    await client.connect(servers=[installation.url], error_cb=note, **client.login_options())
    yield client, denied
    await client.close()


def may_ask(info: PluginInfo, service: str, method: str) -> bool:
    """What the plugin, and the SDK in every process, declare."""
    for use in EVERYWHERE:
        for one in use.asks:
            if isinstance(one, Asks) and one.ref.name == service and method in one.methods:
                return True
    for one in (*info.needs, *info.may_need):
        if isinstance(one, Asks):
            if one.ref.name == service and method in one.methods:
                return True
        elif service == one.name:
            return True
    return service in {introspection_of(ref.name).name for ref in info.needs}


@pytest.mark.parametrize("role", ROLES)
async def test_every_method_is_permitted_where_it_is_needed_and_denied_elsewhere(
    installation: Installation, role: str
) -> None:
    async with connected(installation, role) as (client, denied):
        for _, _, subject in METHODS:
            await client.publish(subject, b"")
        await client.flush()
    found = {subject for _, _, subject in METHODS if any(f'"{subject.lower()}"' in line for line in denied)}
    expected = {subject for ref, name, subject in METHODS if not may_ask(INFOS[role], ref.name, name)}
    assert found == expected


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_hears_its_own_questions_and_inbox_and_what_it_declares(
    installation: Installation, role: str
) -> None:
    info = INFOS[role]
    own = {ref.name for ref in (*info.offers, introspection_of(role))}
    uses = [use for use in EVERYWHERE if not use.only_with or getattr(info, use.only_with)]
    hears = {one if isinstance(one, str) else one.subject for each in (info, *uses) for one in each.hears}
    hears.add("live.announce_wanted")  # every service says where it is
    tried = {f"svc.{name}.v1.*" for name in REFS}
    tried |= {f"_INBOX.{other}.>" for other in ROLES} | told_by_anybody()
    tried |= {"svc.>", ">", "_INBOX.>", "evt.>", "live.>", "$JS.>", "$SYS.>", "dead.>", "*.>"}
    async with connected(installation, role) as (client, denied):
        for subject in tried:
            await client.subscribe(subject)
        await client.flush()
    found = {subject for subject in tried if not any(f'"{subject.lower()}"' in line for line in denied)}
    assert found == {f"svc.{name}.v1.*" for name in own} | {f"_INBOX.{role}.>"} | (hears & tried)


def told_by_anybody() -> set[str]:
    declared = [*INFOS.values(), *EVERYWHERE]
    return {one if isinstance(one, str) else one.subject for each in declared for one in (*each.tells, *each.hears)}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_tells_what_it_declares_and_nothing_else(installation: Installation, role: str) -> None:
    info = INFOS[role]
    uses = [use for use in EVERYWHERE if not use.only_with or getattr(info, use.only_with)]
    own = {one if isinstance(one, str) else one.subject for each in (info, *uses) for one in each.tells}
    tried = {subject for subject in told_by_anybody() if ">" not in subject}
    tried |= {"live.announce", "live.anything.v1", "anything"}
    async with connected(installation, role) as (client, denied):
        for subject in tried:
            await client.publish(subject, b"")
        await client.flush()
    found = {subject for subject in tried if not any(f'"{subject.lower()}"' in line for line in denied)}
    expected = {subject for subject in tried if any(matches(pattern, subject) for pattern in own)}
    assert found == expected | {"live.announce"}


async def test_a_right_on_the_server_is_not_one_to_be_believed(installation: Installation) -> None:
    """Who may have dead letters handled again may publish below `evt.` on NATS, but only what others have sealed."""
    wide = [role for role in ROLES if any(one == "evt.>" for one in INFOS[role].tells)]
    for role in wide:
        bus = installation.bus(role)
        for subject in {"evt.upload.finished.v1", "evt.gate.changed.v1"}:
            with pytest.raises(IdentityRefused, match="may not tell"):
                await bus.publish(subject, b"{}", message_id="forged")


@pytest.mark.parametrize("role", ROLES)
async def test_jetstream_is_open_to_a_role_for_its_own_consumers_only(installation: Installation, role: str) -> None:
    info = INFOS[role]
    events = {one.subject for each in INFOS.values() for one in each.hears if isinstance(one, EventType)}
    allowed, tried = (
        set(),
        {
            f"$JS.API.{what}"
            for what in (
                "STREAM.DELETE.EVENTS",
                "STREAM.PURGE.EVENTS",
                "STREAM.UPDATE.EVENTS",
                "STREAM.MSG.GET.EVENTS",
                "STREAM.MSG.DELETE.EVENTS",
                "DIRECT.GET.EVENTS",
                "STREAM.CREATE.MINE",
                "STREAM.LIST",
                "CONSUMER.LIST.EVENTS",
                "CONSUMER.CREATE.EVENTS",
                "CONSUMER.DURABLE.CREATE.EVENTS.mine",
                "CONSUMER.CREATE.EVENTS.mine.evt.>",
            )
        },
    )
    for group in ROLES:
        for subject in events:
            durable = f"{group}--{subject.replace('.', '-')}"
            these = {
                f"$JS.API.CONSUMER.CREATE.EVENTS.{durable}.{subject}",
                f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{durable}",
                f"$JS.ACK.EVENTS.{durable}.1.1.1.1.1",
                f"dead.{group}.{subject}",
            }
            tried |= these | {f"$JS.API.CONSUMER.DELETE.EVENTS.{durable}"}
            if group == role and subject in {one.subject for one in info.hears if isinstance(one, EventType)}:
                allowed |= these
    async with connected(installation, role) as (client, denied):
        for subject in tried:
            await client.publish(subject, b"")
        await client.flush()
    assert {subject for subject in tried if not any(f'"{subject.lower()}"' in line for line in denied)} == allowed


# --- the same through our own bus -----------------------------------------------------------------------


async def test_every_event_reaches_every_group_that_hears_it(installation: Installation) -> None:
    """The walk over the subjects of the whole story: each teller, each group."""
    pairs = [
        (event, teller, group)
        for teller in ROLES
        for event in INFOS[teller].tells
        for group in ROLES
        if isinstance(event, EventType) and event in INFOS[group].hears
    ]
    assert len(pairs) >= 15
    heard: list[tuple[str, str, bytes]] = []
    buses = {role: installation.bus(role) for role in ROLES}
    await asyncio.gather(*(bus.start() for bus in buses.values()))

    def hearing(subject: str, group: str) -> Any:
        async def hear(payload: bytes) -> None:
            heard.append((subject, group, payload))

        return hear

    for subject, group in {(event.subject, group) for event, _, group in pairs}:
        await buses[group].subscribe_group(subject, group, hearing(subject, group))
    for number, (event, teller) in enumerate({(event.subject, teller) for event, teller, _ in pairs}):
        await buses[teller].publish(event, teller.encode(), message_id=f"walk-{number}")
    expected = {(event.subject, group, teller.encode()) for event, teller, group in pairs}

    async def all_there() -> bool | None:
        return expected.issubset(heard) or None

    await eventually(all_there, timeout_s=20)
    await asyncio.gather(*(bus.stop() for bus in buses.values()))


async def test_every_needed_call_is_answered_and_no_other_is(installation: Installation) -> None:
    buses = {role: installation.bus(role) for role in ROLES}
    await asyncio.gather(*(bus.start() for bus in buses.values()))

    async def answer(question: bytes) -> bytes:
        return b"answer to " + question

    for owner in ROLES:
        for ref in (*INFOS[owner].offers, introspection_of(owner)):
            await buses[owner].serve(ref.subject(next(iter(ref.methods))), f"svc-{ref.name}", answer)
    refused, answered = set(), set()
    for role in ROLES:
        for ref in REFS.values():
            method = next(iter(ref.methods))
            try:
                got = await buses[role].request(ref.subject(method), role.encode(), timeout_s=5)
                assert got == b"answer to " + role.encode()
                answered.add((role, ref.name, method))
            except IdentityRefused:
                refused.add((role, ref.name, method))
    await asyncio.gather(*(bus.stop() for bus in buses.values()))
    assert answered == {each for each in answered | refused if may_ask(INFOS[each[0]], each[1], each[2])}
    assert answered
    assert refused


@attack("B42", "B43")
async def test_a_compromised_cache_gets_nowhere_and_is_told_at_once(installation: Installation) -> None:
    """Not a hang: the fault comes long before the time-out, and a connection survives it."""
    auth, cache = installation.bus("auth"), installation.unsigned("cache")
    await auth.start()
    await cache.start()
    asked: list[bytes] = []

    async def answer(question: bytes) -> bytes:
        asked.append(question)
        return b"signed"

    async def hears(_: bytes) -> None: ...

    async def nothing() -> None: ...

    for name in ("accounts", "auth"):
        for method in REFS[name].methods:
            await auth.serve(REFS[name].subject(method), f"svc-{name}", answer)
    began = time.monotonic()
    for name in ("auth", "streaming", "worker", "metadata"):
        for method in REFS[name].methods:
            if not may_ask(INFOS["cache"], name, method):
                with pytest.raises(Unavailable, match="denies us to publish"):
                    await cache.request(REFS[name].subject(method), b"{}", timeout_s=30)
    with pytest.raises(BusUnavailable, match="denies us to publish"):
        await cache.publish("evt.upload.finished.v1", b"{}", message_id="forged")
    for subject in ("svc.>", "_INBOX.auth.>", "svc.auth.v1.decide"):
        with pytest.raises(BusUnavailable, match="denies us to listen"):
            await cache.subscribe_everyone(subject, hears, resync=nothing)
    with pytest.raises(BusUnavailable, match="denies us"):
        await cache.subscribe_group("evt.upload.finished.v1", "cache", hears)
    assert time.monotonic() - began < 20
    refused = await cache.request("svc.auth.v1.jwks", b'{"id": "1"}', timeout_s=5)  # it may, but has sealed nothing
    assert refused.startswith(b"\x01r")
    assert asked == []
    await cache.ping()
    await cache.stop()
    await auth.stop()


async def test_a_consumer_cannot_be_made_wider_than_its_name(installation: Installation) -> None:
    """The request's body says what to deliver and where; the server holds it against the subject."""
    async with connected(installation, "upload") as (client, _):
        durable, subject = "upload--evt-content-deleted-v1", "evt.content.deleted.v1"
        for config in (
            {"filter_subject": "evt.>"},
            {"filter_subject": ""},
            {"filter_subjects": [subject, "evt.job.finished.v1"]},
        ):
            body = {"stream_name": "EVENTS", "config": {"durable_name": durable, "ack_policy": "explicit", **config}}
            where = f"$JS.API.CONSUMER.CREATE.EVENTS.{durable}.{subject}"
            answer: Msg = await client.request(where, json.dumps(body).encode(), timeout=5)
            assert "error" in json.loads(answer.data), config


@attack("B43")
async def test_without_credentials_nobody_gets_in(installation: Installation) -> None:
    bus = NatsBus(installation.url, name="nobody", start_timeout_s=1, reconnect_wait_s=0.05)
    with pytest.raises(BusUnavailable, match="Authorization Violation"):
        await bus.start()
