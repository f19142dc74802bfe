"""The gate's parts, wired."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.hooks import RequirementKind
from streamgate.contracts.metadata import Metadata
from streamgate.hooks import Hooks
from streamgate.lifecycle import Unit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.web.routes import Route
from streamgate_auth.config import AuthConfig
from streamgate_auth.gate.checking import Checking
from streamgate_auth.gate.collections import Collections
from streamgate_auth.gate.compiled import Compiled
from streamgate_auth.gate.decide import Decider
from streamgate_auth.gate.gates import Gates
from streamgate_auth.gate.grace import Grace
from streamgate_auth.gate.invitations import InvitationCodes
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.known import Known
from streamgate_auth.gate.leaves.addresses import AddressLists
from streamgate_auth.gate.leaves.invitation import Invitations
from streamgate_auth.gate.leaves.role import RoleReader, RolesOf
from streamgate_auth.gate.leaves.same_as import same_as_kind
from streamgate_auth.gate.leaves.times import Times
from streamgate_auth.gate.limit import Tries
from streamgate_auth.gate.lists import Lists
from streamgate_auth.gate.log import DecisionLog
from streamgate_auth.gate.past import PastDecisions
from streamgate_auth.gate.routes import GateRoutes
from streamgate_auth.gate.routes_past import PastRoutes
from streamgate_auth.gate.routes_shared import SharedRoutes
from streamgate_auth.limits import RequestLimit

TRIES_PER_MINUTE = 30


class GateParts:
    """What auth's plugin offers of the gate. `own_kinds`: those that ask no chain."""

    def __init__(
        self,
        *,
        config: AuthConfig,
        db: Database,
        metadata: Metadata,
        hooks: Hooks,
        roles_of: RolesOf,
        clock: Clock,
    ) -> None:
        kinds = self.kinds = Kinds(hooks)
        compiled = self.compiled = Compiled(kinds)
        checking = Checking(kinds)
        known = self.known = Known(db, compiled, clock)
        self.log = DecisionLog(db, clock, keep_days=config.decisions_keep_days)
        self.decider = Decider(
            known=known,
            metadata=metadata,
            kinds=kinds,
            hooks=hooks,
            grace=Grace(config.grace_s),
            log=self.log,
            clock=clock,
        )
        self.gates = Gates(
            db=db,
            metadata=metadata,
            compiled=compiled,
            checking=checking,
            decider=self.decider,
            known=known,
            clock=clock,
        )
        self.own_kinds: Sequence[RequirementKind] = (
            AddressLists(db).kind(),
            Times(clock).kind(),
            RoleReader(db, roles_of).kind(),
            Invitations(db).kind(),
            same_as_kind(),
        )
        self.units: Sequence[Unit] = (self.log,)
        collections = Collections(db=db, metadata=metadata, checking=checking, known=known, clock=clock)
        codes = InvitationCodes(db=db, metadata=metadata, collections=collections, clock=clock)
        past = PastDecisions(
            db=db, metadata=metadata, compiled=compiled, gates=self.gates, decider=self.decider, log=self.log
        )
        tries = Tries(TRIES_PER_MINUTE, clock)
        limit = RequestLimit(config.requests_per_minute, clock)
        self.routes: Sequence[Route] = (
            *GateRoutes(self.gates, checking, metadata, limit).routes(),
            *SharedRoutes(collections, Lists(db, clock), tries).routes(),
            *PastRoutes(codes, past, metadata, tries).routes(),
        )
