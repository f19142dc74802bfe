"""What a role may do on the bus. All of it follows from what its plugins declare; nothing is written by hand.

A *role* is what a process runs: one service with its extensions (`cache`), several (`auth+metadata`), or `all`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Sequence

import attrs

from streamgate.announce import ANNOUNCE, ANNOUNCE_WANTED
from streamgate.bus.base import matches
from streamgate.events import EventSubscription, GroupSubscription
from streamgate.health import introspection_of, introspections_of
from streamgate.identity.declared import Asked, Asks, BusUse, Told
from streamgate.plugins import Found, PluginInfo, select

EVERYWHERE_GROUP = "streamgate.everywhere"
"""Entry points that name a `BusUse`: what the SDK does on the bus in every process."""

ALL = "all"


@attrs.frozen(kw_only=True)
class Grants:
    """What a role may do.

    Args:
        plugins: what it runs: the groups it may be in, the services it may announce.
        asks: service methods it may call, as subjects (`svc.auth.v1.jwks`, `svc.metadata.v1.*`).
        answers: services it is (`svc.cache.v1`).
        tells, hears: subjects of events and topics.
        prefixes: HTTP paths it may announce as its own.
        acts_as_service: it may call as `Actor(kind="service")`, which has a moderator's rights.
    """

    plugins: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    acts_as_service: bool = False

    def may_ask(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.asks)

    def lacks(self, needed: Grants) -> list[str]:
        """What of `needed` is not in here, in words."""
        missing = [
            f"{what} {', '.join(sorted(set(wanted) - set(held)))}"
            for what, wanted, held in (
                ("ask", needed.asks, self.asks),
                ("answer as", needed.answers, self.answers),
                ("tell", needed.tells, self.tells),
                ("hear", needed.hears, self.hears),
                ("own the paths", needed.prefixes, self.prefixes),
            )
            if set(wanted) - set(held)
        ]
        if needed.acts_as_service and not self.acts_as_service:
            missing.append("act as a service")
        return missing


def service_of(subject: str) -> str:
    """`svc.auth.v1` of `svc.auth.v1.jwks`."""
    return subject.rpartition(".")[0]


def grants_of(infos: Sequence[PluginInfo], everywhere: Sequence[BusUse]) -> Grants:
    """The sum of what these plugins declare, and of what the SDK does in a process that runs them."""
    uses = [use for use in everywhere if not use.only_with or any(getattr(i, use.only_with) for i in infos)]
    services = [info for info in infos if info.kind == "service"]
    watched = [introspection_of(ref.name) for info in infos for ref in info.needs]
    asked: list[Asked] = [*watched]
    for info in infos:
        asked += [*info.needs, *info.may_need]
    for use in uses:
        asked += use.asks
    offered = [ref for info in infos for ref in info.offers]
    offered += [ref for info in services for ref in introspections_of(info.name, info.offers)]
    declared: list[PluginInfo | BusUse] = [*infos, *uses]
    told = {_subject(one) for each in declared for one in each.tells}
    heard = {_subject(one) for each in declared for one in each.hears}
    return Grants(
        plugins=_sorted(info.name for info in infos),
        asks=_sorted(pattern for one in asked for pattern in _asked(one)),
        answers=_sorted(service_of(ref.subject("any")) for ref in offered),
        tells=_sorted(told | {ANNOUNCE}),
        hears=_sorted(heard | {ANNOUNCE_WANTED}),
        prefixes=_sorted(prefix for info in infos for prefix in info.prefixes),
        acts_as_service=any(info.acts_as_service for info in infos),
    )


def role_name(only: Iterable[str] | None) -> str:
    """`only` None: everything in one process."""
    return ALL if only is None else "+".join(sorted(set(only)))


def plugins_of(role: str, found: Sequence[Found]) -> list[PluginInfo]:
    """Everything a process of this role could load, whatever its profile.

    Raises:
        SelectionFault: a part of the name is no service that is installed.
    """
    whatever = [f if f.info is None else attrs.evolve(f, info=attrs.evolve(f.info, profiles=())) for f in found]
    return select(whatever, None if role == ALL else role.split("+"), profile="")


def load_everywhere() -> list[BusUse]:
    return [entry.load() for entry in importlib.metadata.entry_points(group=EVERYWHERE_GROUP)]


def check_heard(info: PluginInfo, subscription: EventSubscription) -> None:
    """What a plugin subscribes to is what it declares: also in one process, so that it holds in many.

    Raises:
        ValueError: it hears something else, or in a group that is not its own.
    """
    subject = subscription.event.subject
    if subject not in {_subject(one) for one in info.hears}:
        raise ValueError(f"plugin {info.name!r} subscribes to {subject}: declare it in its PluginInfo.hears")
    if isinstance(subscription, GroupSubscription) and subscription.group != info.name:
        raise ValueError(f"plugin {info.name!r} hears {subject} in group {subscription.group!r}: use its own name")


def _asked(one: Asked) -> list[str]:
    if isinstance(one, Asks):
        return [one.ref.subject(method) for method in one.methods]
    return [one.subject("*")]


def _subject(one: Told) -> str:
    return one if isinstance(one, str) else one.subject


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
