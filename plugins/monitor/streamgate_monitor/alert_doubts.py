"""What is said of an alert rule that may come to nothing: nobody tells of its metric, or what signs is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from streamgate.contracts.webhooks import SecretQuery, Webhooks
from streamgate.errors import FieldError, Invalid, StreamgateError
from streamgate_monitor.alert_repository import StoredRule
from streamgate_monitor.numbers import Numbers
from streamgate_monitor.rules import Rule

_MAKE_ONE = "PUT /api/v1/jobs/webhook-secrets makes one"


class Doubts:
    """A metric may come later, with a plugin or with what it counts: that is a warning. A secret is there or not."""

    def __init__(self, numbers: Numbers, webhooks: Webhooks) -> None:
        self._numbers = numbers
        self._webhooks = webhooks

    async def check_secret(self, owner: str, name: str) -> None:
        """
        Raises:
            Invalid: the person has no webhook secret of this name.
            Unavailable: worker, which knows, is away.
        """
        if name and not await self._has_secret(owner, name):
            error = FieldError("notify_secret", f"is none of your webhook secrets; {_MAKE_ONE}")
            raise Invalid("nobody could be told of the alert", errors=(error,))

    async def of(self, stored: StoredRule) -> tuple[str, ...]:
        """As things are now."""
        metric, secret = self._of_metric(stored.rule), await self._of_secret(stored)
        return tuple(said for said in (metric, secret) if said)

    async def _has_secret(self, owner: str, name: str) -> bool:
        return (await self._webhooks.find_secret(SecretQuery(owner=owner, name=name))).exists

    async def _of_secret(self, stored: StoredRule) -> str:
        name = stored.rule.notify_secret
        try:
            if not name or await self._has_secret(stored.owner, name):
                return ""
        except StreamgateError:
            return f"whether the webhook secret {name} is there cannot be looked up now"
        return f"notify_secret: {name} is gone, so nobody is told; {_MAKE_ONE}, or put the rule again with another"

    def _of_metric(self, rule: Rule) -> str:
        name = rule.metric
        told = self._numbers.label_names(name)
        if told is None:
            names = {*self._numbers.names(), *_declared()}
            if name in names:
                return ""
            parts = sorted(names & {f"{name}_count", f"{name}_sum"})
            near = parts or difflib.get_close_matches(name, names, n=3, cutoff=0.8)
            hint = f"; there is {' and '.join(near)}" if near else ""
            return f"metric: nobody tells of {name} now, and there is nothing to compare until somebody does{hint}"
        unknown = sorted(rule.labels.keys() - told)
        return f"labels: {name} has no {' and no '.join(unknown)}; it has {', '.join(sorted(told))}" if unknown else ""


def _declared() -> Iterator[str]:
    """What this process may tell of, once there is something to count: the kernel's own, and of the plugins here."""
    from prometheus_client import REGISTRY

    for family in REGISTRY.collect():
        if family.type in ("histogram", "summary"):
            yield from (f"{family.name}_count", f"{family.name}_sum")
        else:
            yield f"{family.name}_total" if family.type == "counter" else family.name
