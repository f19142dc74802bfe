"""Commands against a running server: over HTTP, with an administrator's API key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamgate.commands.options import Stopped, config_option, load_configuration, profile_option

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 20.0
DEFAULT_URL = "http://127.0.0.1:9090"


def remote_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what `Server` takes."""
    for option in (
        config_option,
        profile_option,
        click.option(
            "--api-key-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="An administrator's API key; without it, the local administrator's in the data directory.",
        ),
        click.option("--url", default=DEFAULT_URL, show_default=True, help="Where StreamGate is."),
    ):
        command = option(command)
    return command


class Server:
    """Raises Stopped: there is no key to be read."""

    def __init__(self, *, url: str, api_key_file: Path | None, profile: str | None, config_file: Path | None) -> None:
        self._url = url.rstrip("/")
        path = api_key_file or load_configuration(profile, config_file).settings.data_dir / "admin.key"
        try:
            self._api_key = path.read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise Stopped(
                f"{path} cannot be read ({fault.strerror}): name an administrator's key with --api-key-file, or run "
                "this where the server keeps its data"
            ) from fault

    def ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Raises Stopped: no answer, or one that says no."""
        import httpx

        how: dict[str, Any] = {"headers": {"X-API-Key": self._api_key}, "timeout": TIMEOUT_S, "trust_env": False}
        try:
            answer = httpx.request(method, f"{self._url}{path}", json=body, params=query, **how)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as fault:
            raise Stopped(f"{self._url!r} is no URL: write --url as {DEFAULT_URL} or https://video.example") from fault
        except httpx.HTTPError as fault:
            what = f"{self._url} did not answer ({type(fault).__name__})"
            raise Stopped(f"{what}: start StreamGate there, or name with --url where it is") from fault
        if answer.is_error:
            raise Stopped(f"{self._url} answered {answer.status_code}: {_detail(answer)}")
        return answer


def _detail(answer: httpx.Response) -> str:
    """What a problem document says, each thing once, or the beginning of whatever it is."""
    try:
        told = answer.json()
        detail = str(told["detail"])
        faults = [(f"{each['field']} {each['message']}", each["message"]) for each in told.get("errors", ())]
        return "; ".join([detail, *(fault for fault, said in faults if fault not in detail and said != detail)])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
