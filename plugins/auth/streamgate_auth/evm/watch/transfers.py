"""What a log says of who gave and who got.

Sources: EIP-20 and EIP-721 (the same event, with the last field indexed or not), EIP-1155. Some old contracts have
none of the fields indexed; their addresses are at the beginning of the data, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamgate.sdk.evm import ZERO_ADDRESS
from streamgate_auth.evm.blocks import Log

# keccak256 of the events' signatures
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # Transfer(address,address,uint256)
TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
TOPICS = (TRANSFER, TRANSFER_SINGLE, TRANSFER_BATCH)
_FROM = {TRANSFER: 0, TRANSFER_SINGLE: 1, TRANSFER_BATCH: 1}
"""The place of the giver among the event's fields; the receiver's is the next one."""
_WORD_CHARS = 64

Moved = dict[str, tuple[str, ...] | None]
"""By contract: the wallets that gave or got. None: somebody did, and it cannot be said who. All in lower case."""


def moved(logs: Iterable[Log]) -> Moved:
    """Of all these logs together, each wallet once."""
    found: dict[str, dict[str, None] | None] = {}
    for log in logs:
        wallets = _wallets(log)
        known = found.setdefault(log.address, {})
        if wallets is None:
            found[log.address] = None
        elif known is not None:
            known.update(dict.fromkeys(wallets))
    return {contract: None if wallets is None else tuple(wallets) for contract, wallets in found.items()}


def _wallets(log: Log) -> Sequence[str] | None:
    """Giver and receiver, but for nobody's address (tokens that are made or burnt). None: it is of another form."""
    place = _FROM.get(log.topics[0]) if log.topics else None
    if place is None:
        return ()
    data = log.data[2:]
    fields = [topic[2:] for topic in log.topics[1:]]
    fields += [data[at : at + _WORD_CHARS] for at in range(0, 2 * _WORD_CHARS + place * _WORD_CHARS, _WORD_CHARS)]
    pair = [field for field in fields[place : place + 2] if len(field) == _WORD_CHARS]
    if len(pair) != 2 or any(field.strip("0") and int(field, 16) >> 160 for field in pair):
        return None
    return [address for address in ("0x" + field[-40:] for field in pair) if address != ZERO_ADDRESS]
