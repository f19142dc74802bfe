"""Keys, for who may have them now: as HLS fetches them, one at a time, and as EME's Clear Key asks for a licence.

Who asks has been admitted as for a segment. A key opens all of its period, in one rendition: so there is none for what
is higher than a session's extent, and none at all where only the beginning is free.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
from prometheus_client import Counter

from streamgate.contracts.gate import GateRefused
from streamgate.contracts.streaming import KeyUnknown, LicenceInvalid, TooManyKeys
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock

from ..catalogue import Listing
from ..extent import nothing_left, shut
from ..files import Admitted
from ..live import LiveSession
from .content_keys import KEY_BYTES, ContentKeys

MOST = 240
"""Keys a session is given in a minute: a player takes one for each rendition and period it comes to."""
WINDOW_S = 60.0
MAX_LICENCE_BYTES = 16_384
_MAX_KIDS = 64

_GIVEN = Counter("streamgate_stream_keys_total", "Keys of encrypted contents that were asked for.", ["mode", "result"])


class Granting:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def key(self, admitted: Admitted) -> bytes:
        """The 16 bytes of an AES-128 key.

        Raises:
            GateRefused: it would open more than the session may see.
            KeyUnknown: there is no such key.
            TooManyKeys: 429.
        """
        listing, live = admitted.listing, admitted.live
        track_id, period = admitted.asked["track"], int(admitted.asked["key"])
        try:
            self._count(live, 1)
            keys = _keys_of(listing, live)
            _open_to(listing, live, keys, track_id, period)
            key = keys.key("hls", track_id, period)
        except StreamgateError as fault:
            _GIVEN.labels("hls", fault.code).inc()
            raise
        _GIVEN.labels("hls", "given").inc()
        return key

    def licence(self, listing: Listing, live: LiveSession, body: bytes) -> bytes:
        """The keys of those names, as a JSON Web Key set; with them those of the other renditions that are open to the
        session, so that a player asks once for each period.

        Raises:
            LicenceInvalid: 422.
            GateRefused, KeyUnknown: of none of them is there one for the session.
            TooManyKeys: 429.
        """
        try:
            kids = _kids_of(body)
            self._count(live, len(kids))
            found = _granted(listing, live, kids)
        except StreamgateError as fault:
            _GIVEN.labels("cenc", fault.code).inc()
            raise
        _GIVEN.labels("cenc", "given").inc(len(found))
        return orjson.dumps({"keys": found, "type": "temporary"})

    def _count(self, live: LiveSession, count: int) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - live.keys_from_s >= WINDOW_S:
            live.keys_from_s, live.keys_asked = now_s, 0
        if live.keys_asked + count > MOST:
            wait_s = live.keys_from_s + WINDOW_S - now_s
            raise TooManyKeys(f"a session is given {MOST} keys a minute", retry_after_s=max(1.0, wait_s))
        live.keys_asked += count


def _granted(listing: Listing, live: LiveSession, kids: list[bytes]) -> list[dict[str, str]]:
    """Of each key period that is asked for, the keys of all renditions that are open."""
    keys = _keys_of(listing, live)
    periods, refusals = set[int](), list[StreamgateError]()
    for kid in kids:
        place = listing.kids.get(kid)
        try:
            if place is None:
                raise KeyUnknown("no key of this name in this stream")
            _open_to(listing, live, keys, *place)
        except (GateRefused, KeyUnknown) as fault:
            refusals.append(fault)
        else:
            periods.add(place[1])
    if not periods:
        raise refusals[0]
    texts = listing.within(live.extent, is_sealed=True)
    tracks = () if texts is None else texts.presentation.tracks
    places = [(track.id, period) for period in sorted(periods) for track in tracks]
    return [{"kty": "oct", "kid": _text(keys.kid(*place)), "k": _text(keys.key("cenc", *place))} for place in places]


def _keys_of(listing: Listing, live: LiveSession) -> ContentKeys:
    if listing.keys is None or not live.is_sealed:
        raise KeyUnknown("this stream is not encrypted")
    return listing.keys


def _open_to(listing: Listing, live: LiveSession, keys: ContentKeys, track_id: str, period: int) -> None:
    """Raises GateRefused, KeyUnknown."""
    if listing.whole.presentation.track(track_id) is None or period >= len(keys.starts):
        raise KeyUnknown(f"no key {period} of a rendition {track_id} in this stream")
    if live.extent.preview_s:
        raise shut(live.content_id, live.extent, live.decision)
    texts = listing.within(live.extent, is_sealed=True)
    if texts is None:
        raise nothing_left(live.extent, live.decision, listing.whole.presentation)
    if texts.presentation.track(track_id) is None:
        raise shut(live.content_id, live.extent, live.decision)


def _kids_of(body: bytes) -> list[bytes]:
    """Raises LicenceInvalid."""
    try:
        asked: Any = orjson.loads(body)
        names = asked["kids"]
        if not isinstance(names, list) or not 1 <= len(names) <= _MAX_KIDS:
            raise LicenceInvalid(f"kids is a list of 1 to {_MAX_KIDS} key ids")
        kids = [base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)) for name in names]
    except (ValueError, KeyError, TypeError, binascii.Error) as fault:
        raise LicenceInvalid('it is {"kids": ["<key id, base64url>"], "type": "temporary"}') from fault
    if any(len(kid) != KEY_BYTES for kid in kids):
        raise LicenceInvalid(f"a key id has {KEY_BYTES} bytes, as base64url without padding")
    return kids


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
