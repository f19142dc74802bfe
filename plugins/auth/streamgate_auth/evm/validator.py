"""One `eth_call` that asks a contract wallet about a signature: of ours, without a receiver, writing nothing.

The call creates `contracts/Validator.sol`, whose constructor calls the wallet's factory where there is no wallet yet
(ERC-6492), asks the wallet (ERC-1271), and returns one word.

Source: https://eips.ethereum.org/EIPS/eip-1271, https://eips.ethereum.org/EIPS/eip-6492.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from importlib import resources

import attrs
import orjson

from streamgate.sdk.evm import ZERO_ADDRESS
from streamgate_auth.evm.reads import WORD_BYTES, Returned, Reverted, Unread
from streamgate_auth.rpc.wire import Answer, Question, RpcError

# What a wallet of our days needs, several times over: making a Safe takes 0.3 M, checking a passkey in Solidity 0.4 M.
MAKE_GAS = 4_000_000
ASK_GAS = 2_000_000
CALL_GAS = MAKE_GAS + ASK_GAS + 1_500_000  # both, their 1/64, and our own bytes
# Nobody's account: what holds rights as `tx.origin` zero (or nobody's) must not be asked in its name.
SENDER = "0x53747265616d476174652d76616c696461746f72"  # "StreamGate-validator"
MAX_SIGNATURE_BYTES = 8192


class Verdict(enum.IntEnum):
    """Validator.sol's words."""

    REFUSED = 0
    ACCEPTED = 1
    NO_CODE = 2
    NOT_MADE = 3
    TOO_LITTLE_GAS = 4


@attrs.frozen(kw_only=True)
class SignatureCall:
    """What is asked; `digest` has 32 bytes. `factory`, `factory_call`: who makes the wallet where it is not there."""

    wallet: str
    digest: bytes
    signature: bytes
    factory: str = ZERO_ADDRESS
    factory_call: bytes = b""

    def question(self, block: str) -> Question:
        call = {"from": SENDER, "data": "0x" + (_bytecode() + self._arguments()).hex(), "gas": hex(CALL_GAS)}
        return Question("eth_call", (call, block))

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        """`Returned` a word that `verdict_of` reads. Never `Reverted`: Validator.sol does not, so a node that says so
        speaks of itself."""
        if isinstance(answer, RpcError):
            return Unread(f"error {answer.code}")
        word = _word_of(answer)
        if word is None or word not in tuple(Verdict) or word == Verdict.TOO_LITTLE_GAS:
            return Unread("the node gave the question too little gas" if word else "the result is not a verdict")
        return Returned(word.to_bytes(WORD_BYTES, "big"))

    def _arguments(self) -> bytes:
        """ABI-encoded for Validator.sol's constructor."""
        head_bytes = 7 * WORD_BYTES
        signature, factory_call = _dynamic(self.signature), _dynamic(self.factory_call)
        return b"".join(
            (
                _address(self.wallet),
                self.digest,
                _number(head_bytes),
                _address(self.factory),
                _number(head_bytes + len(signature)),
                _number(MAKE_GAS),
                _number(ASK_GAS),
                signature,
                factory_call,
            )
        )


def verdict_of(answer: Returned) -> Verdict:
    return Verdict(int.from_bytes(answer.data, "big"))


@lru_cache(maxsize=1)
def _bytecode() -> bytes:
    artifact = orjson.loads(resources.files(__package__).joinpath("contracts/Validator.json").read_bytes())
    return bytes.fromhex(artifact["bytecode"][2:])


def _word_of(answer: Answer) -> int | None:
    if not isinstance(answer, str) or len(answer) != 2 + 2 * WORD_BYTES or not answer.startswith("0x"):
        return None
    try:
        return int(answer, 16)
    except ValueError:
        return None


def _number(value: int) -> bytes:
    return value.to_bytes(WORD_BYTES, "big")


def _address(text: str) -> bytes:
    return _number(int(text, 16))


def _dynamic(value: bytes) -> bytes:
    """`bytes`: the length, then the bytes filled up to whole words."""
    return _number(len(value)) + value + bytes(-len(value) % WORD_BYTES)
