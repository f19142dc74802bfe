"""Amounts as people count them: `1.5 USDC` for 1500000 base units.

For show alone: rules count base units, since a contract may say of its decimals what it likes, and another thing
tomorrow. Its symbol is somebody's text: a few characters that print, or none.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import OrderedDict
from decimal import Context, Decimal

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.measure import Result, word
from streamgate_auth.evm.reads import WORD_BYTES, EthCall, Returned

DECIMALS, SYMBOL = "0x313ce567", "0x95d89b41"  # decimals(), symbol(): of ERC-20's optional part
MAX_DECIMALS = 77  # 10^77 is the last power of ten below 2^256
MAX_SYMBOL_CHARS = 16
MAX_SYMBOL_BYTES = 160  # of an answer: two words and three of text; what is longer is no symbol
KEPT_S = 3_600.0
UNKNOWN_KEPT_S = 600.0
MAX_KEPT = 1_000
_EXACT = Context(prec=160)


@attrs.frozen(kw_only=True)
class Unit:
    decimals: int
    symbol: str = ""

    def text(self, amount: int) -> str:
        """Exactly so much, without zeros that say nothing."""
        scaled = Decimal(amount).scaleb(-self.decimals, context=_EXACT)
        number = f"{scaled:f}"
        if "." in number:
            number = number.rstrip("0").rstrip(".")
        return f"{number} {self.symbol}" if self.symbol else number


@attrs.define(eq=False)
class Units:
    """Of ERC-20 tokens, kept for a while. Bounded: the oldest is forgotten first."""

    clock: Clock
    _kept: OrderedDict[tuple[str, str], tuple[float, Unit | None]] = attrs.field(factory=OrderedDict)

    async def of(self, chain: Chain, contract: str) -> Unit | None:
        """None: the contract does not say, or nothing that makes sense. Goes with what else is asked at the moment."""
        key = (str(chain.id), contract.lower())
        kept = self._kept.get(key)
        if kept is not None and self.clock.monotonic_s() < kept[0]:
            return kept[1]
        calls = (EthCall(contract, DECIMALS, WORD_BYTES), EthCall(contract, SYMBOL, MAX_SYMBOL_BYTES))
        decimals, symbol = await asyncio.gather(*map(chain.call, calls))
        count = word(decimals.latest) if isinstance(decimals, Read) else None
        unit = None
        if count is not None and count <= MAX_DECIMALS:
            text = symbol_of(symbol.latest) if isinstance(symbol, Read) else ""
            unit = Unit(decimals=count, symbol=text)
        self._kept.pop(key, None)
        self._kept[key] = (self.clock.monotonic_s() + (KEPT_S if unit is not None else UNKNOWN_KEPT_S), unit)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return unit

    def known(self, chain: str, contract: str) -> Unit | None:
        """Without asking anybody."""
        kept = self._kept.get((chain, contract.lower()))
        return kept[1] if kept is not None else None


def symbol_of(result: Result) -> str:
    """A `string`, or `bytes32` as older tokens have it; "" where nothing of it prints."""
    if not isinstance(result, Returned):
        return ""
    data = result.data
    if len(data) == WORD_BYTES:
        raw = data.rstrip(b"\0")
    else:
        offset, length = (int.from_bytes(data[start : start + WORD_BYTES], "big") for start in (0, WORD_BYTES))
        if offset != WORD_BYTES or length > len(data) - 2 * WORD_BYTES:
            return ""
        raw = data[2 * WORD_BYTES : 2 * WORD_BYTES + length]
    return "".join(filter(_prints, raw.decode(errors="ignore")))[:MAX_SYMBOL_CHARS].strip()


def _prints(char: str) -> bool:
    """Neither what cannot be seen nor what stands on the character before it."""
    return char.isprintable() and not unicodedata.category(char).startswith("M")
