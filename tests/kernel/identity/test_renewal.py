"""Identities are renewed long before they end, and a system whose roles take theirs up one by one goes on past it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from click.testing import CliRunner

from streamgate.bus.memory import MemoryBus
from streamgate.cli import main
from streamgate.commands import identity
from streamgate.identity.credentials import load_credentials
from streamgate.identity.folder import load_issuer
from streamgate.identity.signed import IdentityRefused, SignedBus

DAY_S = 86_400
BEGAN_S = 1_800_000_000
QUESTION = "svc.auth.v1.decide"


@attrs.define
class Years:
    """An installation whose time is ours: a folder of identities, the command, and the buses of two roles."""

    folder: Path
    now_s: float = BEGAN_S
    inner: MemoryBus = attrs.field(factory=lambda: MemoryBus(is_local=False))

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(main, ["identity", *arguments, "--out", str(self.folder)])
        assert done.exit_code == 0, done.output
        return done.output

    def start(self, role: str) -> SignedBus:
        return SignedBus(self.inner, load_credentials(self.folder / f"{role}.json"), now_s=lambda: self.now_s)

    async def answer_as_auth(self) -> None:
        """Another auth beside the one before, as in a rolling restart; whichever of the two is asked must answer."""
        await self.start("auth").serve(QUESTION, "svc-auth", _answer)

    def logins(self) -> set[str]:
        """Keys that the NATS server's configuration lets in."""
        text = (self.folder / "nats.conf").read_text()
        return set(re.findall(r"nkey: (U\w+),", text))

    def login_of(self, role: str) -> str:
        return load_issuer(self.folder, 0).issued[role].nats_key


async def _answer(question: bytes) -> bytes:
    return b"yes"


@pytest.fixture
def years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Years:
    years = Years(tmp_path / "identity")
    monkeypatch.setattr(identity, "time", SimpleNamespace(time=lambda: years.now_s))
    years.run("issue", "--role", "api", "--role", "auth")
    return years


async def ask(bus: SignedBus) -> bytes:
    return await bus.request(QUESTION, b"?", timeout_s=1)


async def test_without_renewal_they_stop_trusting_each_other_at_their_end(years: Years) -> None:
    await years.inner.start()
    await years.answer_as_auth()
    api = years.start("api")
    years.now_s += 364 * DAY_S
    assert await ask(api) == b"yes"
    years.now_s += 2 * DAY_S
    with pytest.raises(IdentityRefused, match="does not recognise api"):
        await ask(api)
    await years.inner.stop()


async def test_with_a_daily_renewal_they_go_on_for_years(years: Years) -> None:
    """Every day the command; what it wrote is taken up by NATS at once, by auth the next day and by api two days
    later. Every combination on the way understands each other, and each login is one that NATS lets in."""
    await years.inner.start()
    await years.answer_as_auth()
    api, api_login = years.start("api"), years.login_of("api")
    renewed_at: list[int] = []
    for day in range(1, 4 * 365):
        years.now_s += DAY_S
        if day % 5 == 0 and "are written" in years.run("renew"):
            renewed_at.append(day)
        if renewed_at and day == renewed_at[-1] + 1:
            await years.answer_as_auth()
        if renewed_at and day == renewed_at[-1] + 3:
            api, api_login = years.start("api"), years.login_of("api")
        assert await ask(api) == b"yes", f"day {day}"
        assert api_login in years.logins()
    assert renewed_at == [250, 500, 750, 1000, 1250]  # 120 days ahead: four months to notice that it failed
    assert len(years.logins()) <= 4, "ended logins are forgotten"
    await years.inner.stop()


def test_renewing_too_early_does_nothing(years: Years) -> None:
    before = {path: path.read_bytes() for path in years.folder.iterdir()}
    assert "nothing to renew: all identities are good for 365 days" in years.run("renew")
    assert {path: path.read_bytes() for path in years.folder.iterdir()} == before
    assert "credentials of api, auth" in years.run("renew", "--before-days", "366")


def test_a_role_that_was_issued_before_the_others_renews_them_all(years: Years) -> None:
    years.now_s += 200 * DAY_S
    years.run("issue", "--role", "cache")
    years.now_s += 60 * DAY_S
    assert "credentials of api, auth, cache" in years.run("renew")


def test_a_folder_without_identities_is_a_fault(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["identity", "renew", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "streamgate identity issue" in done.output
    assert list(tmp_path.iterdir()) == []
