"""Extends auth: the requirement kind `guestlist`, a veto for banned wallets, and `GET /api/v1/guestlist`; and the
transcoder: the profile `premiere`."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, PlaybackQuestion, RequirementKind
from streamgate.contracts.profiles import Profile, Rung
from streamgate.hooks import ABSTAIN, Verdict, hookimpl, refuse
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.settings import config_field
from streamgate.web.routes import PUBLIC, Call, Route


@attrs.frozen(kw_only=True)
class GuestlistConfig:
    guests: tuple[str, ...] = config_field((), help="Wallet addresses on the list.")
    banned: tuple[str, ...] = config_field((), help="Wallet addresses that never watch anything.")


@attrs.frozen(kw_only=True)
class GuestlistParams:
    """`{"guestlist": {"event": "premiere"}}`"""

    event: str


@attrs.frozen(kw_only=True)
class GuestlistAnswer:
    guests: int
    banned: int


class Guestlist:
    def __init__(self, ctx: PluginContext) -> None:
        config: GuestlistConfig = ctx.config
        self._guests = {address.lower() for address in config.guests}
        self._banned = {address.lower() for address in config.banned}

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                "/api/v1/guestlist",
                self.count,
                policy=PUBLIC,
                answer=GuestlistAnswer,
                summary="How many are on the list",
            )
        ]

    @hookimpl
    def collect_requirement_kinds(self) -> Sequence[RequirementKind]:
        return [
            RequirementKind(
                name="guestlist",
                summary="The wallet is on the guest list",
                params=GuestlistParams,
                describe=lambda params: f"be on the guest list of {params.event}",
                read=self.read,
            )
        ]

    @hookimpl
    def collect_transcode_profiles(self) -> Sequence[Profile]:
        large = Rung(long_px=3840, short_px=2160, maxrate_bps=18_000_000, bufsize_bits=27_000_000)
        return [Profile(name="premiere", summary="One large rendition", rungs=(large,), crf=20, preset="slow")]

    @hookimpl
    async def decide_playback(self, question: PlaybackQuestion) -> Verdict:
        if any(address.lower() in self._banned for address in question.addresses):
            return refuse("this wallet is banned")
        return ABSTAIN

    async def count(self, call: Call[None, None]) -> GuestlistAnswer:
        return GuestlistAnswer(guests=len(self._guests), banned=len(self._banned))

    async def read(self, leaf: Leaf) -> Reading:
        on_list = any(address.lower() in self._guests for address in leaf.addresses)
        return Reading(outcome="holds" if on_list else "does_not_hold", held="1" if on_list else "0")


PLUGIN = PluginInfo(
    name="guestlist",
    summary="Guest list as a gate requirement",
    kind="extension",
    extends=("auth", "transcoder"),
    config=GuestlistConfig,
    prefixes=("/api/v1/guestlist",),
    build=Guestlist,
)
