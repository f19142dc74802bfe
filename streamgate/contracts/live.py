"""Live progress, for people who look: told to every process, kept by none.

Whoever changes something a person may be watching broadcasts `LIVE` after the commit; the gateway hands it to that
person's open `/events` and `/ws` connections. A lost one is harmless: the next tells more, and the API has it all.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.events import Topic

LiveKind = Literal["upload", "job", "media", "content", "session"]


@attrs.frozen(kw_only=True)
class LiveUpdate:
    """What is new about one thing.

    Args:
        owner: user id of the one person who is told (admins see their own only, too).
        kind, id: the thing: an upload, job, media version (id: the content), content or playback session.
        content_id: the content it belongs to, or "".
        event: what happened, as clients see it: `upload.progress`, `upload.changed`, `job.progress`, `job.finished`,
            `transcode.progress`, `rendition.ready`, `media.playable`, `media.ready`, `media.failed`,
            `content.changed`, `session.ended`.
        data: the thing's public fields as the API shows them (`progress` 0 to 1, `status`, …); small.
    """

    owner: str
    kind: LiveKind
    id: str
    content_id: str = ""
    event: str
    data: dict[str, Any] = attrs.field(factory=dict)


LIVE = Topic("live.update", LiveUpdate)
"""Producers tell progress of one thing at most four times a second, and every change of state."""
