"""The gate's parts, wired."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.hooks import RequirementKind
from streamgate.contracts.metadata import Metadata
from streamgate.hooks import Hooks
from streamgate.lifecycle import Unit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth.config import AuthConfig
from streamgate_auth.gate.checking import Checking
from streamgate_auth.gate.compiled import Compiled
from streamgate_auth.gate.decide import Decider
from streamgate_auth.gate.gates import Gates
from streamgate_auth.gate.grace import Grace
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.leaves.addresses import AddressLists
from streamgate_auth.gate.leaves.invitation import Invitations
from streamgate_auth.gate.leaves.role import role_kind
from streamgate_auth.gate.leaves.same_as import same_as_kind
from streamgate_auth.gate.leaves.times import Times
from streamgate_auth.gate.log import DecisionLog


class GateParts:
    """What auth's plugin offers of the gate. `own_kinds`: those that ask no chain."""

    def __init__(self, *, config: AuthConfig, db: Database, metadata: Metadata, hooks: Hooks, clock: Clock) -> None:
        kinds = self.kinds = Kinds(hooks)
        compiled, checking = Compiled(kinds), Checking(kinds)
        self.log = DecisionLog(db, clock, keep_days=config.decisions_keep_days)
        self.decider = Decider(
            db=db,
            metadata=metadata,
            kinds=kinds,
            compiled=compiled,
            hooks=hooks,
            grace=Grace(config.grace_s),
            log=self.log,
            clock=clock,
        )
        self.gates = Gates(
            db=db, metadata=metadata, compiled=compiled, checking=checking, decider=self.decider, clock=clock
        )
        self.own_kinds: Sequence[RequirementKind] = (
            AddressLists(db).kind(),
            Times(clock).kind(),
            role_kind(),
            Invitations(db).kind(),
            same_as_kind(),
        )
        self.units: Sequence[Unit] = (self.log,)
