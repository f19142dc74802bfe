"""The local chain alone: `python -m streamgate_devchain --folder DIR [--port N] [--keep]`.

Prints one line of JSON (`streamgate.contracts.devchain.DevchainInfo`) when it answers, and stays until SIGTERM or
SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import orjson

from streamgate.wire import to_plain
from streamgate_devchain.anvil import AnvilFault
from streamgate_devchain.chain import LocalChain


async def _run(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    chain = await LocalChain.open(options.folder, program=options.anvil, port=options.port, keeps_state=options.keep)
    try:
        sys.stdout.write(orjson.dumps(to_plain(chain.info)).decode() + "\n")
        sys.stdout.flush()
        await stopping.wait()
    finally:
        await chain.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="streamgate_devchain", description="A local chain with a demo collection.")
    parser.add_argument("--folder", type=Path, required=True, help="for its log and state")
    parser.add_argument("--port", type=int, default=0, help="of its JSON-RPC; 0 takes a free one")
    parser.add_argument("--anvil", default="", help="path of the anvil program")
    parser.add_argument("--keep", action="store_true", help="load and write the chain's state")
    try:
        asyncio.run(_run(parser.parse_args()))
    except AnvilFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
