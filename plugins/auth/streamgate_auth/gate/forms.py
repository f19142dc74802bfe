"""What goes in and out below `/api/v1/gates`: rules, kinds, collections, lists, proofs."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.gate import Rule
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.texts import is_name
from streamgate_auth.gate.repository_collections import CollectionRecord
from streamgate_auth.gate.repository_lists import ListRecord

_at_most = attrs.validators.max_len
_optional = attrs.validators.optional
_NAME: list[Any] = [attrs.validators.min_len(1), _at_most(100), is_name]


@attrs.frozen(kw_only=True)
class KindItem:
    """A kind of requirement. `schema`: JSON Schema of its parameters; `example`: a rule of this kind alone, null where
    the kind brings none. `cost`: 0 is decided from what is known, 1 asks the database, 2 a chain. `private`: viewers
    are told the words and the outcome alone."""

    name: str
    summary: str
    cost: int
    private: bool
    schema: dict[str, Any]
    example: dict[str, Any] | None


@attrs.frozen(kw_only=True)
class KindsListed:
    """In the order of their names. `operators`: what rules are put together with."""

    items: tuple[KindItem, ...]
    operators: tuple[str, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ContentPath:
    content_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class ValidatedGate:
    """`gate`: as it would be stored, with its defaults filled in. `text`: in words."""

    gate: dict[str, Any]
    text: str
    warnings: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TryBody:
    """Either a `gate` that nobody has stored, or the stored one of `content_id`. `address`: of whom; null for
    oneself."""

    gate: dict[str, Any] | None = None
    content_id: str | None = attrs.field(default=None, validator=_optional(_at_most(40)))
    address: str | None = attrs.field(default=None, validator=_optional(_at_most(128)))

    def raise_unless_one(self) -> None:
        """Raises Invalid: 422."""
        if (self.gate is None) == (self.content_id is None):
            fault = FieldError("gate", "must be given, or else content_id, and not both")
            raise Invalid(f"{fault.field} {fault.message}", errors=(fault,))


# --- collections ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class NewCollectionBody:
    name: str = attrs.field(validator=_NAME)
    gate: dict[str, Any]


@attrs.frozen(kw_only=True)
class ChangeCollectionBody:
    """What is left out, or null, stays."""

    name: str | None = attrs.field(default=None, validator=_optional(_NAME))
    gate: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class CollectionPath:
    collection_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class CollectionItem:
    """`revision` grows with each other gate."""

    collection_id: str
    owner: str
    name: str
    gate: Rule
    warnings: tuple[str, ...]
    revision: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, record: CollectionRecord) -> CollectionItem:
        return cls(**_shown(record))


@attrs.frozen(kw_only=True)
class CollectionAnswer(CollectionItem):
    """`content_ids`: contents whose gates name it, 100 at most."""

    content_ids: tuple[str, ...]

    @classmethod
    def with_users(cls, record: CollectionRecord, users: tuple[str, ...]) -> CollectionAnswer:
        return cls(**_shown(record), content_ids=users)


@attrs.frozen(kw_only=True)
class CollectionsListed:
    """The newest first."""

    items: tuple[CollectionItem, ...]
    next_cursor: str | None = None


def _shown(record: CollectionRecord) -> dict[str, Any]:
    return {
        "collection_id": record.collection_id,
        "owner": record.owner,
        "name": record.name,
        "gate": record.rule,
        "warnings": record.warnings,
        "revision": record.revision,
        "created_at": rfc3339(record.created_at_ms),
        "updated_at": rfc3339(record.updated_at_ms),
    }


# --- lists of addresses -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class NewListBody:
    """`addresses`: EVM ones in any case."""

    name: str = attrs.field(validator=_NAME)
    addresses: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ListPath:
    list_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class ListItem:
    """`merkle_root`: what rules name it by. `size`: addresses, each once."""

    list_id: str
    name: str
    merkle_root: str
    size: int
    created_at: str

    @classmethod
    def of(cls, record: ListRecord) -> ListItem:
        return cls(
            list_id=record.list_id,
            name=record.name,
            merkle_root=record.root,
            size=record.size,
            created_at=rfc3339(record.created_at_ms),
        )


@attrs.frozen(kw_only=True)
class ListsListed:
    """The newest first."""

    items: tuple[ListItem, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class MerkleProofBody:
    """`proof`: the hashes from the leaf to the root, as OpenZeppelin's `getProof` gives them. `address`: one of your
    wallets; null: whichever fits."""

    merkle_root: str = attrs.field(validator=_at_most(66))
    proof: tuple[str, ...]
    address: str | None = attrs.field(default=None, validator=_optional(_at_most(128)))


@attrs.frozen(kw_only=True)
class MerkleProofAnswer:
    """This wallet of yours is on the list from now on."""

    merkle_root: str
    address: str
