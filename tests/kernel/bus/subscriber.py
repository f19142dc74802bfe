"""A process of its own: takes messages of a group, says so, and never finishes. Run by test_nats.py."""

from __future__ import annotations

import asyncio
import sys

from streamgate.bus.nats import NatsBus


async def main(url: str, subject: str, ack_wait_s: str) -> None:
    bus = NatsBus(url, name="subscriber", ack_wait_s=float(ack_wait_s))
    await bus.start()

    async def handler(payload: bytes) -> None:
        print("took", payload.decode(), flush=True)
        await asyncio.Event().wait()

    await bus.subscribe_group(subject, "group", handler)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
