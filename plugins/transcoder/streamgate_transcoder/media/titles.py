"""What a track of a source is called, and in which language it is: words of a stranger, made safe to show."""

from __future__ import annotations

from av.stream import Stream

from streamgate.contracts.languages import bcp47

LONGEST_TITLE = 60
_NO_NAMES = ("handler", "mainconcept", "core media", "gpac", "iso media", "bento4", "l-smash")
"""What muxers write where nobody gave a name (`SoundHandler`, `Core Media Audio`)."""


def language_of(stream: Stream) -> str:
    """BCP 47; empty where the source does not say."""
    return bcp47(stream.metadata.get("language", ""))


def title_of(stream: Stream) -> str:
    """One line without quotes and control characters; empty where there is none."""
    for key in ("title", "name", "handler_name"):
        said = stream.metadata.get(key, "")
        if said and not (key == "handler_name" and any(part in said.lower() for part in _NO_NAMES)):
            return clean_title(said)
    return ""


def clean_title(said: str) -> str:
    words = "".join(letter if letter.isprintable() and letter != '"' else " " for letter in said).split()
    return " ".join(words)[:LONGEST_TITLE].strip()
