"""How fast a content is encoded, from what transcoders tell of their jobs."""

from __future__ import annotations

import attrs
import pytest

from streamgate.contracts.transcode import Step
from streamgate.testing.clock import FakeClock
from streamgate_transcoder.board import SILENT_S, Board


def step(job_id: str, frames: int, content_id: str = "c_1") -> Step:
    return Step(job_id=job_id, content_id=content_id, owner="u_alice", frames={"v720": frames, "v360": frames})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board(clock: FakeClock) -> Board:
    return Board(clock)


def test_chunks_here_and_elsewhere_add_up(board: Board, clock: FakeClock) -> None:
    for second in range(5):
        board.hear(step("j_1", 1000 + 30 * second))  # it was at work long before this process was
        board.hear(step("j_2", 20 * second))
        clock.jump(1.0)
    assert board.rates("c_1") == {"v720": pytest.approx(50.0), "v360": pytest.approx(50.0)}
    assert board.rates("c_2") == {}


def test_another_attempt_takes_no_frames_back(board: Board, clock: FakeClock) -> None:
    for frames in (0, 30, 60, 0, 30):
        board.hear(step("j_1", frames))
        clock.jump(1.0)
    assert board.rates("c_1")["v720"] == pytest.approx(90 / 4)


def test_what_nothing_is_heard_of_is_not_at_work(board: Board, clock: FakeClock) -> None:
    board.hear(step("j_1", 0))
    clock.jump(1.0)
    board.hear(step("j_1", 30))
    assert (board.speaker("c_1"), board.rates("c_1")["v720"]) == ("j_1", 30)
    clock.jump(SILENT_S + 1)
    assert (board.speaker("c_1"), board.rates("c_1")) == ("", {})


def test_what_is_made_and_not_handed_in_is_ahead(board: Board) -> None:
    board.hear(attrs.evolve(step("j_1", 90), kept={"v720": 60, "v360": 90}))
    board.hear(step("j_2", 10))
    assert board.ahead("c_1") == {"v720": 40, "v360": 10}
    board.hear(attrs.evolve(step("j_1", 100), kept={"v720": 100, "v360": 100}))  # its end
    assert board.ahead("c_1") == {"v720": 10, "v360": 10}
    assert board.ahead("c_2") == {}


def test_one_of_the_jobs_speaks_for_all(board: Board) -> None:
    for job_id in ("j_2", "j_1", "j_3"):
        board.hear(step(job_id, 0))
    assert board.speaker("c_1") == "j_1"
    assert board.speaker("c_2") == ""


def test_the_newest_contents_are_kept(board: Board) -> None:
    for number in range(300):
        board.hear(step("j_1", 0, f"c_{number}"))
    assert board.speaker("c_0") == ""
    assert board.speaker("c_299") == "j_1"
