"""The requirement kind `time`: from one moment on, until another."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.errors import FieldError
from streamgate.sdk.clock import Clock, parse_rfc3339, rfc3339
from streamgate.web.structure import FieldFaults


class _Checked:
    """A field cannot have a validator where its name is a word of Python's."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        faults, moments = [], {}
        for name in ("from", "until"):
            text = getattr(self, name)
            try:
                moments[name] = None if text is None else parse_rfc3339(text)
            except ValueError as fault:
                faults.append(FieldError(name, str(fault)))
        if faults:
            raise FieldFaults(faults)
        since_ms, until_ms = moments["from"], moments["until"]
        if since_ms is None and until_ms is None:
            raise ValueError("must have from, until, or both")
        if since_ms is not None and until_ms is not None and until_ms <= since_ms:
            raise FieldFaults([FieldError("until", "must be later than from")])


_TEXT: Any = str | None  # attrs' stubs know no unions
TimeWindow: type[Any] = attrs.make_class(
    "TimeWindow",
    {
        "from": attrs.field(default=None, type=_TEXT, repr=False, alias="from_"),
        "until": attrs.field(default=None, type=_TEXT),
    },
    bases=(_Checked,),
    frozen=True,
    kw_only=True,
    eq=False,
)
TimeWindow.__doc__ = "Parameters: RFC 3339 times, either of which may be left out. `from` is in it, `until` is not."
TimeWindow.__module__ = __name__


@attrs.frozen(eq=False)
class Times:
    """Reads the kind by the clock of this machine."""

    clock: Clock

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name="time",
            summary="It is now between two moments, or after one, or before one.",
            params=TimeWindow,
            describe=lambda params: f"the time is {_window(params)}",
            read=self.read,
            canonical=_canonical,
            warn=self.warn,
            satisfy=lambda params: f"come {_window(params)}",
            cost=0,
        )

    async def read(self, leaf: Leaf) -> Reading:
        now_ms = self.clock.now_ms()
        since_ms, until_ms = _moments(leaf.params)
        is_in = (since_ms is None or since_ms <= now_ms) and (until_ms is None or now_ms < until_ms)
        to_come = [edge_ms for edge_ms in (since_ms, until_ms) if edge_ms is not None and edge_ms > now_ms]
        return Reading(
            outcome="holds" if is_in else "does_not_hold",
            held_text=f"it is {rfc3339(now_ms)}",
            until_s=min(to_come) / 1000 if to_come else None,
        )

    async def warn(self, params: Any) -> list[str]:
        _, until_ms = _moments(params)
        return ["this time is over already"] if until_ms is not None and until_ms <= self.clock.now_ms() else []


def _moments(params: Any) -> tuple[int | None, int | None]:
    found = (None if text is None else parse_rfc3339(text) for text in (getattr(params, "from"), params.until))
    since_ms, until_ms = found
    return since_ms, until_ms


def _window(params: Any) -> str:
    since_ms, until_ms = _moments(params)
    said = [] if since_ms is None else [f"from {rfc3339(since_ms)}"]
    return " ".join(said if until_ms is None else [*said, f"until {rfc3339(until_ms)}"])


def _canonical(params: Any) -> Any:
    since_ms, until_ms = _moments(params)
    return TimeWindow(
        from_=None if since_ms is None else rfc3339(since_ms), until=None if until_ms is None else rfc3339(until_ms)
    )
