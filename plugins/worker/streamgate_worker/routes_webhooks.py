"""Webhook secrets over HTTP: everybody's own."""

from __future__ import annotations

import attrs

from streamgate.errors import FieldError, Invalid
from streamgate.settings import config_field
from streamgate.web.routes import CREATOR, Call, Route
from streamgate_worker.routes import PREFIX
from streamgate_worker.routes_schedules import IS_NAME
from streamgate_worker.webhooks.secrets import (
    NewSecret,
    SecretInfo,
    SecretInUse,
    SecretsUnavailable,
    SecretUnknown,
    TooManySecrets,
    WebhookSecrets,
)
from streamgate_worker.webhooks.signing import MAX_BYTES, MIN_BYTES, read_secret
from streamgate_worker.webhooks.signing import PREFIX as SECRET_PREFIX

PATH = f"{PREFIX}/webhook-secrets"
DAY_S = 86_400.0


@attrs.frozen(kw_only=True)
class SecretBody:
    name: str = config_field(
        help="Names the secret among one's own; an existing one is rotated.",
        validator=IS_NAME,
    )
    secret: str | None = config_field(
        None, help=f"`{SECRET_PREFIX}` and {MIN_BYTES} to {MAX_BYTES} bytes in base64; by default one is made."
    )
    overlap_s: float = config_field(
        DAY_S,
        help="For how long what is sent is signed with the former secret as well; at most 30 days.",
        validator=[attrs.validators.ge(0), attrs.validators.le(30 * DAY_S)],
    )


@attrs.frozen(kw_only=True)
class SecretName:
    name: str


@attrs.frozen(kw_only=True)
class SecretList:
    items: tuple[SecretInfo, ...]


class WebhookRoutes:
    def __init__(self, secrets: WebhookSecrets) -> None:
        self._secrets = secrets

    def routes(self) -> list[Route]:
        return [
            Route(
                "PUT",
                PATH,
                self.put,
                policy=CREATOR,
                body=SecretBody,
                answer=NewSecret,
                summary="Make a webhook secret, or rotate it; it is shown in this answer only",
                errors=(SecretInUse, TooManySecrets, SecretsUnavailable),
            ),
            Route(
                "GET",
                PATH,
                self.list_all,
                policy=CREATOR,
                answer=SecretList,
                summary="One's webhook secrets, by name; what they are is never shown again",
            ),
            Route(
                "DELETE",
                PATH,
                self.remove,
                policy=CREATOR,
                query=SecretName,
                summary="Remove a webhook secret; webhooks that name it fail",
                errors=(SecretUnknown,),
            ),
        ]

    async def put(self, call: Call[SecretBody, None]) -> NewSecret:
        body = call.body
        try:
            secret = None if body.secret is None else read_secret(body.secret)
        except ValueError as fault:
            error = FieldError("secret", str(fault))
            raise Invalid("The secret cannot be read", errors=(error,)) from fault
        return await self._secrets.put(call.actor, body.name, secret=secret, overlap_s=body.overlap_s)

    async def list_all(self, call: Call[None, None]) -> SecretList:
        return SecretList(items=tuple(await self._secrets.list_all(call.actor.user_id)))

    async def remove(self, call: Call[None, SecretName]) -> None:
        await self._secrets.remove(call.actor, call.query.name)
