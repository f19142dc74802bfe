"""A Solana of one test: LiteSVM runs the real programs of SPL Token, Token-2022 and associated accounts on signed
transactions. What is not real: Metaplex' accounts are written as they are (their programs are not to be had), and each
transaction makes a slot, of which the last few are not yet final."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Sequence
from functools import cache

import attrs
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

SPL = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
SPL_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
METADATA = Pubkey.from_string("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s")
CORE = Pubkey.from_string("CoREENxT6tW1HoK8ypY1SxRMZTcVPm7R94rH4PZNhX7d")
SYSTEM = Pubkey.default()
PROGRAMS = (SPL, SPL_2022, METADATA, CORE)
_MINT_BYTES, _PLAIN_2022_BYTES = 82, 0
_SOL = 1_000_000_000


@attrs.frozen
class State:
    """The accounts of the programs that are asked for, as they are at a slot."""

    slot: int
    accounts: dict[str, Account]


@cache
def key(name: str) -> Keypair:
    """The same for a name always: fixtures are of these mints."""
    return Keypair.from_seed(hashlib.sha256(f"streamgate test solana {name}".encode()).digest())


def address(name: str) -> str:
    return str(key(name).pubkey())


def metadata_address(mint: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([b"metadata", bytes(METADATA), bytes(mint)], METADATA)[0]


class Cluster:
    """`states`: of each slot, the newest last. `final`: the index of the newest that is final."""

    def __init__(self) -> None:
        self._svm = LiteSVM()
        self._payer = key("payer")
        self._svm.airdrop(self._payer.pubkey(), 1_000 * _SOL)
        self._slots = itertools.count(self._svm.get_clock().slot + 1)
        self.states: list[State] = []
        self.assets: list[dict[str, object]] = []  # what an index of compressed ones would know
        self.final = 0
        self.publish()

    @property
    def slot(self) -> int:
        return self.states[-1].slot

    def publish(self) -> None:
        accounts = [pair for program in PROGRAMS for pair in self._svm.get_program_accounts(program)]
        self.states.append(State(next(self._slots), {str(address): account for address, account in accounts}))

    def finalise(self) -> None:
        self.final = len(self.states) - 1

    # --- tokens, by the real programs -----------------------------------------------------------

    def mint(self, name: str = "", *, program: Pubkey = SPL, decimals: int = 0) -> Pubkey:
        """A mint whose authority pays for everything."""
        mint = key(name) if name else Keypair()
        rent = self._svm.minimum_balance_for_rent_exemption(_MINT_BYTES)
        made = create_account(
            CreateAccountParams(
                from_pubkey=self._payer.pubkey(),
                to_pubkey=mint.pubkey(),
                lamports=rent,
                space=_MINT_BYTES,
                owner=program,
            )
        )
        data = bytes((20, decimals)) + bytes(self._payer.pubkey()) + b"\x01" + bytes(self._payer.pubkey())
        self.send([made, Instruction(program, data, [_meta(mint.pubkey())])], mint)
        return mint.pubkey()

    def account(self, owner: Pubkey, mint: Pubkey) -> Pubkey:
        """The wallet's associated account, made (empty) where there is none."""
        program = self.program_of(mint)
        found = associated(owner, mint, program)
        metas = [
            AccountMeta(self._payer.pubkey(), is_signer=True, is_writable=True),
            _meta(found),
            *(AccountMeta(each, is_signer=False, is_writable=False) for each in (owner, mint, SYSTEM, program)),
        ]
        self.send([Instruction(ASSOCIATED, b"\x01", metas)])
        return found

    def second_account(self, owner: Pubkey, mint: Pubkey) -> Pubkey:
        """One more, at an address of its own."""
        program, made = self.program_of(mint), Keypair()
        size = 165 if program == SPL else 170  # with the extension that says whose address it may not be
        rent = self._svm.minimum_balance_for_rent_exemption(size)
        begun = create_account(
            CreateAccountParams(
                from_pubkey=self._payer.pubkey(),
                to_pubkey=made.pubkey(),
                lamports=rent,
                space=165,
                owner=program,
            )
        )
        metas = [_meta(made.pubkey()), AccountMeta(mint, is_signer=False, is_writable=False)]
        self.send([begun, Instruction(program, b"\x12" + bytes(owner), metas)], made)
        return made.pubkey()

    def mint_to(self, owner: Pubkey, mint: Pubkey, amount: int = 1, *, account: Pubkey | None = None) -> Pubkey:
        target = account or self.account(owner, mint)
        self._by_payer(mint, struct.pack("<BQ", 7, amount), [_meta(mint), _meta(target)])
        return target

    def transfer(self, owner: Keypair, to: Pubkey, mint: Pubkey, amount: int = 1) -> None:
        program = self.program_of(mint)
        source, target = associated(owner.pubkey(), mint, program), self.account(to, mint)
        signer = AccountMeta(owner.pubkey(), is_signer=True, is_writable=False)
        data = struct.pack("<BQ", 3, amount)
        self.send([Instruction(program, data, [_meta(source), _meta(target), signer])], owner)

    def freeze(self, owner: Pubkey, mint: Pubkey) -> None:
        """As programmable NFTs always are."""
        account = associated(owner, mint, self.program_of(mint))
        self._by_payer(mint, b"\x0a", [_meta(account), AccountMeta(mint, is_signer=False, is_writable=False)])

    def close(self, owner: Keypair, mint: Pubkey) -> None:
        program = self.program_of(mint)
        account = associated(owner.pubkey(), mint, program)
        metas = [_meta(account), _meta(self._payer.pubkey()), AccountMeta(owner.pubkey(), True, False)]
        self.send([Instruction(program, b"\x09", metas)], owner)

    def give_away(self, owner: Keypair, account: Pubkey, to: Pubkey, mint: Pubkey) -> None:
        """The account itself changes hands (SetAuthority of its owner)."""
        metas = [_meta(account), AccountMeta(owner.pubkey(), True, False)]
        self.send([Instruction(self.program_of(mint), b"\x06\x02\x01" + bytes(to), metas)], owner)

    # --- accounts as they are --------------------------------------------------------------------

    def put(self, where: Pubkey, program: Pubkey, data: bytes) -> None:
        rent = self._svm.minimum_balance_for_rent_exemption(len(data))
        self._svm.set_account(where, Account(rent, data, program, False, 0))
        self.publish()

    def remove(self, where: Pubkey) -> None:
        self._svm.set_account(where, Account(0, b"", SYSTEM, False, 0))
        self.publish()

    def program_of(self, mint: Pubkey) -> Pubkey:
        found = self._svm.get_account(mint)
        assert found is not None
        return found.owner

    def send(self, instructions: Sequence[Instruction], *signers: Keypair) -> None:
        self._svm.expire_blockhash()
        blockhash = self._svm.latest_blockhash()
        message = Message.new_with_blockhash(instructions, self._payer.pubkey(), blockhash)
        done = self._svm.send_transaction(Transaction([self._payer, *signers], message, blockhash))
        assert not isinstance(done, FailedTransactionMetadata), done
        self.publish()

    def _by_payer(self, mint: Pubkey, data: bytes, metas: list[AccountMeta]) -> None:
        payer = AccountMeta(self._payer.pubkey(), is_signer=True, is_writable=False)
        self.send([Instruction(self.program_of(mint), data, [*metas, payer])])


def associated(owner: Pubkey, mint: Pubkey, program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ASSOCIATED)[0]


def _meta(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=False, is_writable=True)
