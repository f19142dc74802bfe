"""How long an answer about ownership is good, by the clock and by what the watcher said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from streamgate.contracts.watched import MovedTokens, Watched
from streamgate.testing.clock import START_S, FakeClock, settle
from streamgate_auth.chain_settings import ChainSettings
from streamgate_auth.evm.ask import At, Read
from streamgate_auth.evm.reads import ChainRead, EthCall, NativeBalance, Returned, Reverted
from streamgate_auth.evm.validator import SignatureCall
from streamgate_auth.evm.watch import coverage
from streamgate_auth.evm.watch.ownership import Ownership, OwnershipOf

CHAIN = "eip155:1"
CONTRACT, ALICE, BOB = "0x" + "Cc" * 20, "0x" + "Aa" * 20, "0x" + "Bb" * 20
CACHE_S = 3.0


def word(value: int | str) -> Returned:
    return Returned((value if isinstance(value, int) else int(value, 16)).to_bytes(32, "big"))


def balance(wallet: str = ALICE, contract: str = CONTRACT) -> EthCall:
    return EthCall(contract, "0x70a08231" + wallet[2:].rjust(64, "0"))


BALANCE, OWNER = balance(), EthCall(CONTRACT, f"0x6352211e{7:064x}")
ITEMS = EthCall(CONTRACT, "0x00fdd58e" + ALICE[2:].rjust(64, "0") + f"{7:064x}")


@attrs.define
class Kept:
    """What one process keeps of a chain, with a clock and a watcher of the test's own."""

    clock: FakeClock
    ownership: Ownership
    chain: OwnershipOf
    contracts: dict[str, int]
    version: int = 1
    block: int = 100
    rewinds: int = 0

    def keep(self, read: ChainRead = BALANCE, value: Any = 1, *, block: int = 100, at: At = "latest") -> Read:
        latest = value if isinstance(value, Returned | Reverted) else word(value)
        answer = Read(
            latest=latest,
            confirmed=latest,
            block_number=block,
            confirmed_number=block,
            read_at_s=self.clock.now_s(),
        )
        self.chain.keep(read, at, answer)
        return answer

    def find(
        self, read: ChainRead = BALANCE, *, min_block: int = 0, at: At = "latest", max_age_s: float | None = None
    ) -> Read | None:
        return self.chain.find(read, at, min_block, max_age_s)

    async def hear(self, *moved: MovedTokens, blocks: int = 1, **more: Any) -> None:
        """The watcher is so many blocks further."""
        first, self.block = self.block + 1, self.block + blocks
        told = Watched(
            chain=CHAIN,
            first_block=first,
            block_number=self.block,
            at_ms=self.clock.now_ms(),
            is_at_head=True,
            rewinds=self.rewinds,
            contracts_version=self.version,
            moved=moved,
        )
        self.ownership.hear(attrs.evolve(told, **more))
        await settle()

    async def wait(self, duration_s: float) -> None:
        """With a watcher that sees no new block."""
        while duration_s > 0:
            await self.clock.advance(min(1.0, duration_s))
            await self.hear(blocks=0)
            duration_s -= 1.0


@pytest.fixture
async def kept() -> Kept:
    clock, contracts = FakeClock(), {CONTRACT.lower(): 90}
    made: list[Kept] = []

    async def load(chain: str) -> tuple[int, Mapping[str, int]] | None:
        return (made[0].version, dict(contracts)) if chain == CHAIN else None

    ownership = Ownership(load, clock, cache_s=CACHE_S)
    made.append(Kept(clock, ownership, ownership.of(CHAIN, ChainSettings(max_lag_blocks=5)), contracts))
    return made[0]


async def test_without_a_watcher_a_few_seconds_with_the_time_of_its_read(kept: Kept) -> None:
    answer = kept.keep()
    await kept.clock.advance(CACHE_S)
    assert kept.find() == answer
    await kept.clock.advance(0.1)
    assert kept.find() is None


