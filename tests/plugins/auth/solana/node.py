"""Nodes before a `Cluster`: JSON-RPC as Solana's own nodes speak it, and the index of assets as far as it is asked.
Each may misbehave as told, as `streamgate.testing.nodes` do for EVM chains."""

from __future__ import annotations

import base64
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from streamgate.testing.faulty_server import FaultyServer
from tests.plugins.auth.solana.cluster import SPL, SPL_2022, Cluster, State

GENESIS = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"  # devnet's
BEHIND, NO_METHOD, BAD_PARAMS, NOT_INDEXED = -32016, -32601, -32602, -32010
_ASSETS = ("searchAssets", "getAssetsByOwner")


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SolanaNode(FaultyServer):
    """See above. `errors` are by method, or by program."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        super().__init__()

    def behave(self) -> None:
        super().behave()
        self.genesis = GENESIS
        self.results: dict[str, Any] = {}  # by method: what it answers instead
        self.inflate = 0  # what it adds to the amount of each token account
        self.hides = False  # tells no accounts at all
        self.lag_states = 0
        self.boast_slots = 0
        self.ignores_min_slot = False
        self.has_index = True

    def answer(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._answer(question) for question in batch]

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        method, params = question["method"], question.get("params", [])
        try:
            if method in self.errors:
                raise Refused(self.errors[method], "it is not well, see http://key@node/secret")
            result = self.results[method] if method in self.results else self._result(method, params)
        except Refused as refused:
            told: dict[str, Any] = {"error": {"code": refused.code, "message": str(refused)}}
        else:
            told = {"result": result}
        return {"jsonrpc": "2.0", "id": question["id"], **told}

    def _result(self, method: str, params: Any) -> Any:
        if method == "getGenesisHash":
            return self.genesis
        if method in _ASSETS:
            if not self.has_index:
                raise Refused(NO_METHOD, "Method not found")
            return self._assets(method, params)
        how = params[-1] if params and isinstance(params[-1], dict) else {}
        state = self._state(how)
        slot = state.slot + self.boast_slots
        if not self.ignores_min_slot and how.get("minContextSlot", 0) > state.slot:
            raise Refused(BEHIND, "Minimum context slot has not been reached")
        match method:
            case "getSlot":
                return slot
            case "getAccountInfo":
                value: Any = _account(state.accounts.get(params[0]), how)
            case "getMultipleAccounts":
                value = [_account(None if self.hides else state.accounts.get(each), how) for each in params[0]]
            case "getTokenAccountsByOwner":
                value = self._token_accounts(state, params[0], params[1], how)
            case "getProgramAccounts":
                value = [] if self.hides else _program_accounts(state, params[0], how)
                if not how.get("withContext"):
                    return value
            case _:
                raise Refused(NO_METHOD, "Method not found")
        return {"context": {"apiVersion": "2.3.6", "slot": slot}, "value": value}

    def _state(self, how: dict[str, Any]) -> State:
        states = self.cluster.states
        newest = self.cluster.final if how.get("commitment", "finalized") == "finalized" else len(states) - 1
        return states[max(0, newest - self.lag_states)]

    def _token_accounts(self, state: State, owner: str, which: dict[str, str], how: dict[str, Any]) -> list[Any]:
        if "mint" in which:
            mint = state.accounts.get(which["mint"])
            if mint is None or mint.owner not in (SPL, SPL_2022):
                raise Refused(BAD_PARAMS, "Invalid param: could not find mint")
            program = str(mint.owner)
        else:
            program = which["programId"]
        if program in self.errors:
            raise Refused(self.errors[program], "this program is excluded from account secondary indexes")
        found = []
        for address, account in {} if self.hides else state.accounts.items():
            raw = bytes(account.data)
            if str(account.owner) != program or not _is_token_account(raw):
                continue
            if str(Pubkey(raw[32:64])) != owner or which.get("mint", str(Pubkey(raw[:32]))) != str(Pubkey(raw[:32])):
                continue
            amount = int.from_bytes(raw[64:72], "little") + self.inflate
            told = Account(account.lamports, raw[:64] + amount.to_bytes(8, "little") + raw[72:], account.owner, False)
            found.append({"pubkey": address, "account": _account(told, how)})
        return found

    def _assets(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """As the specification of the Digital Asset Standard API has it."""
        found = [asset for asset in self.cluster.assets if _owner(asset) == params["ownerAddress"]]
        if "grouping" in params:
            name, value = params["grouping"]
            found = [asset for asset in found if (name, value) in _groups(asset)]
        start = (params["page"] - 1) * params["limit"]
        items = found[start : start + params["limit"]]
        return {"total": len(items), "limit": params["limit"], "page": params["page"], "items": items}


def _is_token_account(raw: bytes) -> bool:
    return len(raw) == 165 or (len(raw) > 165 and raw[165] == 2)


def _account(account: Account | None, how: dict[str, Any]) -> dict[str, Any] | None:
    if account is None:
        return None
    data, piece = bytes(account.data), how.get("dataSlice")
    if piece:
        data = data[piece["offset"] : piece["offset"] + piece["length"]]
    return {
        "data": [base64.b64encode(data).decode(), "base64"],
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": 2**64 - 1,
        "space": len(bytes(account.data)),
    }


def _program_accounts(state: State, program: str, how: dict[str, Any]) -> list[Any]:
    found = []
    for address, account in state.accounts.items():
        raw = bytes(account.data)
        if str(account.owner) == program and all(_matches(raw, each["memcmp"]) for each in how.get("filters", [])):
            found.append({"pubkey": address, "account": _account(account, how)})
    return found


def _matches(raw: bytes, compared: dict[str, Any]) -> bool:
    wanted = _base58(compared["bytes"])
    return raw[compared["offset"] : compared["offset"] + len(wanted)] == wanted


def _base58(text: str) -> bytes:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = 0
    for character in text:
        number = number * 58 + alphabet.index(character)
    return bytes(len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _owner(asset: dict[str, Any]) -> str:
    found: str = asset["ownership"]["owner"]
    return found


def _groups(asset: dict[str, Any]) -> list[tuple[str, str]]:
    return [(group["group_key"], group["group_value"]) for group in asset["grouping"]]
