"""`make demo [MODE=all|split]`: the story of `story.py`, told to a person. Exit code 0 only if every step held."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from streamgate.testing.clips import one_minute_clip
from streamgate.testing.stacks import all_in_one, split
from tests.e2e.story import Roles, Step, StepFailed, Story

LEASE_S = 3.0
CHUNK_SIZE_BYTES = 2 * 1024 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("all", "split"), default="all")
    mode = parser.parse_args().mode
    with tempfile.TemporaryDirectory(prefix="streamgate-demo-") as name:
        folder = Path(name)
        began = time.monotonic()
        clip = one_minute_clip(folder / "big-buck-bunny-60s.mp4")
        print(f"clip made in {time.monotonic() - began:.1f} s: {clip.stat().st_size / 1e6:.1f} MB", flush=True)
        start = all_in_one if mode == "all" else split
        roles = Roles()
        environment = {
            **roles.environment(),
            "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
            "STREAMGATE_UPLOAD__CHUNK_SIZE_BYTES": str(CHUNK_SIZE_BYTES),
        }
        with start(folder, environment=environment) as stack:
            print(f"{len(stack.processes)} process(es) ready in {stack.ready_s:.1f} s at {stack.url}", flush=True)
            if stack.servers:
                print(f"over {', '.join(stack.servers)}; each kind is killed with -9 and started again", flush=True)
            story = Story(stack, clip, LEASE_S, roles, tell=_print_step)
            fault = ""
            try:
                asyncio.run(story.run())
            except StepFailed as failed:
                fault = str(failed)
                print(stack.logs(), file=sys.stderr)
    _print_table(story, fault)
    return 1 if fault else 0


def _print_step(step: Step) -> None:
    print(f"  ok {step.took_s:7.2f} s  {step.name}" + (f"  ({step.detail})" if step.detail else ""), flush=True)


def _print_table(story: Story, fault: str) -> None:
    width = max((len(step.name) for step in story.steps), default=10)
    print("\n" + "step".ljust(width) + "   seconds")
    for step in story.steps:
        print(f"{step.name.ljust(width)} {step.took_s:9.2f}")
    print("every step held" if not fault else f"FAILED at {fault}")


if __name__ == "__main__":
    sys.exit(main())