@pytest.mark.parametrize("nothing", [0, Returned(b""), Reverted()])
async def test_nothing_at_all_is_not_kept_even_with_a_watcher(kept: Kept, nothing: Any) -> None:
    """Whoever has just bought is let in at once; and what was held before is forgotten."""
    await kept.hear()
    kept.keep()
    assert kept.find() is not None
    kept.keep(value=nothing)
    assert kept.find() is None


async def test_whoever_wants_a_younger_read_gets_none_that_is_older(kept: Kept) -> None:
    """With a lease of 3 s an answer of 3 s ago would open nothing, however good it is."""
    answer = kept.keep()
    await kept.clock.advance(1.5)
    assert kept.find(max_age_s=1.5) == answer
    assert kept.find(max_age_s=1.4) is None
    await kept.hear()
    answer = kept.keep(block=kept.block)
    await kept.wait(20)
    found = kept.find(max_age_s=30)
    assert found is not None
    assert found.read_at_s == answer.read_at_s  # whoever watches says what logs say, and a node may keep logs to itself
    assert kept.find(max_age_s=19) is None
    assert kept.find() is not None


async def test_with_a_watcher_at_the_head_a_minute_with_the_time_of_the_head(kept: Kept) -> None:
    await kept.hear()
    kept.keep(block=kept.block)
    await kept.wait(50)
    await kept.hear(blocks=3)
    found = kept.find(min_block=kept.block)
    assert found is not None
    assert (found.read_at_s, found.block_number) == (START_S + 50, kept.block)
    await kept.wait(11)
    assert kept.find() is None


@pytest.mark.parametrize("read", [BALANCE, ITEMS, OWNER])
async def test_what_moved_is_read_again(kept: Kept, read: EthCall) -> None:
    value = ALICE if read is OWNER else 2
    await kept.hear()
    kept.keep(read, value, block=kept.block)
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=(BOB.lower(),)))
    assert kept.find(read) is not None  # another wallet
    await kept.hear(MovedTokens(contract="0x" + "1" * 40, wallets=(ALICE.lower(),)))
    assert kept.find(read) is not None  # another contract
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=(ALICE.lower(),)))
    assert kept.find(read) is None
    kept.keep(read, value, block=kept.block)
    assert kept.find(read) is not None


async def test_what_moved_of_anybody_is_read_again(kept: Kept) -> None:
    await kept.hear()
    kept.keep(block=kept.block)
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=None))
    assert kept.find() is None


async def test_an_answer_that_was_under_way_while_it_moved_is_not_kept(kept: Kept) -> None:
    await kept.hear()
    before = kept.block
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=(ALICE.lower(),)))
    kept.keep(block=before)
    assert kept.find() is None


async def test_an_older_answer_than_was_asked_for_is_none(kept: Kept) -> None:
    kept.keep(block=100)
    assert kept.find(min_block=100) is not None
    assert kept.find(min_block=101) is None
    await kept.hear(blocks=5)
    kept.keep(block=105)
    await kept.hear(blocks=2)
    assert kept.find(min_block=107) is not None
    assert kept.find(min_block=108) is None


@pytest.mark.parametrize(
    "why", ["silent", "behind", "catching up", "old head", "gap", "not watched", "other version", "far ahead"]
)
async def test_where_the_watcher_cannot_say_it_is_a_few_seconds_again(kept: Kept, why: str) -> None:
    await kept.hear()
    match why:
        case "far ahead":
            kept.keep(block=kept.block + 100)
            kept.keep(balance(BOB), block=kept.block)
        case "not watched":
            kept.keep(balance(contract="0x" + "1" * 40), block=kept.block)
        case _:
            kept.keep(block=kept.block)
    read = balance(contract="0x" + "1" * 40) if why == "not watched" else BALANCE
    await kept.wait(CACHE_S + 1)
    match why:
        case "silent":
            assert kept.find(read) is not None
            await kept.clock.advance(coverage.FRESH_S + 0.1)
        case "behind":
            assert kept.find(read) is not None
            kept.keep(balance(BOB), block=kept.block + 6)
        case "catching up":
            await kept.hear(is_at_head=False)
        case "old head":
            await kept.hear(at_ms=kept.clock.now_ms() - 6000)
        case "gap":
            await kept.hear()
            kept.block += 1
            await kept.hear()
        case "other version":
            kept.contracts.clear()
            kept.version = 2
            await kept.hear()
    assert kept.find(read) is None


