"""The contract `auth`, as other services call it."""

from __future__ import annotations

from streamgate.contracts.auth import (
    ConfiguredChains,
    DecideMany,
    DecideQuery,
    Decision,
    Decisions,
    GateCheck,
    GateCheckAnswer,
    GateDraft,
    GateQuery,
    KeySet,
    SetGate,
    StoredGate,
)
from streamgate.errors import FieldError, Invalid
from streamgate_auth.gate.decide import Decider
from streamgate_auth.gate.gates import Gates
from streamgate_auth.keys import KeyRing

MAX_QUERIES = 200


class AuthService:
    """See `streamgate.contracts.auth.Auth`. `chains`: those that the operator has configured."""

    def __init__(self, keys: KeyRing, chains: tuple[str, ...], gates: Gates, decider: Decider) -> None:
        self._keys = keys
        self._chains = chains
        self._gates = gates
        self._decider = decider

    async def jwks(self) -> KeySet:
        return await self._keys.key_set()

    async def configured_chains(self) -> ConfiguredChains:
        return ConfiguredChains(chains=self._chains)

    async def decide(self, query: DecideQuery) -> Decision:
        (decision,) = await self._decider.decide([query])
        return decision

    async def decide_many(self, query: DecideMany) -> Decisions:
        if len(query.queries) > MAX_QUERIES:
            fault = FieldError("queries", f"holds more than {MAX_QUERIES}")
            raise Invalid(f"at most {MAX_QUERIES} decisions in one call", errors=(fault,))
        return Decisions(decisions=await self._decider.decide(query.queries))

    async def get_gate(self, query: GateQuery) -> StoredGate:
        return await self._gates.get(query)

    async def validate_gate(self, draft: GateDraft) -> None:
        await self._gates.validate(draft)

    async def set_gate(self, wanted: SetGate) -> StoredGate:
        return await self._gates.set(wanted)

    async def check_gate(self, query: GateCheck) -> GateCheckAnswer:
        return await self._gates.check(query)
