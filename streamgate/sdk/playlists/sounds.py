"""What can be heard, in groups as players choose among it: stereo, and beside it 5.1 where some of it has that."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.sdk.playlists.presentation import Presentation, Track

STEREO, SURROUND = "audio", "surround"
_MOST_OF_STEREO = 2


@attrs.frozen(kw_only=True)
class Heard:
    """One sound of the source in one of its forms. `is_main`: what is heard first."""

    track: Track
    name: str  # unlike those of the others
    is_main: bool
    is_first_of_language: bool


@attrs.frozen(kw_only=True)
class SoundGroup:
    """One form of each sound. RFC 8216 section 4.3.4.1.1: all groups have the same members, by the same names."""

    id: str
    members: tuple[Heard, ...]

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(heard.track for heard in self.members)


def groups_of(presentation: Presentation) -> tuple[SoundGroup, ...]:
    """Those of an HLS playlist. None where a variant has nothing beside it: no sound, or one sound alone."""
    sounds = sounds_of(presentation.audio)
    if not sounds or (not presentation.video and len(presentation.audio) == 1):
        return ()
    fewest = [min(forms, key=lambda track: track.channels) for forms in sounds]
    most = [max(forms, key=lambda track: track.channels) for forms in sounds]
    wanted = [(STEREO, fewest)]
    if any(rich.channels > max(_MOST_OF_STEREO, plain.channels) for rich, plain in zip(most, fewest, strict=True)):
        wanted.append((SURROUND, most))
    return tuple(SoundGroup(id=group_id, members=_members(tracks)) for group_id, tracks in wanted)


def sounds_of(tracks: Sequence[Track]) -> list[list[Track]]:
    """Tracks by the sound they are forms of, in order."""
    found: dict[int | str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.source_track if track.source_track >= 0 else track.id, []).append(track)
    return list(found.values())


def _members(tracks: Sequence[Track]) -> tuple[Heard, ...]:
    names, languages, members = set[str](), set[str](), list[Heard]()
    for number, track in enumerate(tracks, 1):
        name = track.title or track.language or ("Audio" if len(tracks) == 1 else f"Audio {number}")
        name = name if name not in names else f"{name} ({number})"
        heard = Heard(
            track=track,
            name=name,
            is_main=number == 1,
            is_first_of_language=track.language not in languages,
        )
        names.add(name)
        languages.add(track.language)
        members.append(heard)
    return tuple(members)
