"""Jobs of kind `content.retranscode`: has the media of a content made again, now, later, or by a schedule."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.context import Actor
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.metadata import AccessQuery, Metadata
from streamgate.contracts.streaming import Streaming, Transcode
from streamgate.settings import config_field

KIND = "content.retranscode"


@attrs.frozen(kw_only=True)
class Retranscode:
    content_id: str = config_field(
        help="A content of one's own.", validator=[attrs.validators.min_len(1), attrs.validators.max_len(40)]
    )
    profile: str = config_field(
        "web", help="As for a transcode.", validator=[attrs.validators.min_len(1), attrs.validators.max_len(40)]
    )


@attrs.frozen(kw_only=True)
class Begun:
    """The transcode that was begun; GET /api/v1/transcode/status tells how far it is."""

    task_id: str


class Retranscoding:
    def __init__(self, metadata: Metadata, streaming: Streaming) -> None:
        self._metadata = metadata
        self._streaming = streaming

    @property
    def kind(self) -> JobKind:
        return JobKind(
            name=KIND,
            summary="Has the media of a content made again from its source; what plays goes on until the new one is "
            "ready.",
            payload=Retranscode,
            result=Begun,
            handler=self.begin,
            user_may_submit=True,
        )

    async def check(self, actor: Actor, payload: Any) -> None:
        """For whoever asks. Raises ContentNotFound, Forbidden."""
        await self._metadata.get(AccessQuery(content_id=payload["content_id"], actor=actor, want="change"))

    async def begin(self, wanted: Retranscode, run: JobRun) -> Begun:
        """Whether the owner may was asked when the job was submitted, or the schedule set."""
        actor = Actor(kind="user", user_id=run.owner)
        started = await self._streaming.transcode(
            Transcode(content_id=wanted.content_id, actor=actor, profile=wanted.profile)
        )
        return Begun(task_id=started.task_id)
