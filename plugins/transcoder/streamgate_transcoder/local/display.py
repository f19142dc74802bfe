"""How far it is, for people at a terminal, for logs, and for programs."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from typing import Protocol

import attrs
import click
import orjson

from streamgate.contracts.media import PlannedRendition

from ..progress import Pace
from .making import Making

_BAR_CELLS = 22


class Display(Protocol):
    """Told of the state every `every_s`."""

    every_s: float

    def show(self, now: State) -> None: ...


@attrs.frozen(kw_only=True)
class RenditionShown:
    id: str
    name: str
    stage: str
    share: float
    pace: Pace


@attrs.frozen(kw_only=True)
class State:
    """`stage`: probe, copy, encode, audio, package or done."""

    stage: str
    elapsed_s: float
    share: float
    whole: Pace | None = None
    renditions: tuple[RenditionShown, ...] = ()


def state_of(making: Making, began_s: float, now_s: float) -> State:
    elapsed_s = round(now_s - began_s, 1)
    tracker = making.tracker
    if tracker is None:
        return State(stage=making.stage, elapsed_s=elapsed_s, share=round(making.scanned, 4))
    paces = tracker.paces(now_s)
    return State(
        stage=making.stage,
        elapsed_s=elapsed_s,
        share=tracker.share(paces),
        whole=tracker.whole(paces),
        renditions=tuple(_shown(each, paces[each.id]) for each in tracker.plan.renditions),
    )


def _shown(rendition: PlannedRendition, pace: Pace) -> RenditionShown:
    if pace.is_whole:
        stage = "done"
    elif not pace.frames:
        stage = "waiting"
    elif rendition.mode == "copy":
        stage = "copy"
    else:
        stage = "encode" if rendition.kind == "video" else "audio"
    share = round(pace.frames / max(1, pace.frames_planned), 4)
    return RenditionShown(id=rendition.id, name=rendition.name, stage=stage, share=share, pace=pace)


async def shown(display: Display, look: Callable[[], State]) -> None:
    """Shows it until it is cancelled."""
    while True:
        display.show(look())
        await asyncio.sleep(display.every_s)


class Bars:
    """A bar for each rendition, drawn over the ones before."""

    every_s = 0.2

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, now: State) -> None:
        columns = shutil.get_terminal_size().columns
        chars = max((len(each.name) for each in now.renditions), default=0)
        lines = [self._line(each, max(8, chars)) for each in now.renditions] or [f"probing {_bar(now.share)}"]
        whole = now.whole
        if whole is not None:
            lines.append(f"{now.stage:<{max(8, chars)}} {_bar(now.share)} {now.share:>4.0%}  {_figures(whole)}")
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        sys.stderr.write(back + "".join(f"\x1b[2K{line[: columns - 1]}\n" for line in lines) + "\x1b[J")
        sys.stderr.flush()
        self._drawn = len(lines)

    @staticmethod
    def _line(each: RenditionShown, chars: int) -> str:
        frames = f"{each.pace.frames}/{each.pace.frames_planned}"
        figures = "" if each.pace.is_whole else _figures(each.pace)
        return f"{each.name:<{chars}} {_bar(each.share)} {frames:>13} frames  {each.stage:<7} {figures}"


class Lines:
    """A line every few seconds, and when something else begins."""

    every_s = 0.2

    def __init__(self) -> None:
        self._stage = ""
        self._told_s = 0.0

    def show(self, now: State) -> None:
        if now.stage == self._stage and now.elapsed_s - self._told_s < 5:
            return
        self._stage, self._told_s = now.stage, now.elapsed_s
        if now.whole is None:
            click.echo(f"{now.stage} {now.share:.0%}", err=True)
            return
        each = ", ".join(f"{one.name} {one.pace.frames}/{one.pace.frames_planned}" for one in now.renditions)
        click.echo(f"{now.stage} {now.share:.0%}  {each}  {_figures(now.whole)}".rstrip(), err=True)


class JsonLines:
    """An object a line on standard output: `{"event": "progress", …}`."""

    every_s = 0.5

    def show(self, now: State) -> None:
        whole = now.whole
        say(
            "progress",
            stage=now.stage,
            elapsed_s=now.elapsed_s,
            progress=now.share,
            **({} if whole is None else attrs.asdict(whole)),
            renditions=[
                {"id": each.id, "stage": each.stage, "progress": each.share, **attrs.asdict(each.pace)}
                for each in now.renditions
            ],
        )


def say(event: str, **facts: object) -> None:
    click.echo(orjson.dumps({"event": event, **facts}).decode())


def _bar(share: float) -> str:
    full = round(share * _BAR_CELLS)
    return f"[{'#' * full}{'.' * (_BAR_CELLS - full)}]"


def _figures(pace: Pace) -> str:
    told = []
    if pace.fps:
        told.append(f"{pace.fps:.0f} fps")
    if pace.speed:
        told.append(f"{pace.speed:.1f}x")
    if pace.eta_s is not None and not pace.is_whole:
        told.append(f"ETA {_clock(pace.eta_s)}")
    return "  ".join(told)


def _clock(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
