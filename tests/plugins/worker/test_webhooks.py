"""Webhooks: signed so that others can verify them, sent again while that helps, never to where they must not go."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.sdk.secrets import MasterKey, MasterKeyFault
from streamgate.settings import KernelSettings, OutgoingSettings
from streamgate.testing.attacks import attack
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate_worker.config import WorkerConfig
from streamgate_worker.webhooks import delivering, secrets
from streamgate_worker.webhooks.secrets import SecretsUnavailable, WebhookSecrets
from streamgate_worker.webhooks.signing import headers, read_secret, write_secret
from tests.plugins.worker.people import CREATOR, OTHER, VIEWER
from tests.plugins.worker.world import World

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = "/api/v1/jobs/webhook-secrets"


@attrs.define
class Receiver:
    """Somebody's server on the loopback address: keeps what it is sent, answers what the test says."""

    url: str = ""
    answers: list[int] = attrs.field(factory=list)  # the last one repeats
    got: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    waits: asyncio.Event | None = None
    gone: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = dict(line.split(": ", 1) for line in head[1:] if line)
        sent = {name.lower(): text for name, text in found.items()}
        body = await reader.readexactly(int(sent["content-length"]))
        self.got.append((sent, body))
        if self.waits is not None:
            self.waits.set()
            await reader.read()  # until the other side goes
            self.gone.set()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        where = "location: http://127.0.0.1:1/\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{where}content-length: 2\r\n\r\nok".encode())
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver(answers=[204])
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?key=secret"
    yield found
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def worker(folder: Path, outgoing: OutgoingSettings | None = None) -> AsyncIterator[House]:
    outgoing = outgoing or OutgoingSettings(allow_http=True, ports=(0,), allow_networks=("127.0.0.0/8",))
    settings = KernelSettings(profile="test", data_dir=folder, outgoing=outgoing)
    configs = {"worker": WorkerConfig(retry_base_s=0.02, retry_max_s=0.05, sweep_every_s=0.05)}
    async with house(folder, ["worker"], configs=configs, settings=settings) as home:

        async def registered() -> bool | None:
            async with home.client(CREATOR) as client:
                kinds = (await client.get("/api/v1/jobs/kinds")).json()["items"]
            return True if any(kind["name"] == delivering.KIND for kind in kinds) else None

        await eventually(registered, every_s=0.01)
        yield home


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with worker(tmp_path) as running_house:
        yield running_house


def webhook(url: str, **values: Any) -> dict[str, Any]:
    return {"url": url, "event": "order.paid", "body": {"order": 7}, **values}


async def submit(client: httpx.AsyncClient, payload: dict[str, Any], **values: Any) -> httpx.Response:
    return await client.post("/api/v1/jobs/submit", json={"kind": delivering.KIND, "payload": payload, **values})


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    async def over() -> dict[str, Any] | None:
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        return found if found["finished_at"] else None

    return await eventually(over, every_s=0.02)


