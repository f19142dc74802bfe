"""The child process: serves one task over the line it was given, and further ones of the same source, then ends.

    python -P -s -m streamgate_transcoder.media.child <descriptor of the line>

It is started ahead of need, imports everything, and waits. With the task come the source (an open file, or
answers to ranged reads) and the limits; from then on nothing else of the machine can be reached.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import pkgutil
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import attrs
import av

from streamgate.contracts.captions import CAPTIONS_KIND
from streamgate.contracts.media import (
    AUDIO_KIND,
    CHUNK_KIND,
    COPY_KIND,
    PROBE_KIND,
    MediaCorrupt,
    MediaError,
    MediaOutputInvalid,
    MediaPlan,
    MediaTooLarge,
    NoPlayableTrack,
    NotMedia,
    ProbeResult,
)
from streamgate.contracts.pictures import PICTURES_KIND, POSTER_KIND, PosterPayload
from streamgate.wire import from_plain, to_plain, tolerant

from . import sandbox
from .audio import encode_audio
from .captions import extract_captions
from .channel import ChildLine, Frame
from .cutting import cut_segments
from .lanes import Lane
from .limits import MediaLimits
from .output import SegmentOut
from .pictures import make_pictures, make_poster
from .planning import make_plan
from .probe import probe
from .sampling import difficulty_of
from .source import AskedBytes, DescriptorBytes, RangedBytes
from .task import AudioTask, CaptionsTask, ChildTask, ChunkTask, CopyTask, PicturesTask, ProbeTask, SandboxLimits
from .video import encode_chunk
from .worth import Difficulty

_PROGRESS_EVERY_S = 0.25


class LineSink:
    """Sends what is made to the parent as it is made. An init goes once."""

    def __init__(self, line: ChildLine) -> None:
        self._line = line
        self._told_at = 0.0

    def init(self, rendition_id: str, data: bytes) -> None:
        self._line.send({"kind": "init", "rendition_id": rendition_id}, data)

    def segment(self, segment: SegmentOut) -> None:
        facts = attrs.asdict(segment, filter=lambda field, _: field.name != "data")
        self._line.send({"kind": "segment", **facts}, segment.data)

    def picture(self, name: str, data: bytes) -> None:
        self._line.send({"kind": "picture", "name": name}, data)

    def captions(self, index: int, data: bytes) -> None:
        self._line.send({"kind": "captions", "index": index}, data)

    def progress(self, share: float, frames: int = 0) -> None:
        now = time.monotonic()
        if now - self._told_at >= _PROGRESS_EVERY_S:
            self._told_at = now
            self._line.send({"kind": "progress", "share": round(share, 4), "frames": frames})


def serve(line: ChildLine) -> None:
    """Waits for tasks and does them, until there is nobody to wait for. All are of one source: nothing else gets in
    once the sandbox is closed."""
    task = from_plain(ChildTask, line.receive().head["task"])
    source = _source(line, task)
    sandbox.stand_back(task.sandbox)
    lanes = [Lane() for _ in range(task.threads)]
    sandbox.enter(task.sandbox)
    while do(line, task, source, lanes):
        gc.collect()  # libav's objects hold each other: encoders and all their pictures
        try:
            task = from_plain(ChildTask, line.receive().head["task"])
        except EOFError:  # nobody needs it any more
            return


def do(line: ChildLine, task: ChildTask, source: RangedBytes, lanes: Sequence[Lane]) -> bool:
    """Answers with `done` or `fault`. False after a fault: what it left behind is not to be worked with."""
    began_ns = time.time_ns()
    try:
        result = run_task(task, source, LineSink(line), lanes)
    except (MediaError, MemoryError) as error:
        fault: MediaError = MediaTooLarge(f"it needs more than the {task.sandbox.memory_bytes >> 20} MiB allowed")
        if isinstance(error, MediaError) and not (isinstance(error, _MAY_BE_MEMORY) and _is_out_of_memory()):
            fault = error
        worked = {"began_ns": began_ns, "ended_ns": time.time_ns()}
        line.send({"kind": "fault", "code": fault.code, "detail": fault.detail, **worked})
        return False
    except Exception:
        sys.stderr.write(f"task={task.task} trace_id={task.trace_id} failed\n")  # the traceback follows
        raise
    else:
        line.send({"kind": "done", "result": result, "began_ns": began_ns, "ended_ns": time.time_ns()})
        return True


# Decoders report want of memory as damage, and opening a file as too many streams.
_MAY_BE_MEMORY = (NotMedia, NoPlayableTrack, MediaCorrupt, MediaTooLarge)


def _is_out_of_memory() -> bool:
    """Whether there is no room for one more large frame (8192 x 4320 pixels, 4:2:0)."""
    try:
        return not bytearray(54 << 20)
    except MemoryError:
        return True


def run_task(task: ChildTask, source: RangedBytes, sink: LineSink, lanes: Sequence[Lane]) -> dict[str, Any]:
    """The result as plain JSON; what was made has gone to the sink already.

    Raises:
        MediaError: the file or the output is not as it must be.
    """
    if task.task == PROBE_KIND:
        wanted = from_plain(ProbeTask, task.payload)
        result: dict[str, Any] = to_plain(ProbeResult(plan=_planned(wanted, task.limits, source, sink)))
        return result
    if task.task == CHUNK_KIND:
        chunk = from_plain(ChunkTask, task.payload)
        encode_chunk(source, chunk.plan, chunk.chunk_n, task.limits, sink, lanes[: chunk.lanes])
        return {}
    if task.task == AUDIO_KIND:
        audio = from_plain(AudioTask, task.payload)
        encode_audio(source, audio.plan, audio.rendition_id, task.limits, sink)
        return {}
    if task.task == COPY_KIND:
        copy = from_plain(CopyTask, task.payload)
        cut_segments(source, copy.plan, copy.rendition_ids, copy.seg_from, copy.seg_to, task.limits, sink)
        return {}
    if task.task == PICTURES_KIND:
        make_pictures(source, from_plain(PicturesTask, task.payload).plan, task.limits, sink)
        return {}
    if task.task == CAPTIONS_KIND:
        extract_captions(source, from_plain(CaptionsTask, task.payload).plan, task.limits, sink)
        return {}
    if task.task == POSTER_KIND:
        make_poster(source, task.limits, sink)
        return {}
    raise ValueError(f"unknown task {task.task!r}")


def _planned(asked: ProbeTask, limits: MediaLimits, source: RangedBytes, sink: LineSink) -> MediaPlan:
    """The plan. Where the source itself is played, its first segments are sent too, for they are asked for first; where
    they cannot be cut after all, everything is encoded. What is encoded at all heights is tried out first."""
    wanted, profile = asked.wanted, asked.profile
    info = probe(source, limits, sink.progress, with_picture=bool(profile.rungs))

    def plan(copies_prefix: str, difficulty: Difficulty | None = None) -> MediaPlan:
        of = (wanted.content_id, wanted.media_version, wanted.source)
        return make_plan(info, profile, *of, copies_prefix=copies_prefix, difficulty=difficulty)

    planned = plan(wanted.copies_prefix)
    not_copied = planned.not_copied
    copied = tuple(each.id for each in planned.renditions if each.mode == "copy")
    if copied:
        try:
            cut_segments(source, planned, copied, 0, 1, limits, sink)
        except MediaOutputInvalid as fault:
            planned, not_copied = plan(""), (f"picture: {fault.detail}",)
        else:
            return planned
    difficulty = difficulty_of(source, info, planned, profile, limits)
    if difficulty is not None:
        planned = plan("", difficulty)
    return attrs.evolve(planned, not_copied=not_copied)


def _source(line: ChildLine, task: ChildTask) -> RangedBytes:
    if task.source_by == "descriptor":
        return DescriptorBytes(line.receive_descriptor())

    def ask(offset: int, length: int) -> bytes:
        line.send({"kind": "read", "offset": offset, "length": length})
        answer: Frame = line.receive()
        return answer.data

    return AskedBytes(task.source_size_bytes, ask)


def _rehearse() -> None:
    """Uses once what loads its parts late: after the task has come, no file can be opened any more."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith(("__main__", "datasets")):
            importlib.import_module(module.name)
    from_plain(ChildTask, to_plain(_EXAMPLE))
    for kind in (ProbeTask, ChunkTask, AudioTask, CopyTask, PicturesTask, CaptionsTask, PosterPayload):
        tolerant.get_structure_hook(kind)
    traceback.format_exception(ValueError("rehearsal"))


_EXAMPLE = ChildTask(
    task="", payload={}, source_by="", source_size_bytes=0, limits=MediaLimits(), sandbox=SandboxLimits()
)


def main(arguments: list[str]) -> int:
    faulthandler.enable()
    # Nobody may be reading: what does not fit into the pipe is dropped, never waited for.
    os.set_blocking(sys.stderr.fileno(), False)
    with socket.socket(fileno=int(arguments[1])) as connection:
        line = ChildLine(connection)
        _rehearse()
        gc.freeze()  # so that what is imported is never looked through again
        try:
            line.send({"kind": "ready"})
            serve(line)
        except (EOFError, BrokenPipeError, ConnectionResetError):  # the parent has gone, or wants no more
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
