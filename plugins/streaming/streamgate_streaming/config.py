"""Section `streaming` of the configuration."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.settings import Matches, config_field

MIN_LEASE_S = 2.0


def _at_least(least: float) -> Any:  # attrs' validators are untyped
    return attrs.validators.ge(least)


@attrs.frozen(kw_only=True)
class StreamingConfig:
    """Times are in seconds. `idle_after_s` must be more than twice the half minute between notes of activity."""

    profile: str = config_field(
        "web",
        help="What is made of an upload: a transcoding profile, of `GET /api/v1/transcode/profiles`.",
        validator=Matches(r"[a-z][a-z0-9_-]{0,31}", "1 to 32 of a-z, 0-9, - and _, a letter first"),
    )
    rung_policy: Literal["profile", "eager", "lazy"] = config_field(
        "profile",
        help="Which rungs of a video are made in advance: all (eager), or the lowest alone and the others when "
        "somebody asks (lazy); as each profile says by default.",
    )
    lease_s: float = config_field(
        60.0,
        help="How long bytes may be served on one reading of the chain; from half of it on it is read again.",
        validator=_at_least(MIN_LEASE_S),
    )
    max_sessions: int = config_field(
        5,
        help="Playback sessions one signed-in person may have; beyond, the longest idle one ends.",
        validator=_at_least(1),
    )
    max_sessions_per_token: int = config_field(
        1,
        help="People who may watch at once by one token; one person's own sessions count once.",
        validator=_at_least(1),
    )
    max_anonymous_sessions: int = config_field(
        5_000,
        help="Playback sessions one public content may have without sign-in; beyond, the longest idle one ends.",
        validator=_at_least(1),
    )
    idle_after_s: float = config_field(
        120.0, help="A session without traffic for so long is idle and may be replaced.", validator=_at_least(61.0)
    )
    end_idle_after_s: float = config_field(
        14_400.0, help="A session without traffic for so long ends.", validator=_at_least(61.0)
    )
    max_session_s: float = config_field(
        43_200.0, help="No session lives longer; players open another.", validator=_at_least(MIN_LEASE_S)
    )
    hot_cache_bytes: int = config_field(
        67_108_864,
        help="Memory for segments that several viewers ask for; 0 reads every one from the blob store.",
        validator=_at_least(0),
    )
    key_period_s: float = config_field(
        600.0,
        help="Encrypted contents: a new key after so long. A media version keeps what it was first encrypted by.",
        validator=_at_least(1.0),
    )
    cdn_url: str = config_field(
        "",
        help="Encrypted contents: where players fetch segments, https://cdn.example.com; empty: from this server. It "
        "passes on what it is asked for to this server, and may keep it.",
        validator=attrs.validators.matches_re(r"(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?)?"),
    )
    decide_wait_s: float = config_field(
        8.0, help="How long a request waits for a decision before it is answered 503.", validator=_at_least(0.1)
    )
    offload: Literal["none", "accel", "redirect"] = config_field(
        "none",
        help="Who sends media bytes: this process, the nginx in front (accel, blobs in files), or S3 (redirect).",
    )
    accel_prefix: str = config_field(
        "/_streamgate/blobs/",
        help="With offload accel: the path of nginx' internal location over the folder of blobs.",
        validator=attrs.validators.matches_re(r"/([A-Za-z0-9_.-]+/)+"),
    )
