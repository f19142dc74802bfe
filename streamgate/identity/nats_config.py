"""The grants of all roles in the form of a nats-server's configuration: what is not named is denied.

The file holds public keys only. `nats-server -js -sd DIR -c nats.conf`, or `include` it from your own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from streamgate.bus.base import DEAD_STREAM, EVENTS_STREAM, again_subject, durable_name
from streamgate.identity.grants import Grants
from streamgate.identity.issuing import Issued

ANSWER_WITHIN = "5m"  # longer than any question waits

_HEAD = """\
# Made by `streamgate identity`; do not edit. One user for each role, with exactly the rights its plugins declare.
"""


def nats_config(issued: Mapping[str, Issued]) -> str:
    users = [
        f"    # {role}\n" + "".join(_user(key, role, each.grants) for key in (each.nats_key, *each.former))
        for role, each in sorted(issued.items())
    ]
    return f"{_HEAD}authorization {{\n  users = [\n{''.join(users)}  ]\n}}\n"


def inbox_prefix(role: str) -> str:
    """Where a role's answers come in: nobody else may listen there."""
    return f"_INBOX.{role}"


def publish_subjects(grants: Grants) -> list[str]:
    """Everything a role may send, beside answers to what it is asked."""
    found = [*grants.asks, *grants.tells]
    for stream in (EVENTS_STREAM, DEAD_STREAM):
        found += [f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.STREAM.CREATE.{stream}"]
    for group in grants.plugins:
        for subject in grants.hears:
            if subject.startswith("evt."):
                durable = durable_name(group, subject)
                found += [
                    f"$JS.API.CONSUMER.CREATE.{EVENTS_STREAM}.{durable}.{subject}",
                    f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS_STREAM}.{durable}",
                    f"$JS.ACK.{EVENTS_STREAM}.{durable}.>",
                    f"dead.{group}.{subject}",
                ]
    return found


def subscribe_subjects(role: str, grants: Grants) -> list[str]:
    """Everything a role may listen to."""
    events = [subject for subject in grants.hears if subject.startswith("evt.")]
    again = [again_subject(group, subject) for group in grants.plugins for subject in events]
    return [*(f"{service}.*" for service in grants.answers), *grants.hears, *again, f"{inbox_prefix(role)}.>"]


def _user(key: str, role: str, grants: Grants) -> str:
    permissions = {
        "publish": {"allow": publish_subjects(grants)},
        "subscribe": {"allow": subscribe_subjects(role, grants)},
        "allow_responses": {"max": 1, "expires": ANSWER_WITHIN},
    }
    return f"    {{ nkey: {key}, permissions: {json.dumps(permissions)} }}\n"
