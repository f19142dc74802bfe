"""Jobs of kind `webhook.deliver`: one POST, signed, to a public address."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
import orjson

from streamgate.context import Actor
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.jobs import PayloadInvalid
from streamgate.errors import FieldError, StreamgateError
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.sdk.clock import Clock
from streamgate.sdk.outgoing import GuardedClient, OutgoingError
from streamgate.settings import Matches, config_field
from streamgate_worker.webhooks.secrets import WebhookSecrets
from streamgate_worker.webhooks.signing import headers

KIND = "webhook.deliver"
ANSWER_TIMEOUT_S = 15.0
CONCURRENCY = 16
MAX_BODY_BYTES = 256 * 1024
ANSWER_UNREAD_BYTES = 1 << 40
"""The status is all that is looked at: however long the answer is, its body is not read."""
AGAIN = frozenset({408, 429})
"""Statuses below 500 that are worth another try."""


class WebhookRefused(StreamgateError):
    """The receiver does not want it: a redirect, 410, or another 4xx. Ends the job as failed."""

    code, title, status = "webhook.refused", "The receiver refuses the webhook", 502


class WebhookFailed(StreamgateError):
    """The receiver could not: 5xx, 408, 429."""

    code, title, status, retryable = "webhook.failed", "The receiver could not take the webhook", 502, True


@attrs.frozen(kw_only=True)
class Webhook:
    url: str = config_field(
        help="Where to; https, to a public address, unless the operator allows more (`outgoing`).",
        validator=[attrs.validators.min_len(1), attrs.validators.max_len(2048)],
    )
    event: str = config_field(
        help="What happened, dotted: `order.paid`.",
        validator=Matches(r"[A-Za-z0-9_.-]{1,100}", "must be 1 to 100 letters, digits, -, . and _"),
    )
    body: dict[str, Any] = config_field(help="What is told: becomes `data` beside `type` in the JSON that is sent.")
    secret_name: str = config_field(
        "",
        help="Which of one's webhook secrets signs it; without one it is not signed.",
        validator=attrs.validators.max_len(100),
    )


@attrs.frozen(kw_only=True)
class Delivered:
    status_code: int
    duration_ms: int


class Deliveries:
    """
    Args:
        make_client: called for the first URL; the client is closed when the unit stops.
    """

    def __init__(self, secrets: WebhookSecrets, clock: Clock, make_client: Callable[[], GuardedClient]) -> None:
        self._secrets = secrets
        self._clock = clock
        self._make_client = make_client
        self._made: GuardedClient | None = None

    @property
    def kind(self) -> JobKind:
        return JobKind(
            name=KIND,
            summary="Tells a server of something: a signed POST (Standard Webhooks), again with pauses until it is "
            "taken. The webhook-id is the job's.",
            payload=Webhook,
            result=Delivered,
            handler=self.deliver,
            concurrency=CONCURRENCY,
            user_may_submit=True,
        )

    @property
    def unit(self) -> Unit:
        return SimpleUnit("worker.webhooks", on_stop=self._close)

    async def check(self, actor: Actor, payload: Any) -> None:
        """For whoever asks. Raises PayloadInvalid."""
        if len(orjson.dumps(payload["body"])) > MAX_BODY_BYTES:
            raise _invalid("body", f"has at most {MAX_BODY_BYTES} bytes")
        try:
            self._client().check_url(payload["url"])
        except OutgoingError as fault:
            raise _invalid("url", fault.detail) from fault
        name = payload.get("secret_name", "")
        if name and not await self._secrets.exists(actor.user_id, name):
            raise _invalid("secret_name", "is none of your webhook secrets; PUT /api/v1/jobs/webhook-secrets makes one")

    async def deliver(self, webhook: Webhook, run: JobRun) -> Delivered:
        """Raises WebhookRefused, WebhookFailed, OutgoingError, SecretUnknown, SecretsUnavailable."""
        secrets = await self._secrets.counting(run.owner, webhook.secret_name) if webhook.secret_name else []
        body = orjson.dumps({"type": webhook.event, "data": webhook.body})
        sent = {
            "content-type": "application/json",
            "user-agent": "StreamGate-Webhooks/1",
            **headers(run.job_id, self._clock.now_ms() // 1000, body, secrets),
        }
        began_s = time.perf_counter()
        async with self._client().stream(
            "POST",
            webhook.url,
            headers=sent,
            content=body,
            limit_bytes=ANSWER_UNREAD_BYTES,
            timeout_s=ANSWER_TIMEOUT_S,
        ) as answer:
            status_code = answer.status
        _check_status(status_code)
        return Delivered(status_code=status_code, duration_ms=round((time.perf_counter() - began_s) * 1000))

    def _client(self) -> GuardedClient:
        if self._made is None:
            self._made = self._make_client()
        return self._made

    async def _close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()


def _check_status(status_code: int) -> None:
    if 200 <= status_code < 300:
        return
    said = f"it answered with status {status_code}"
    if status_code >= 500 or status_code in AGAIN:
        raise WebhookFailed(said)
    raise WebhookRefused(said)


def _invalid(field: str, said: str) -> PayloadInvalid:
    return PayloadInvalid(f"the payload does not fit {KIND}", errors=(FieldError(f"payload.{field}", said),))
