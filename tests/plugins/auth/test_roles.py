"""Who may do what, by the lists an operator keeps; and new lists for a running process."""

from __future__ import annotations

from streamgate_auth.accounts import parse_any_address
from streamgate_auth.config import AuthConfig
from streamgate_auth.roles import Roles

ADA = "0x" + "a1" * 20
BOB = "0x" + "b2" * 20


def of(roles: Roles, *wallets: str) -> tuple[str, ...]:
    return roles.of([parse_any_address(wallet) for wallet in wallets])


def test_a_role_is_brought_by_any_wallet_of_a_person() -> None:
    roles = Roles(AuthConfig(admins=(ADA,), creators=(BOB,)))
    assert of(roles) == ("viewer",)
    assert of(roles, BOB) == ("creator", "viewer")
    assert of(roles, BOB, ADA) == ("admin", "creator", "viewer")


def test_new_lists_count_from_the_next_question_on() -> None:
    roles = Roles(AuthConfig(creators=(ADA,)))
    roles.take(AuthConfig(creators=(BOB,), open_creators=False))
    assert of(roles, ADA) == ("viewer",)
    assert of(roles, BOB) == ("creator", "viewer")
    roles.take(AuthConfig(open_creators=True))
    assert of(roles, ADA) == ("creator", "viewer")
