"""The one origin that sign-in is bound to: from the configuration, never from a request."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs


@attrs.frozen
class Origin:
    """`https://video.example`: `domain` is what a wallet shows, with the port unless it is the scheme's own."""

    scheme: str
    domain: str

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Raises ValueError where there is no http or https origin in `url`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"{url!r} is not an origin: write https://video.example")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        default_port = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in (None, default_port) else ""
        return cls(parts.scheme, f"{host}{port}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.domain}"

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    def covers(self, uri: str) -> bool:
        """Whether a URI lies below this origin: same scheme, host and port, compared without regard to case."""
        try:
            return Origin.parse(uri) == self
        except ValueError:
            return False