async def test_a_contract_is_vouched_for_from_where_it_is_watched(kept: Kept) -> None:
    kept.contracts[CONTRACT.lower()] = 103
    await kept.hear()
    kept.keep(block=101)
    kept.keep(ITEMS, block=102)
    await kept.hear(blocks=3)
    await kept.wait(CACHE_S + 1)
    assert kept.find() is None
    assert kept.find(ITEMS) is not None


async def test_nothing_outlives_a_reorganisation(kept: Kept) -> None:
    await kept.hear()
    kept.keep(block=kept.block)
    kept.keep(NativeBalance(ALICE), 5)
    late = kept.keep(ITEMS)
    await kept.clock.advance(0.1)
    kept.rewinds, kept.block = 1, kept.block - 2
    await kept.hear()
    assert kept.find() is None
    assert kept.find(NativeBalance(ALICE)) is None
    kept.chain.keep(ITEMS, "latest", late)  # it was under way
    assert kept.find(ITEMS) is None
    await kept.clock.advance(0.1)
    kept.keep(block=kept.block)
    assert kept.find() is not None


@pytest.mark.parametrize(("read", "at"), [(NativeBalance(ALICE), "latest"), (BALANCE, "finalized"), (BALANCE, 99)])
async def test_what_has_no_logs_is_kept_briefly(kept: Kept, read: ChainRead, at: At) -> None:
    await kept.hear()
    kept.keep(read, at=at, block=kept.block)
    await kept.wait(CACHE_S)
    assert kept.find(read, at=at) is not None
    assert kept.find(read) is None or at == "latest"
    await kept.wait(1)
    assert kept.find(read, at=at) is None


async def test_what_is_not_confirmed_yet_is_kept_briefly(kept: Kept) -> None:
    await kept.hear()
    answer = Read(
        latest=word(1), confirmed=word(0), block_number=101, confirmed_number=98, read_at_s=kept.clock.now_s()
    )
    kept.chain.keep(BALANCE, "latest", answer)
    await kept.wait(CACHE_S + 1)
    assert kept.find() is None


async def test_other_questions_are_not_kept(kept: Kept) -> None:
    signature = SignatureCall(wallet=ALICE, digest=bytes(32), signature=b"")
    for read in (signature, EthCall(CONTRACT, "0x01ffc9a7", max_bytes=5000)):
        kept.keep(read)
        assert kept.find(read) is None


async def test_with_no_time_to_live_nothing_is_kept() -> None:
    async def load(chain: str) -> None:
        return None

    chain = Ownership(load, FakeClock(), cache_s=0).of(CHAIN, ChainSettings())
    answer = Read(latest=word(1), confirmed=word(1), block_number=1, confirmed_number=1, read_at_s=START_S)
    chain.keep(BALANCE, "latest", answer)
    assert chain.find(BALANCE, "latest", 0) is None


async def test_what_moved_longest_ago_is_forgotten_on_the_safe_side(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "MAX_MOVED", 2)
    await kept.hear()
    kept.keep(block=kept.block)
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=(ALICE.lower(),)))
    strangers = tuple(f"0x{number:040x}" for number in range(3))
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=strangers))
    await kept.wait(CACHE_S + 1)
    assert kept.find() is None


@pytest.mark.parametrize("value", [7, Reverted()])
async def test_the_tokens_of_a_wallet_are_true_until_it_gives_or_gets(kept: Kept, value: Any) -> None:
    """That there is no further one, too."""
    third = EthCall(CONTRACT, "0x2f745c59" + ALICE[2:].rjust(64, "0") + f"{2:064x}")
    await kept.hear()
    kept.keep(third, value, block=kept.block)
    await kept.wait(30)
    assert kept.find(third) is not None
    await kept.hear(MovedTokens(contract=CONTRACT.lower(), wallets=(ALICE.lower(),)))
    assert kept.find(third) is None
