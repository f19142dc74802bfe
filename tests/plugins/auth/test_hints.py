"""Who asks wrongly to sign in is told what is wrong, and what there is instead."""

from __future__ import annotations

import httpx

from streamgate.sdk.solana import CHAINS as SOLANA_CHAINS
from streamgate.testing.wallets import Wallet

CHALLENGE = "/api/v1/auth/challenge"
ALICE = Wallet.named("alice").address
CONFIGURED = "use one of eip155:1"
SIGNED = "use one of siwe, eip191, eip712"
SOL = "So11111111111111111111111111111111111111112"
NEITHER = (
    "is neither an EVM address (0x and 40 hex digits) nor a Solana one (base58 of 32 bytes) nor a CAIP-10 account "
    "(eip155:1:0x…, solana:mainnet:…)"
)


async def test_each_wrong_question_has_its_hint(http: httpx.AsyncClient) -> None:
    asked: list[tuple[dict[str, str], str, str]] = [
        ({"address": "foo"}, "address", f"'foo' {NEITHER}"),
        ({"address": ""}, "address", f"an empty text {NEITHER}"),
        ({"address": "foo:bar"}, "address", f"'foo:bar' {NEITHER}"),
        ({"address": "eip155:1:"}, "address", f"'eip155:1:' {NEITHER}"),
        ({"address": "x" * 65}, "address", f"'{'x' * 64}' {NEITHER}"),
        ({"address": "0x12"}, "address", "'0x12' is not an address: write 0x and 40 hexadecimal digits"),
        ({"address": "z" * 44}, "address", f"'{'z' * 44}' is not a Solana address: write base58 of 32 bytes"),
        ({"address": "eip155:1:foo"}, "address", f"'eip155:1:foo' {NEITHER}"),
        ({"address": f"eip155:1:{SOL}"}, "chain", "eip155:1 is a chain of EVM addresses, and this is a Solana one"),
        (
            {"address": f"solana:mainnet:{ALICE}"},
            "chain",
            "solana:mainnet is a chain of Solana addresses, and this is an EVM one",
        ),
        (
            {"address": ALICE, "chain": "solana:mainnet"},
            "chain",
            "solana:mainnet is a chain of Solana addresses, and this is an EVM one: use one of eip155:1",
        ),
        (
            {"address": SOL, "chain": "eip155:1"},
            "chain",
            f"eip155:1 is a chain of EVM addresses, and this is a Solana one: use one of {', '.join(SOLANA_CHAINS)}",
        ),
        (
            {"address": ALICE, "chain": "eip155:7"},
            "chain",
            "sign-in on eip155:7 is not configured; use one of eip155:1",
        ),
        (
            {"address": SOL, "chain": ""},
            "chain",
            "an empty text is not a chain: write it as CAIP-2, for instance eip155:1 or solana:mainnet",
        ),
        (
            {"address": ALICE, "scheme": ""},
            "scheme",
            f"an empty text is no way to sign; {SIGNED}",
        ),
        ({"address": ALICE, "scheme": "foo"}, "scheme", f"'foo' is no way to sign; {SIGNED}"),
        (
            {"address": ALICE, "scheme": "siws"},
            "scheme",
            f"siws is for Solana addresses, and this is an EVM one; {SIGNED}",
        ),
        ({"address": SOL, "scheme": "foo"}, "scheme", "'foo' is no way to sign; use one of siws, solana"),
    ]
    for body, field, said in asked:
        answer = await http.post(CHALLENGE, json=body)
        told = answer.json()
        assert answer.status_code == 422, body
        assert told["errors"] == [{"field": field, "message": said}], body
