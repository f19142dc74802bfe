"""Who watches a content now, as the gateway tells its people."""

from __future__ import annotations

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.streaming import STREAMING, StatsQuery
from tests.plugins.streaming.theatre import Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
OTHER = Actor(kind="user", user_id="other", roles=("viewer",))


async def test_sessions_in_use_are_counted_and_the_people_that_have_them(theatre: Theatre) -> None:
    await theatre.play("c_film")
    theatre.auth.public.add("c_film")
    streaming = theatre.home.services.get(STREAMING)

    async def counted(content_id: str = "c_film") -> tuple[int, int]:
        stats = await streaming.stats(StatsQuery(content_id=content_id))
        return stats.sessions_active, stats.viewers_active

    assert await counted() == (0, 0)
    ended = await theatre.watch("c_film", HOLDER, "tv")
    await theatre.watch("c_film", HOLDER, "phone")
    await theatre.watch("c_film", OTHER, "tv")
    await theatre.watch("c_film", ANONYMOUS, "a-random-name-of-this-player")
    assert await counted() == (4, 2)
    async with theatre.client(HOLDER) as http:
        assert (await http.delete(f"/api/v1/stream/session/{ended['session_id']}")).status_code in (200, 204)
    assert await counted() == (3, 2)
    assert await counted("c_unknown") == (0, 0)
