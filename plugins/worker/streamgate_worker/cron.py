"""When a schedule is due: a cron expression in a time zone.

croniter reads the expression; what happens where clocks are changed is decided here, because there the same reading
comes twice or never:

- An hour field that begins with `*` (`*/15 * * * *`) means *every so often*: each real moment whose reading fits. What
  is read twice runs twice, what is never read does not run.
- Any other hour field (`30 2 * * *`) means *once a day at that time*: a reading that comes twice runs the first time;
  one that is left out runs at the moment the clocks are put forward.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_CHARS = 200
YEARS = 12
"""How far ahead is looked: 29 February comes at most eight years apart."""
_FIELDS = re.compile(r"[0-9A-Za-z*,/#?-]+( [0-9A-Za-z*,/#?-]+){4}")
_RANDOM = re.compile(r"(^|[ ,])[RrHh](\(|/|,| |$)")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,20}(/[A-Za-z0-9_+-]{1,20}){0,2}")
_SECOND = timedelta(seconds=1)
_HOP = timedelta(days=7)


class CronFault(ValueError):
    """For people. `field` is `cron` or `timezone`."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field


@attrs.frozen
class Cron:
    """A schedule's moments. `expression` has five fields; made by `parse`."""

    expression: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, zone: str = "UTC") -> Cron:
        """Raises CronFault."""
        if len(expression) > MAX_CHARS:
            raise CronFault("cron", f"has at most {MAX_CHARS} characters")
        words = " ".join(expression.split())
        fields = ALIASES.get(words.lower(), words)
        if fields.startswith("@"):
            raise CronFault("cron", f"{words} is none of {', '.join(ALIASES)}")
        if not _FIELDS.fullmatch(fields) or _RANDOM.search(fields):
            raise CronFault("cron", "has five fields: minute, hour, day of month, month, day of week (`30 2 * * 1-5`)")
        from croniter import croniter

        try:
            croniter(fields, datetime(2024, 1, 1))  # noqa: DTZ001 (a reading of the clock, no moment)
        except (ValueError, KeyError, AttributeError, TypeError) as fault:
            said = str(fault).replace("[", "").replace("]", "")  # which stand around the expression
            raise CronFault("cron", said[:200] or "cannot be read") from fault
        return cls(fields, _zone(zone))

    @property
    def is_daily(self) -> bool:
        """At fixed hours, not every so often."""
        return not self.expression.split(" ")[1].startswith("*")

    def following(self, after_ms: int) -> int | None:
        """The first moment later than this one (milliseconds since 1970); None when there is none in 12 years."""
        at = datetime.fromtimestamp(after_ms // 1000, UTC)
        ends_at = at + timedelta(days=366 * YEARS)
        seen, offset = at, self._offset(at)
        while at < ends_at:
            reading = self._following_reading(_reading(at, offset))
            if reading is None:
                return None
            moment = _moment(reading, offset)
            change = self._first_change(seen, moment, offset)
            if change is None:
                if not (self.is_daily and self._is_second_reading(moment)):
                    return round(moment.timestamp() * 1000)
                at = seen = moment
                continue
            before, offset = offset, self._offset(change)
            if self.is_daily and offset > before and self._is_left_out(change, before, offset):
                return round(change.timestamp() * 1000)
            at, seen = change - _SECOND, change  # the change itself may fit, read by the new offset
        return None

    def _is_left_out(self, change: datetime, before: timedelta, after: timedelta) -> bool:
        """Whether a reading that the change skips would have fitted."""
        reading = self._following_reading(_reading(change, before) - _SECOND)
        return reading is not None and reading < _reading(change, after)

    def _following_reading(self, reading: datetime) -> datetime | None:
        from croniter import croniter  # here: most processes never read an expression

        try:
            found = croniter(self.expression, reading, max_years_between_matches=YEARS).get_next(datetime)
        except ValueError:  # no such day, ever
            return None
        assert isinstance(found, datetime)
        return found

    def _first_change(self, start: datetime, end: datetime, offset: timedelta) -> datetime | None:
        """The first moment after `start`, up to `end`, with another offset than at `start`."""
        low = start
        while low < end:
            high = min(low + _HOP, end)
            if self._offset(high) == offset:
                low = high
                continue
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
                low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
            return high
        return None

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self.zone).utcoffset() or timedelta()

    def _is_second_reading(self, at: datetime) -> bool:
        return at.astimezone(self.zone).fold == 1


def _reading(at: datetime, offset: timedelta) -> datetime:
    """What the clock on the wall says."""
    return at.replace(tzinfo=None) + offset


def _moment(reading: datetime, offset: timedelta) -> datetime:
    return (reading - offset).replace(tzinfo=UTC)


@functools.lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        if not _ZONE.fullmatch(name):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as fault:
        raise CronFault("timezone", "is a name of the IANA time zone database, such as Europe/Berlin or UTC") from fault