def verify(secret: str, sent: dict[str, str], body: bytes) -> int:
    """As a receiver does it, from the specification; how many of the signatures are by this secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((sent["webhook-id"].encode(), sent["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return sent["webhook-signature"].split(" ").count(f"v1,{expected}")


# --- signatures ------------------------------------------------------------------------------------------


@attack("B44")
def test_signature_is_that_of_other_implementations() -> None:
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [read_secret(SECRET)])
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_written_and_read() -> None:
    assert write_secret(read_secret(SECRET)) == SECRET
    for wrong in ("", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_?", "whsec_" + "A" * 100):
        with pytest.raises(ValueError, match="whsec_"):
            read_secret(wrong)


# --- deliveries ------------------------------------------------------------------------------------------


async def test_webhook_is_signed_and_delivered(home: House, receiver: Receiver) -> None:
    async with home.client(CREATOR) as client:
        made = (await client.put(SECRETS, json={"name": "shop"})).json()
        answer = await submit(client, webhook(receiver.url, secret_name="shop"))
        assert answer.status_code == 202
        found = await ended(client, answer.json()["job_id"])
    assert (found["status"], found["result"]["status_code"]) == ("done", 204)
    ((sent, body),) = receiver.got
    assert json.loads(body) == {"type": "order.paid", "data": {"order": 7}}
    assert (sent["webhook-id"], sent["content-type"]) == (found["job_id"], "application/json")
    assert verify(made["secret"], sent, body) == 1


@attack("B44")
async def test_attempts_go_on_until_it_is_taken_with_one_id(home: House, receiver: Receiver) -> None:
    receiver.answers = [500, 429, 408, 200]
    async with home.client(CREATOR) as client:
        job_id = (await submit(client, webhook(receiver.url), max_attempts=5)).json()["job_id"]
        found = await ended(client, job_id)
    assert (found["status"], found["attempts"]) == ("done", 4)
    assert [each["code"] for each in found["history"]] == ["webhook.failed"] * 3
    assert {sent["webhook-id"] for sent, _ in receiver.got} == {job_id}
    assert "webhook-signature" not in receiver.got[0][0]
    assert "secret" not in json.dumps(found["history"])  # an address may hold a key


@pytest.mark.parametrize("status", [400, 404, 410, 302])
async def test_who_does_not_want_it_is_not_asked_again(home: House, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    async with home.client(CREATOR) as client:
        found = await ended(client, (await submit(client, webhook(receiver.url))).json()["job_id"])
    assert (found["status"], found["error_code"], len(receiver.got)) == ("failed", "webhook.refused", 1)


async def test_nobody_there_is_a_dead_letter_in_the_end(home: House) -> None:
    async with home.client(CREATOR) as client:
        job_id = (await submit(client, webhook("http://127.0.0.1:9/"), max_attempts=2)).json()["job_id"]
        found = await ended(client, job_id)
        assert (found["status"], found["error_code"], found["attempts"]) == ("dead", "outgoing.unreachable", 2)
        check = (await client.get("/ready")).json()["checks"]["dead jobs"]
    assert (check["ok"], check["critical"]) == (False, False)
    assert "1 jobs" in check["detail"]


async def test_cancelling_reaches_the_running_handler(home: House, receiver: Receiver) -> None:
    """The receiver sees the connection go within a second: the handler has stopped."""
    receiver.waits = asyncio.Event()
    async with home.client(CREATOR) as client:
        job_id = (await submit(client, webhook(receiver.url))).json()["job_id"]
        await receiver.waits.wait()
        async with asyncio.timeout(1):
            answer = await client.post("/api/v1/jobs/cancel", json={"job_id": job_id})
            assert answer.json()["status"] == "cancelled"
            await receiver.gone.wait()


@attack("B29")
async def test_only_to_public_addresses(tmp_path: Path, receiver: Receiver) -> None:
    async with worker(tmp_path, OutgoingSettings()) as home, home.client(CREATOR) as client:
        for url in (receiver.url, "http://169.254.169.254/latest", "https://127.0.0.1/", "ftp://example.org/", "x"):
            answer = await submit(client, webhook(url))
            assert (answer.status_code, answer.json()["code"]) == (422, "jobs.payload_invalid"), url
            assert [error["field"] for error in answer.json()["errors"]] == ["payload.url"]
        # A name is looked up when it is sent: what it leads to then is what counts.
        job_id = (await submit(client, webhook("https://localhost/"))).json().get("job_id")
        if job_id is not None:
            found = await ended(client, job_id)
            assert (found["status"], found["error_code"]) == ("failed", "outgoing.address_refused")
    assert receiver.got == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"event": "a b"}, "payload.event"),
        ({"body": []}, "payload.body"),
        ({"secret_name": "nobody's"}, "payload.secret_name"),
        ({"body": {"text": "x" * 300_000}}, "payload.body"),
        ({"url": "x" * 3_000}, "payload.url"),
    ],
)
async def test_what_does_not_fit_is_named(home: House, values: dict[str, Any], field: str) -> None:
    async with home.client(CREATOR) as client:
        answer = await submit(client, {**webhook("http://127.0.0.1:9/"), **values})
    assert (answer.status_code, answer.json()["code"]) == (422, "jobs.payload_invalid")
    assert field in [error["field"] for error in answer.json()["errors"]]


# --- secrets -----------------------------------------------------------------------------------------------


@attack("B44")
async def test_rotated_secret_signs_beside_the_former(home: House, receiver: Receiver) -> None:
    async with home.client(CREATOR) as client:
        first = (await client.put(SECRETS, json={"name": "shop", "secret": SECRET})).json()
        assert (first["secret"], first["former_until"]) == (SECRET, None)
        second = (await client.put(SECRETS, json={"name": "shop", "overlap_s": 3600})).json()
        assert second["former_until"] > second["rotated_at"] >= first["rotated_at"]
        third = await client.put(SECRETS, json={"name": "shop"})
        assert (third.status_code, third.json()["code"]) == (409, "jobs.webhook_secret_kept")
        await ended(client, (await submit(client, webhook(receiver.url, secret_name="shop"))).json()["job_id"])
        ((sent, body),) = receiver.got
        assert verify(SECRET, sent, body) == verify(second["secret"], sent, body) == 1
        (listed,) = (await client.get(SECRETS)).json()["items"]
        assert listed["name"] == "shop"
        assert "secret" not in listed
        assert (await client.delete(SECRETS, params={"name": "shop"})).status_code == 204
        assert (await client.delete(SECRETS, params={"name": "shop"})).status_code == 404


async def test_secrets_are_ones_own(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "MAX_PER_OWNER", 1)
    async with home.client(CREATOR) as client:
        assert (await client.put(SECRETS, json={"name": "shop"})).status_code == 200
        more = await client.put(SECRETS, json={"name": "more"})
        assert (more.status_code, more.json()["code"]) == (429, "jobs.too_many_secrets")
        for wrong in ({"name": "a/b"}, {"name": "x", "secret": "abc"}, {"name": "x", "overlap_s": -1}, {}):
            answer = await client.put(SECRETS, json=wrong)
            assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    async with home.client(OTHER) as client:
        assert (await client.get(SECRETS)).json()["items"] == []
        assert (await client.delete(SECRETS, params={"name": "shop"})).status_code == 404
        answer = await submit(client, webhook("http://127.0.0.1:9/", secret_name="shop"))
        assert answer.status_code == 422


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (VIEWER, 403)])
async def test_who_may_not(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.put(SECRETS, json={"name": "x"}),
            await client.get(SECRETS),
            await client.delete(SECRETS, params={"name": "x"}),
        ):
            assert answer.status_code == status


async def test_secrets_are_wrapped_each_for_its_own_row(world: World) -> None:
    """On both databases: nothing readable lies there, and another master key opens nothing."""
    master = MasterKey(b"k" * 32)
    store = WebhookSecrets(world.db, world.clock, lambda: master)
    await store.put(CREATOR, "shop", secret=b"s" * 24, overlap_s=0)
    await store.put(CREATOR, "shop", secret=b"t" * 24, overlap_s=60)
    assert await store.counting("u_creator", "shop") == [b"t" * 24, b"s" * 24]
    world.clock.jump(61)
    assert await store.counting("u_creator", "shop") == [b"t" * 24]
    row = await world.db.read(lambda session: session.execute(secrets._one("u_creator", "shop")).one())
    assert b"ssss" not in row.previous
    assert b"tttt" not in row.current
    with pytest.raises(MasterKeyFault):
        master.unwrap(secrets._purpose("u_creator", "other"), row.current)
    with pytest.raises(SecretsUnavailable):
        await WebhookSecrets(world.db, world.clock, lambda: MasterKey(b"x" * 32)).counting("u_creator", "shop")


async def test_without_a_master_key_it_is_said(world: World) -> None:
    def none() -> MasterKey:
        raise MasterKeyFault("missing")

    with pytest.raises(SecretsUnavailable, match="master key"):
        await WebhookSecrets(world.db, world.clock, none).put(CREATOR, "shop", secret=None, overlap_s=0)
