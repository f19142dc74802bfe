"""What is told while uploads go on: live progress to their owner, the audit trail, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from streamgate.context import Actor
from streamgate.contracts.audit import AuditEntry
from streamgate.testing.wait import eventually
from streamgate_upload.live import EVERY_S

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour


async def test_the_owner_sees_progress_and_each_state(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    await harbour.complete(alice, upload)
    await harbour.until_status(alice, upload, "complete")

    async def states() -> list[str] | None:
        told = [update.data["status"] for update in harbour.live if update.event == "upload.changed"]
        return told if told[-1:] == ["complete"] else None

    assert await eventually(states) == ["receiving", "verifying", "complete"]
    progress = [update for update in harbour.live if update.event == "upload.progress"]
    assert progress
    assert {update.owner for update in harbour.live} == {"alice"}
    assert {update.content_id for update in harbour.live} == {upload["content_id"]}
    first = progress[0].data
    assert (first["size_bytes"], first["received_bytes"]) == (len(clip), upload["chunk_size_bytes"])
    assert 0 < first["progress"] < 1


async def test_progress_is_told_four_times_a_second_at_most(harbour: Harbour, alice: Actor) -> None:
    data = bytes(64 * 1024) * 40
    upload = await harbour.init(alice, data)
    began = harbour.home.plugins["upload"].uploads._clock.monotonic_s()
    await harbour.send_all(alice, upload, data)
    took_s = harbour.home.plugins["upload"].uploads._clock.monotonic_s() - began
    told = [update for update in harbour.live if update.event == "upload.progress"]
    assert 1 <= len(told) <= took_s / EVERY_S + 1


async def test_begin_and_end_are_in_the_audit_trail(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    done = await harbour.init(alice, clip)
    await harbour.send_all(alice, done, clip)
    await harbour.complete(alice, done)
    given_up = await harbour.init(alice, clip)
    await harbour.call(alice, "DELETE", "", params={"upload_id": given_up["upload_id"]})

    def ours() -> list[AuditEntry]:
        return [entry for entry in harbour.audited if entry.act.startswith("upload.")]

    async def acts() -> dict[str, list[str]] | None:
        found: dict[str, list[str]] = {}
        for entry in ours():
            found.setdefault(entry.subject_id, []).append(entry.act)
            assert entry.detail["content_id"]
        return found if sum(map(len, found.values())) == 4 else None

    assert await eventually(acts) == {
        f"upload:{done['upload_id']}": ["upload.created", "upload.completed"],
        f"upload:{given_up['upload_id']}": ["upload.created", "upload.aborted"],
    }
    assert {entry.who for entry in ours()} == {"alice"}


async def test_metrics_count_bytes_and_ends(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    def count(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"streamgate_upload_{name}", labels) or 0.0

    bytes_before, done_before = count("received_bytes_total", form="chunks"), count("ended_total", outcome="complete")
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert count("open_uploads") == 1
    await harbour.complete(alice, upload)
    await harbour.until_status(alice, upload, "complete")
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert count("open_uploads") == 0
    assert count("received_bytes_total", form="chunks") - bytes_before == len(clip)
    assert count("ended_total", outcome="complete") - done_before == 1


async def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        assert (await harbour.send(alice, upload, clip, 0)).status_code == 200
    async with open_harbour(reserve_bytes=2**62) as harbour:
        answer = await harbour.send(alice, upload, clip, 1)
        assert (answer.status_code, answer.json()["code"]) == (507, "upload.storage_full")
    async with open_harbour() as harbour:
        assert (await harbour.status(alice, upload))["missing_chunks"] == [1, 2]
        for index in (1, 2):
            assert (await harbour.send(alice, upload, clip, index)).status_code == 200
        assert (await harbour.complete(alice, upload)).status_code == 200
