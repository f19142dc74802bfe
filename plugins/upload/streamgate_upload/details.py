"""The title and the gate that come with a file: checked when they are read, applied when every byte is there."""

from __future__ import annotations

import orjson
from loguru import logger

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, GateDraft, GateQuery, SetGate, StoredGate
from streamgate.contracts.gate import Rule
from streamgate.contracts.metadata import AccessQuery, ContentUpdate, Metadata
from streamgate.errors import FieldError, Invalid, StreamgateError


async def read_gate(auth: Auth, text: str) -> Rule:
    """The rule of the part `gate`; nothing is stored. Raises Invalid, GateInvalid."""
    try:
        rule = orjson.loads(text)
    except orjson.JSONDecodeError:
        rule = None
    if not isinstance(rule, dict):
        raise Invalid("The gate is not a JSON object", errors=(FieldError("gate", "is not a JSON object"),))
    await check_gate(auth, rule)
    return rule


async def check_gate(auth: Auth, rule: Rule) -> None:
    """Raises GateInvalid."""
    await auth.validate_gate(GateDraft(gate=rule))


class Details:
    """One request's changes to its content.

    They are applied before the upload is finished, and that is told, so that a new file is never behind the old
    gate; the gate comes last, so that a refused title opens nothing. When anything after that fails, `undo` puts back
    what was. It can fail in turn: a process that ends between the two leaves the new title and the new gate with the
    old media, and so does a metadata or auth that is away for `undo` too. Then the old media are as open as the
    sender asked, and the request was never answered as done. A gate or title that somebody else set meanwhile stays.
    """

    def __init__(self, metadata: Metadata, auth: Auth, actor: Actor, content_id: str) -> None:
        self._metadata = metadata
        self._auth = auth
        self._actor = actor
        self._content_id = content_id
        self._old_title = ""
        self._new_title: str | None = None
        self._old_gate: StoredGate | None = None

    async def apply(self, title: str | None, gate: Rule | None) -> None:
        """None leaves it as it is. Raises Invalid, GateInvalid, ContentNotFound, Forbidden."""
        if title is not None:
            self._old_title = await self._title()
            update = ContentUpdate(content_id=self._content_id, actor=self._actor, title=title)
            self._new_title = (await self._metadata.update(update)).title
        if gate is not None:
            self._old_gate = await self._auth.get_gate(GateQuery(content_id=self._content_id))
            await self._auth.set_gate(SetGate(content_id=self._content_id, actor=self._actor, gate=gate))

    async def undo(self) -> None:
        """As far as it goes; what has not been applied is left alone."""
        for step in (self._undo_gate, self._undo_title):
            try:
                await step()
            except StreamgateError as fault:
                logger.bind(content_id=self._content_id, error=fault.code).warning(
                    "a refused upload's title or gate stays"
                )

    async def _undo_gate(self) -> None:
        if self._old_gate is None:
            return
        now = await self._auth.get_gate(GateQuery(content_id=self._content_id))
        if now.revision == self._old_gate.revision + 1:  # set, even where the answer to that was lost
            wanted = SetGate(content_id=self._content_id, actor=self._actor, gate=self._old_gate.gate)
            await self._auth.set_gate(wanted)

    async def _undo_title(self) -> None:
        if self._new_title is not None and await self._title() == self._new_title:
            update = ContentUpdate(content_id=self._content_id, actor=self._actor, title=self._old_title)
            await self._metadata.update(update)

    async def _title(self) -> str:
        query = AccessQuery(content_id=self._content_id, actor=self._actor, want="change")
        return (await self._metadata.get(query)).title
