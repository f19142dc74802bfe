"""What wallets hold in the name of vaults that delegated to them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from streamgate.contracts.gate import GateInvalid
from streamgate.testing.attacks import attack
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.delegate import MAX_VAULTS
from streamgate_auth.evm.measure import address_word, number_word
from tests.plugins.auth.evm.ground import Ground, rule
from tests.plugins.auth.people import Person, content_of, decide, person

TRANSFER_FROM = "0x23b872dd"  # transferFrom(address,address,uint256)
DELEGATE, REVOKE = "0xadf90f7b", "0x74a8f103"  # of TestRegistry
ALL, CONTRACT, ERC721, ERC20, ERC1155 = range(1, 6)
ANY_RIGHTS, OURS, OTHERS = "00" * 32, b"streamgate".hex().ljust(64, "0"), b"lending".hex().ljust(64, "0")


@attrs.frozen
class Vault:
    """A wallet that delegates. Rights and numbers are words of the registry's."""

    ground: Ground
    address: str

    def delegate(
        self, kind: int, to: str, contract: str = "0x0", token: int = 0, amount: int = 0, rights: str = ANY_RIGHTS
    ) -> None:
        words = (number_word(kind), address_word(to), rights, address_word(contract), number_word(token))
        self.ground.act(self.address, self.ground.registry, DELEGATE, *words, number_word(amount))

    def revoke(self, to: str) -> None:
        self.ground.act(self.address, self.ground.registry, REVOKE, address_word(to))


@pytest.fixture
def vault(ground: Ground, request: pytest.FixtureRequest) -> Vault:
    return Vault(ground, Wallet.named(f"vault of {request.node.name}").address)


@attack("B25")
async def test_a_vault_that_delegated_counts_until_it_revokes(ground: Ground, viewer: Person, vault: Vault) -> None:
    mine, to = ground.chain.mint(vault.address), viewer.wallet.address
    demo = ground.chain.contract
    plain = rule("erc721", ground.chain, demo)
    delegated = rule("erc721", ground.chain, demo, delegated=True)
    certain = rule("erc721", ground.chain, demo, token_id=str(mine), delegated=True)
    coin = rule("native", ground.chain, None, delegated=True, min=str(10**17))

    async def outcomes() -> list[str]:
        return [(await ground.explain(each, viewer)).outcome[:4] for each in (plain, delegated, certain, coin)]

    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(ALL, to, rights=OTHERS)
    vault.delegate(CONTRACT, to, ground.registry)  # another contract
    vault.delegate(ERC20, to, demo, amount=10)  # another kind
    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(CONTRACT, to, demo, rights=OURS)
    assert await outcomes() == ["does", "hold", "hold", "does"]
    told = await ground.explain(delegated, viewer)
    assert told.held_by == vault.address
    vault.revoke(to)
    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(ALL, to)
    assert await outcomes() == ["does", "hold", "hold", "hold"]
    content_id = await content_of(ground.home, ground.owner.actor, certain)
    decision = await decide(ground.home, viewer.actor, content_id)
    assert decision.tokens == (f"{ground.chain.chain}/{demo.lower()}/{mine}",)
    assert decision.explanation.held_by == ""  # the vault is not the viewer's to know
    words = (address_word(vault.address), address_word(ground.owner.wallet.address), number_word(mine))
    ground.act(vault.address, demo, TRANSFER_FROM, *words)
    assert (await ground.explain(certain, viewer)).outcome == "does_not_hold"


@attack("B25")
async def test_what_was_delegated_for_a_token_or_an_amount_counts_for_that_alone(
    ground: Ground, viewer: Person, vault: Vault, gallery: str
) -> None:
    items, money = ground.deploy("Tokens", "TestItems"), ground.deploy("Tokens", "TestCoin")
    for token in (1, 2, 3):
        ground.mint(gallery, vault.address, token)
        ground.mint(items, vault.address, token, 9)
    ground.mint(money, vault.address, 9)
    to = viewer.wallet.address
    vault.delegate(ERC721, to, gallery, token=2)
    vault.delegate(ERC721, to, gallery, token=8)  # not the vault's
    vault.delegate(ERC1155, to, items, token=2, amount=5)
    vault.delegate(ERC20, to, money, amount=5)
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("erc721", gallery, {}, "holds"),
        ("erc721", gallery, {"min": "2"}, "does_not_hold"),
        ("erc721", gallery, {"token_id": "2"}, "holds"),
        ("erc721", gallery, {"token_id": "3"}, "does_not_hold"),
        ("erc721", gallery, {"token_ids": {"from": "1", "to": "9"}}, "holds"),
        ("erc721", gallery, {"token_ids": {"from": "3", "to": "3000"}}, "does_not_hold"),
        ("erc1155", items, {"token_id": "2", "min": "5"}, "holds"),
        ("erc1155", items, {"token_id": "2", "min": "6"}, "does_not_hold"),
        ("erc1155", items, {"token_id": "1"}, "does_not_hold"),
        ("erc20", money, {"min": "5"}, "holds"),
        ("erc20", money, {"min": "6"}, "does_not_hold"),
    ]
    for kind, contract, more, outcome in cases:
        told = await ground.explain(rule(kind, ground.chain, contract, delegated=True, **more), viewer)
        assert told.outcome == outcome, (kind, more)


