"""Telling that tokens moved: `token.transferred` names the people whose wallets gave or got them, and nobody else.

Whoever follows a chain of whatever kind calls `tell_moved` in the transaction that moves its own checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.events import TOKEN_TRANSFERRED, TokenTransferred
from streamgate.sdk.db import emit, insert_into
from streamgate_auth.evm.watch.tables import MovedContractRow
from streamgate_auth.tables import WalletRow

MAX_PEOPLE_PER_EVENT = 200
_WALLETS_PER_QUERY = 500


def people_with(session: Session, chain: str, addresses: Iterable[str]) -> list[str]:
    """Whose these wallets are on that chain, each person once; contracts are themselves on their own chain alone.

    Args:
        addresses: as wallets are stored: checksummed, or base58.
    """
    namespace = chain.partition(":")[0]
    found: dict[str, None] = {}
    wanted = list(dict.fromkeys(addresses))
    for start in range(0, len(wanted), _WALLETS_PER_QUERY):
        some = wanted[start : start + _WALLETS_PER_QUERY]
        rows = session.scalars(
            select(WalletRow.user_id).where(
                WalletRow.namespace == namespace, WalletRow.address.in_(some), WalletRow.chain.in_(("", chain))
            )
        )
        found.update(dict.fromkeys(rows))
    return sorted(found)


def tell_moved(session: Session, *, chain: str, contract: str, user_ids: Collection[str], block_number: int) -> None:
    """Says so in this transaction, in as many events as it takes; to nobody where nobody of ours is concerned.

    Args:
        contract: as in `leaf_keys` (EVM: in lower case).
        block_number: (on Solana: slot) that an answer must have seen.
    """
    if not user_ids:
        return
    subject_id = f"{chain}/{contract}"
    revision = _next_revision(session, subject_id)
    people = sorted(user_ids)
    for start in range(0, len(people), MAX_PEOPLE_PER_EVENT):
        told = TokenTransferred(
            subject_id=subject_id,
            revision=revision,
            chain=chain,
            contract=contract,
            user_ids=tuple(people[start : start + MAX_PEOPLE_PER_EVENT]),
            block_number=block_number,
        )
        emit(session, TOKEN_TRANSFERRED, told)


def _next_revision(session: Session, subject_id: str) -> int:
    statement = (
        insert_into(session, MovedContractRow)
        .values(subject_id=subject_id, revision=1)
        .on_conflict_do_update(index_elements=["subject_id"], set_={"revision": MovedContractRow.revision + 1})
        .returning(MovedContractRow.revision)
    )
    return session.scalars(statement).one()
