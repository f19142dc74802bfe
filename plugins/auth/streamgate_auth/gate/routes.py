"""Gates over HTTP: kinds, rules in JSON and YAML, dry runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from streamgate.context import Actor
from streamgate.contracts.auth import AddressInvalid, GateCheck, GateCheckAnswer, GateQuery, SetGate, StoredGate
from streamgate.contracts.gate import GateInvalid, Rule
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.errors import BadRequest, FieldError, Forbidden, TooLarge, TooMany, UnsupportedMediaType
from streamgate.web.routes import CREATOR, PUBLIC, SIGNED_IN, Call, Route, owner
from streamgate.web.typed import check_policy
from streamgate_auth.gate.checking import Checking
from streamgate_auth.gate.forms import ContentPath, KindsListed, TryBody, ValidatedGate
from streamgate_auth.gate.gates import Gates
from streamgate_auth.gate.parse import OPERATORS
from streamgate_auth.gate.policy import describe_policy
from streamgate_auth.gate.showing import shown
from streamgate_auth.gate.text import JSON, YAML, read_document, to_yaml
from streamgate_auth.limits import RequestLimit

PREFIX = "/api/v1/gates"
UNREADABLE = (BadRequest, TooLarge, UnsupportedMediaType)
LANGUAGES = (JSON, YAML)


class GateRoutes:
    """`limit`: a dry run reads chains."""

    def __init__(self, gates: Gates, checking: Checking, metadata: Metadata, limit: RequestLimit) -> None:
        self._gates = gates
        self._checking = checking
        self._metadata = metadata
        self._limit = limit

    def routes(self) -> Sequence[Route]:
        one, owned = f"{PREFIX}/contents/{{content_id}}", owner("content_id")
        hidden = (ContentNotFound, Forbidden)
        return [
            Route(
                "GET",
                f"{PREFIX}/kinds",
                self.kinds,
                policy=PUBLIC,
                answer=KindsListed,
                summary="What gates can ask for",
                description="The kinds of requirement of this server, its plugins' own too, with their parameters.",
            ),
            Route(
                "POST",
                f"{PREFIX}/validate",
                self.validate,
                policy=SIGNED_IN,
                only_reads=True,
                raw_body=True,
                accepts=LANGUAGES,
                raw_schema=Rule,
                answer=ValidatedGate,
                summary="Whether a gate could be set, in JSON or YAML",
                description="Answers it as it would be stored, in words, and what to be warned of. Stores nothing.",
                errors=(GateInvalid, TooMany, *UNREADABLE),
            ),
            Route(
                "POST",
                f"{PREFIX}/check",
                self.check,
                policy=SIGNED_IN,
                only_reads=True,
                body=TryBody,
                answer=GateCheckAnswer,
                summary="What a gate says of somebody",
                description=(
                    "`gate`: one that nobody has stored, of oneself or any address [creator]. `content_id`: the stored "
                    "one, of oneself, or of any address [owner]. All of it is asked, whether it matters or not. Opens "
                    "nothing."
                ),
                errors=(GateInvalid, AddressInvalid, TooMany, *hidden),
            ),
            Route(
                "GET",
                one,
                self.get,
                policy=owned,
                guard=self.may_change,
                query=ContentPath,
                answer=StoredGate,
                produces=LANGUAGES,
                summary="The gate of a content, in JSON or (by `Accept`) its rule in YAML",
                headers_doc={"Accept": f"`{YAML}` for the rule alone in YAML"},
                errors=hidden,
            ),
            Route(
                "PUT",
                one,
                self.set,
                policy=owned,
                guard=self.may_change,
                query=ContentPath,
                raw_body=True,
                accepts=LANGUAGES,
                raw_schema=Rule,
                answer=StoredGate,
                summary="Set the gate in JSON or YAML, and publish",
                errors=(*hidden, GateInvalid, *UNREADABLE),
            ),
        ]

    async def kinds(self, call: Call[None, None]) -> KindsListed:
        return KindsListed(items=shown(self._checking.kinds.by_name().values()), operators=OPERATORS)

    async def validate(self, call: Call[None, None]) -> ValidatedGate:
        self._limit.spend(call.request)
        checked = await self._checking.check(await read_document(call.request))
        return ValidatedGate(gate=checked.document, text=describe_policy(checked.policy), warnings=checked.warnings)

    async def check(self, call: Call[TryBody, None]) -> GateCheckAnswer:
        self._limit.spend(call.request)
        body, actor = call.body, call.actor
        body.raise_unless_one()
        if body.gate is not None:
            check_policy(CREATOR, actor)
            return await self._gates.try_rule(body.gate, actor, body.address)
        content_id = body.content_id or ""
        want = "see" if body.address is None else "change"
        await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want=want))  # type: ignore[arg-type]
        return await self._gates.check(GateCheck(content_id=content_id, actor=actor, address=body.address))

    async def get(self, call: Call[None, ContentPath]) -> StoredGate | Response:
        stored = await self._gates.get(GateQuery(content_id=call.query.content_id))
        if YAML not in call.request.headers.get("accept", ""):
            return stored
        text = "" if stored.gate is None else to_yaml(stored.gate)
        return Response(text, media_type=YAML, headers={"Cache-Control": "no-store", "Vary": "Accept"})

    async def set(self, call: Call[None, ContentPath]) -> StoredGate:
        rule = await read_document(call.request)
        if not isinstance(rule, dict):
            fault = FieldError("gate", "must be an object: a rule, or a document with one")
            raise GateInvalid(f"{fault.field} {fault.message}", errors=(fault,))
        return await self._gates.set(SetGate(content_id=call.query.content_id, actor=call.actor, gate=rule))

    async def may_change(self, actor: Actor, texts: Mapping[str, str]) -> None:
        """Of what the path or query names."""
        content_id = texts.get("content_id", "")
        if content_id:
            await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="change"))