@attack("B16", "B25")
async def test_those_to_whom_a_vault_delegated_share_what_it_has(
    ground: Ground, viewer: Person, vault: Vault, gallery: str
) -> None:
    """Where no token can be named they rest on the vault, whatever was delegated to each; one's own comes first."""
    other = await person(ground.home, "other delegate")
    items, money = ground.deploy("Tokens", "TestItems"), ground.deploy("Tokens", "TestCoin")
    demo, chain = ground.chain.contract, ground.chain.chain
    mine = ground.chain.mint(vault.address)
    ground.mint(gallery, vault.address, 2)
    ground.mint(items, vault.address, 7, 9)
    ground.mint(money, vault.address, 9)
    vault.delegate(ALL, viewer.wallet.address)
    vault.delegate(ERC721, other.wallet.address, demo, token=mine)
    vault.delegate(ERC721, other.wallet.address, gallery, token=2)
    vault.delegate(ERC1155, other.wallet.address, items, token=7, amount=5)
    vault.delegate(ERC20, other.wallet.address, money, amount=5)
    behind = f"@{vault.address.lower()}"
    place, token = f"{chain}/{demo.lower()}{behind}", f"{chain}/{demo.lower()}/{mine}"
    listed = (f"{chain}/{gallery.lower()}/2",)
    item, coin = f"{chain}/{items.lower()}/7{behind}", f"{chain}/{money.lower()}{behind}"

    async def resting(who: Person, kind: str, contract: str | None, **more: Any) -> tuple[str, ...]:
        wanted = rule(kind, ground.chain, contract, delegated=True, **more)
        content_id = await content_of(ground.home, ground.owner.actor, wanted)
        return (await decide(ground.home, who.actor, content_id)).tokens

    for _ in range(2):  # before the collection is known, and after
        assert await resting(other, "erc721", demo) == (place, token)
        assert await resting(viewer, "erc721", demo) == (place,)
    for who in (viewer, other):
        assert await resting(who, "erc721", gallery) == listed
        assert await resting(who, "erc1155", items, token_id="7") == (item,)
        assert await resting(who, "erc20", money) == (coin,)
    ground.chain.call("anvil_setBalance", vault.address, hex(10**30))
    ground.chain.call("anvil_setBalance", viewer.wallet.address, hex(1))
    assert await resting(viewer, "native", None, min="2") == (f"{chain}{behind}",)
    ground.mint(items, viewer.wallet.address, 7, 1)
    own = f"{chain}/{items.lower()}/7@{viewer.wallet.address.lower()}"
    assert await resting(viewer, "erc1155", items, token_id="7") == (own,), "though the vault has more"


@attack("B25")
async def test_a_registry_that_cannot_say_leaves_what_one_holds_oneself(
    ground: Ground, viewer: Person, vault: Vault
) -> None:
    """Spam of delegations, a registry that is none, and a chain without one."""
    delegated = rule("erc721", ground.chain, ground.chain.contract, delegated=True)
    nobody = await person(ground.home, "nobody of delegations")
    ground.chain.mint(viewer.wallet.address)
    for each in range(MAX_VAULTS + 1):
        sender = Wallet.named(f"spam {each}").address
        for to in (viewer.wallet.address, nobody.wallet.address):
            Vault(ground, sender).delegate(ALL, to)
    assert (await ground.explain(delegated, viewer)).outcome == "holds"
    assert (await ground.explain(delegated, nobody)).outcome == "unknown"
    chain = await ground.home.plugins["auth"].chains.get(ground.chain.chain)
    chain.facts = attrs.evolve(chain.facts, delegate_registry=ground.chain.contract)
    assert (await ground.explain(delegated, viewer)).outcome == "holds"
    assert (await ground.explain(delegated, nobody)).outcome == "unknown"
    chain.facts = attrs.evolve(chain.facts, delegate_registry="")
    with pytest.raises(GateInvalid, match="no delegate registry"):
        await ground.explain(delegated, viewer)
