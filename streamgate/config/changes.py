"""From the configuration a process runs with to the one its files say now: what it may take, and what must wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from streamgate.config.values import keys_of

if TYPE_CHECKING:
    from streamgate.config import Config


@attrs.frozen(kw_only=True)
class Changes:
    """`taken` and `waiting` are dotted keys; `sections` holds the new value of each section something was taken in.
    A waiting key keeps its old value until the process starts anew."""

    sections: Mapping[str, Any]
    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def changes(running: Mapping[str, Any], read: Config) -> Changes:
    """What is new in `read`. `running` is what each group at the top level is now.

    Raises:
        ValueError: a section refuses the new values beside those that wait.
    """
    sections: dict[str, Any] = {}
    taken: list[str] = []
    waiting: list[str] = []
    for name, new in read.groups():
        old = running[name]
        if not attrs.has(type(old)):
            waiting += [name] if old != new else []
            continue
        differing = [key for key in keys_of(type(old)).values() if getattr(old, key.name) != getattr(new, key.name)]
        taken += [f"{name}.{key.name}" for key in differing if key.reload]
        waiting += [f"{name}.{key.name}" for key in differing if not key.reload]
        values = {key.name: getattr(new, key.name) for key in differing if key.reload}
        if values:
            sections[name] = attrs.evolve(old, **values)
    return Changes(sections=sections, taken=tuple(taken), waiting=tuple(waiting))
