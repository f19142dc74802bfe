"""What logs say of who gave and who got."""

from __future__ import annotations

import pytest

from streamgate.sdk.evm import keccak256
from streamgate_auth.evm.blocks import Log
from streamgate_auth.evm.watch import transfers
from streamgate_auth.evm.watch.transfers import TRANSFER, TRANSFER_BATCH, TRANSFER_SINGLE, moved

CONTRACT, OTHER = "0x" + "c" * 40, "0x" + "d" * 40
ALICE, BOB, OPERATOR = "0x" + "a" * 40, "0x" + "b" * 40, "0x" + "e" * 40
NOBODY = "0x" + "0" * 40


def word(address: str) -> str:
    return address[2:].rjust(64, "0")


def log(*topics: str, data: str = "", contract: str = CONTRACT) -> Log:
    return Log(
        address=contract,
        topics=topics,
        data=f"0x{data}",
        block_number=1,
        block_hash="0x" + "1" * 64,
        transaction_hash="0x" + "2" * 64,
        index=0,
    )


def indexed(event: str, *addresses: str, data: str = "") -> Log:
    return log(event, *("0x" + word(address) for address in addresses), data=data)


def test_the_events_are_those_of_the_standards() -> None:
    signatures = {
        TRANSFER: "Transfer(address,address,uint256)",
        TRANSFER_SINGLE: "TransferSingle(address,address,address,uint256,uint256)",
        TRANSFER_BATCH: "TransferBatch(address,address,address,uint256[],uint256[])",
    }
    assert tuple(signatures) == transfers.TOPICS
    for topic, signature in signatures.items():
        assert topic == "0x" + keccak256(signature.encode()).hex()


@pytest.mark.parametrize(
    "seen",
    [
        indexed(TRANSFER, ALICE, BOB, data=f"{7:064x}"),
        indexed(TRANSFER, ALICE, BOB, "0x07"),
        log(TRANSFER, data=word(ALICE) + word(BOB) + f"{7:064x}"),
        log(TRANSFER, "0x" + word(ALICE), data=word(BOB) + f"{7:064x}"),
        indexed(TRANSFER_SINGLE, OPERATOR, ALICE, BOB, data=f"{7:064x}{1:064x}"),
        indexed(TRANSFER_BATCH, OPERATOR, ALICE, BOB, data=f"{64:064x}" * 4),
        log(TRANSFER_SINGLE, data=word(OPERATOR) + word(ALICE) + word(BOB) + f"{7:064x}{1:064x}"),
    ],
    ids=["erc20", "erc721", "none indexed", "one indexed", "single", "batch", "single, none indexed"],
)
def test_giver_and_receiver(seen: Log) -> None:
    assert moved([seen]) == {CONTRACT: (ALICE, BOB)}


def test_nobody_neither_gives_nor_gets() -> None:
    assert moved([indexed(TRANSFER, NOBODY, BOB), indexed(TRANSFER, ALICE, NOBODY)]) == {CONTRACT: (BOB, ALICE)}


def test_each_contract_by_itself_and_each_wallet_once() -> None:
    other = log(TRANSFER, "0x" + word(BOB), "0x" + word(ALICE), contract=OTHER)
    logs = [indexed(TRANSFER, ALICE, BOB), indexed(TRANSFER, BOB, ALICE), other]
    assert moved(logs) == {CONTRACT: (ALICE, BOB), OTHER: (BOB, ALICE)}


@pytest.mark.parametrize("seen", [log(TRANSFER), log(TRANSFER, "0x" + "f" * 64, "0x" + word(BOB))])
def test_a_log_of_no_known_form_is_of_anybody(seen: Log) -> None:
    assert moved([indexed(TRANSFER, ALICE, BOB), seen]) == {CONTRACT: None}


def test_other_logs_say_nothing() -> None:
    assert moved([log(), indexed("0x" + "9" * 64, ALICE, BOB)]) == {CONTRACT: ()}
