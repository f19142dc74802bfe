"""An application of the kernel's web layer with callers that are known by a word in the Authorization header."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import attrs
import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.errors import Unauthorized, Unavailable
from streamgate.health import CheckResult, Readiness
from streamgate.settings import ServerSettings
from streamgate.telemetry.requests import Access
from streamgate.web.access import AccessLog
from streamgate.web.app import App, build_app
from streamgate.web.routes import EdgePolicy, Mount, Route

PEOPLE = {
    "viewer": Actor(kind="user", user_id="u_viewer", roles=("viewer",)),
    "creator": Actor(kind="user", user_id="u_creator", roles=("viewer", "creator")),
    "admin": Actor(kind="user", user_id="u_admin", roles=("viewer", "admin")),
    "service": Actor(kind="service", user_id="svc_worker"),
}


class FakeAuthenticator:
    """`Authorization: Bearer viewer` is the viewer; `broken` is no token; `later` finds no key set."""

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        sent = headers.get("authorization", "").removeprefix("Bearer ")
        if not sent:
            return ANONYMOUS
        if sent == "later":
            raise Unavailable("sign-in cannot be checked now", retry_after_s=2)
        if sent not in PEOPLE:
            raise Unauthorized("the token is not valid")
        return PEOPLE[sent]


async def is_ready() -> Readiness:
    return Readiness(ready=True, checks={"store": CheckResult(ok=True, detail="", latency_ms=0.1)}, service="toy")


@attrs.define
class Lines:
    """What the access log wrote."""

    lines: list[Access] = attrs.field(factory=list)

    def write(self, batch: Sequence[Access]) -> None:
        self.lines.extend(batch)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def access_log(lines: Lines) -> AccessLog:
    return AccessLog(lines.write)


MakeApp = Callable[..., App]


@pytest.fixture
def make_app(access_log: AccessLog) -> MakeApp:
    def make(
        routes: Sequence[Route],
        mounts: Sequence[Mount] = (),
        *,
        settings: ServerSettings | None = None,
        readiness: Callable[[], object] = is_ready,
        policy: EdgePolicy | None = None,
    ) -> App:
        return build_app(
            routes=routes,
            mounts=mounts,
            authenticator=FakeAuthenticator(),
            settings=settings or ServerSettings(),
            service="toy",
            mode="all",
            readiness=readiness,  # type: ignore[arg-type]
            began_s=time.monotonic(),
            access_log=access_log,
            policy=policy,
        )

    return make


Talk = Callable[[App], httpx.AsyncClient]


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    """A client that speaks to an application without a socket."""
    clients: list[httpx.AsyncClient] = []

    def to(app: App) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://toy"))
        return clients[-1]

    yield to
    for client in clients:
        await client.aclose()


def bearer(who: str) -> dict[str, str]:
    return {"authorization": f"Bearer {who}"}
