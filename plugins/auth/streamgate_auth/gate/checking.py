"""Whether a gate may be stored: its form, what its kinds say of their parameters, what they warn of, what it names."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.gate import GateInvalid, Reading, Rule
from streamgate.errors import FieldError, StreamgateError
from streamgate_auth.gate.compiled import named_collections
from streamgate_auth.gate.evaluate import explain
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.leaves.addresses import ADDRESSES
from streamgate_auth.gate.nodes import SAME_AS, Node, Public, Requirement, negated, requirements
from streamgate_auth.gate.parse import parse_rule
from streamgate_auth.gate.policy import Policy, parse_policy, to_document
from streamgate_auth.gate.repository import MAX_REF_CHARS, TOKEN_REF
from streamgate_auth.gate.repository_collections import collection_ref, hold_collections
from streamgate_auth.gate.repository_lists import is_known_root, root_ref

WARN_TIMEOUT_S = 2.0
OPENS_TO_ALL = "this opens to wallets that hold nothing: whoever it shuts out can come back with a new wallet"


@attrs.frozen(kw_only=True)
class Checked:
    """Args:
    document: as it is to be stored.
    roots: Merkle roots; `(path, root, whether its list must be stored)`: where not to be below it is what opens, a
        proof could be withheld.
    """

    policy: Policy
    document: Rule
    warnings: tuple[str, ...]
    collections: tuple[str, ...]
    roots: tuple[tuple[str, str, bool], ...]

    @property
    def refs(self) -> tuple[str, ...]:
        tokens = (f"{TOKEN_REF}{key}" for key in self.policy.leaf_keys)
        return (
            *map(collection_ref, self.collections),
            *(root_ref(root) for _, root, _ in self.roots),
            *(ref for ref in tokens if len(ref) <= MAX_REF_CHARS),
        )


class Checking:
    """`kinds`: those of this process."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds

    async def check(self, plain: object) -> Checked:
        """Of a content's gate. Raises GateInvalid: 422, with the path of each fault."""
        return await self._checked(parse_policy(plain, self.kinds.by_name()))

    async def check_shared(self, plain: object) -> Checked:
        """Of a collection's gate: a bare rule, which gates may name below `not`. Raises GateInvalid: 422."""
        policy = Policy(gate=parse_rule(plain, self.kinds.by_name(), within="a collection"))
        checked = await self._checked(policy)
        return attrs.evolve(checked, roots=tuple((path, root, True) for path, root, _ in checked.roots))

    def require_named(
        self, session: Session, checked: Checked, *, owners: Collection[str], is_moderator: bool = False
    ) -> None:
        """In the transaction that stores the gate: what it names is there, and stays until the commit.

        Raises:
            GateInvalid: 422.
        """
        found = hold_collections(session, checked.collections) if checked.collections else {}
        faults = [
            FieldError(path, f"you have no collection {name}")
            for path, name in _same_as(checked.policy)
            if name not in found or not (is_moderator or found[name].owner in owners)
        ]
        faults += [
            FieldError(path, "needs the list itself to be stored here: below `not`, a proof can be withheld")
            for path, root, must_be_stored in checked.roots
            if must_be_stored and not is_known_root(session, root, hold=True)
        ]
        _raise(faults)

    async def _checked(self, policy: Policy) -> Checked:
        await self._check_leaves(policy)
        document = to_document(policy)
        return Checked(
            policy=policy,
            document=document,
            warnings=(*_by_shape(policy), *await self._warnings(policy)),
            collections=tuple(named_collections(document)),
            roots=tuple(_roots(policy)),
        )

    async def _check_leaves(self, policy: Policy) -> None:
        """Each kind's own `check`. Raises GateInvalid."""
        faults = []
        for leaf, path in policy.leaves:
            try:
                leaf.require_sound()
            except Exception as fault:
                faults.append(_broken(leaf, path, fault))
                continue
            if leaf.kind.check is not None:
                try:
                    await leaf.kind.check(leaf.params)
                except ValueError as fault:
                    faults.append(FieldError(path, str(fault)))
                except StreamgateError:
                    raise
                except Exception as fault:
                    faults.append(_broken(leaf, path, fault))
        _raise(faults)

    async def _warnings(self, policy: Policy) -> list[str]:
        """What the kinds say that its owner may not have meant, each with its place; none that is late."""
        asking = [asyncio.create_task(_warn(leaf)) for leaf, _ in policy.leaves]
        if not asking:
            return []
        done, late = await asyncio.wait(asking, timeout=WARN_TIMEOUT_S)
        for task in late:
            task.cancel()
        told = zip(asking, policy.leaves, strict=True)
        found = [f"{path}: {warning}" for task, (_, path) in told if task in done for warning in task.result()]
        return list(dict.fromkeys(found))


def _broken(leaf: Requirement, path: str, fault: Exception) -> FieldError:
    """A kind may be anybody's plugin."""
    logger.bind(kind=leaf.kind.name, error=repr(fault)).warning("requirement could not be checked")
    return FieldError(path, f"cannot be used now: the plugin that brings {leaf.kind.name} fails on it")


async def _warn(leaf: Requirement) -> Sequence[str]:
    if leaf.kind.warn is None:
        return ()
    try:
        return await leaf.kind.warn(leaf.params)
    except Exception as fault:
        # A kind may be anybody's plugin, and its chain may be away: that is no warning to the owner.
        logger.bind(kind=leaf.kind.name, error=repr(fault)).info("requirement could not say what to warn of")
        return ()


def _by_shape(policy: Policy) -> tuple[str, ...]:
    opens = [node for node, _ in policy.nodes() if _opens_to_nobody_in_particular(node)]
    return (OPENS_TO_ALL,) if opens else ()


def _opens_to_nobody_in_particular(node: Node) -> bool:
    """Whether it holds of somebody who holds nothing, at a time when nothing else is so."""
    of_nobody = {leaf: Reading(outcome="does_not_hold") for leaf in requirements(node)}
    return not isinstance(node, Public) and explain(node, of_nobody).outcome == "holds"


def _same_as(policy: Policy) -> list[tuple[str, str]]:
    return [(path, leaf.params.collection) for leaf, path in policy.leaves if leaf.kind.name == SAME_AS]


def _roots(policy: Policy) -> list[tuple[str, str, bool]]:
    below = {leaf for node, _ in policy.nodes() for leaf in negated(node)}
    return [
        (path, leaf.params.merkle_root.lower(), leaf in below)
        for leaf, path in policy.leaves
        if leaf.kind.name == ADDRESSES and leaf.params.merkle_root is not None
    ]


def _raise(faults: Sequence[FieldError]) -> None:
    if faults:
        raise GateInvalid(f"{faults[0].field}: {faults[0].message}", errors=tuple(faults))
