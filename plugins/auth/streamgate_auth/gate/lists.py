"""Lists of addresses by the root of their Merkle tree, and proofs that a wallet is on one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import AddressInvalid
from streamgate.contracts.gate import ListInUse, ListNotFound, ProofInvalid, RootUnknown, TooManyHere
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import parse_address
from streamgate.sdk.ids import new_id
from streamgate_auth.gate import repository_lists as repository
from streamgate_auth.gate.leaves.merkle import MAX_PROOF_HASHES, is_hash, leads_to, root_of
from streamgate_auth.gate.repository_lists import ListRecord
from streamgate_auth.repository_wallets import load_wallets

MAX_ADDRESSES = 100_000
MAX_LISTS = 200
MAX_FAULTS = 20


@attrs.frozen
class _Tree:
    root: str
    size: int
    parts: Mapping[int, bytes]


class Lists:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, actor: Actor, name: str, addresses: Sequence[str]) -> ListRecord:
        """Addresses that are there twice count once. The same list again is the one that is there.

        Raises:
            Invalid: 422, with the places of those that are no EVM addresses. TooManyHere: 409.
        """
        if not 1 <= len(addresses) <= MAX_ADDRESSES:
            raise _invalid([FieldError("addresses", f"must hold 1 to {MAX_ADDRESSES} addresses")])
        tree = await asyncio.to_thread(_plant, addresses)
        record = ListRecord(
            list_id=new_id("l"),
            owner=actor.user_id,
            name=name,
            root=tree.root,
            size=tree.size,
            created_at_ms=self._clock.now_ms(),
        )

        def save(session: Session) -> ListRecord:
            stored = repository.save_list(session, record, tree.parts, at_most=MAX_LISTS)
            if stored is None:
                raise TooManyHere(f"a person has at most {MAX_LISTS} lists; delete one first")
            if stored is record:
                detail = {"root": record.root, "addresses": str(record.size)}
                audit(session, "gate.list_stored", on=f"list:{record.list_id}", actor=actor, detail=detail)
            return stored

        return await self._db.write(save)

    async def listed(self, actor: Actor) -> list[ListRecord]:
        """The actor's own, the newest first."""
        return await self._db.read(lambda session: repository.lists_of(session, actor.user_id))

    async def delete(self, actor: Actor, list_id: str) -> None:
        """Raises ListNotFound: 404, also for somebody else's. ListInUse: 409."""

        def remove(session: Session) -> None:
            record = repository.find_list(session, list_id)
            if record is None or not (actor.is_moderator or record.owner == actor.user_id):
                raise ListNotFound(f"you have no list {list_id[:40]!r}")
            if not repository.remove_list(session, record):
                raise ListInUse(f"gates name the root {record.root}; give them another rule first")
            audit(session, "gate.list_deleted", on=f"list:{list_id}", actor=actor, detail={"root": record.root})

        await self._db.write(remove)

    async def prove(self, actor: Actor, root: str, proof: Sequence[str], address: str | None) -> str:
        """Keeps that one of the actor's wallets is below the root; which.

        Raises:
            ProofInvalid, AddressInvalid: 422; the address is not one of the actor's own, too.
            RootUnknown: 404, no gate names the root.
        """
        if not is_hash(root):
            raise Invalid(
                "the root is not valid",
                errors=(FieldError("merkle_root", "must be a Merkle root: 0x and 64 hexadecimal digits"),),
            )
        if len(proof) > MAX_PROOF_HASHES or not all(map(is_hash, proof)):
            raise ProofInvalid(f"a proof is at most {MAX_PROOF_HASHES} hashes, each 0x and 64 hexadecimal digits")
        root, wanted = root.lower(), None if address is None else parse_address(address)
        linked = await self._db.read(lambda session: load_wallets(session, [actor.user_id]))
        wallets = [wallet for wallet in linked.get(actor.user_id, ()) if wallet.startswith("0x")]
        if wanted is not None and wanted not in wallets:
            raise AddressInvalid("this wallet is not linked to your account")
        found = next((w for w in wallets if wanted in (None, w) and leads_to(root, w, proof)), None)

        def save(session: Session) -> None:
            if not repository.is_named(session, root):
                raise RootUnknown("no gate names this Merkle root")
            if found is None:
                raise ProofInvalid("the proof does not lead from a wallet of yours to this root")
            repository.save_proof(session, root, found, now_ms=self._clock.now_ms())
            audit(session, "gate.proof_taken", on=f"root:{root}", actor=actor, detail={"address": found})

        await self._db.write(save)
        assert found is not None  # else `save` has refused
        return found


def _plant(addresses: Sequence[str]) -> _Tree:
    """Takes a while for many: run in a thread. Raises Invalid."""
    faults: list[FieldError] = []
    found: set[bytes] = set()
    for index, text in enumerate(addresses):
        try:
            found.add(bytes.fromhex(parse_address(text)[2:]))
        except AddressInvalid as fault:
            faults.append(FieldError(f"addresses[{index}]", fault.detail))
            if len(faults) == MAX_FAULTS:
                break
    if faults:
        raise _invalid(faults)
    ordered = sorted(found)
    return _Tree(f"0x{root_of(ordered).hex()}", len(ordered), repository.pack(ordered))


def _invalid(faults: Sequence[FieldError]) -> Invalid:
    return Invalid(f"the list is not valid: {faults[0].field} {faults[0].message}", errors=tuple(faults))
