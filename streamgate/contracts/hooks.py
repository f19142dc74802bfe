# mypy: disable-error-code="empty-body"
"""Hooks of the services: what a plugin adds to jobs, gates and playback. The kernel's are in `streamgate/hooks.py`.

The same merge rules hold: `collect_*` answers are joined, `decide_*` fail closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.gate import Reading
from streamgate.contracts.profiles import Profile
from streamgate.hooks import Verdict, hookspec

# --- jobs -------------------------------------------------------------------------------------------


class JobRun(Protocol):
    """What a handler gets beside its payload: the lease, and the ways to tell how far it is."""

    job_id: str
    lease_id: str
    attempt: int
    owner: str
    subject_id: str
    blob_prefix: str

    def report(self, progress: float, stage: str = "") -> None:
        """Noted now, sent with the next heartbeat."""

    async def checkpoint(self, result: Any, progress: float) -> None:
        """Tells a partial result (an attrs value) to whoever hears `job.checkpoint`. Raises LeaseLost."""


@attrs.frozen(kw_only=True)
class JobKind:
    """A kind of job this plugin runs. `handler(payload, run)` returns the result (an attrs value).

    It is cancelled (asyncio cancellation) when the job is cancelled or the lease is lost, and must stop its
    work at once. A StreamgateError with `retryable` False ends the job as failed with that code; anything
    else is tried again while attempts are left. `concurrency`: at most so many at once in this process; `places`, where
    it is given, says how many of those may be now.
    """

    name: str
    summary: str
    payload: type
    result: type
    handler: Callable[[Any, JobRun], Awaitable[Any]]
    concurrency: int = 1
    places: Callable[[], int] | None = None
    user_may_submit: bool = False


@hookspec
def collect_job_kinds() -> Sequence[JobKind]:
    """Kinds of job this process runs. Asked by `sdk.jobs.Runner`; a name may be offered once."""


# --- transcoding -----------------------------------------------------------------------------------


@hookspec
def collect_transcode_profiles() -> Sequence[Profile]:
    """Profiles that a transcode may name, beside ours. Asked in each process that transcodes, and alike in all of them;
    a name may be offered once."""


# --- gates ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Leaf:
    """A requirement to read for one person.

    Args:
        params: the rule's parameters, an instance of the kind's `params`.
        addresses: the person's linked wallets, checksummed or base58; any one may satisfy it. A wallet that is a
            contract is itself on one chain alone: a CAIP-10 account (`eip155:137:0x…`), never a bare address.
        min_block: per CAIP-2 chain, the block the answer must have seen at least.
        max_age_s: the oldest read that may be answered from what was kept; None: as long as it is good.
        actor: who it is, for kinds that go by the person; nobody in a dry run for an address.
        content_id: whose gate is decided, or the collection (`g_…`) in whose gate the leaf stands; "" where a rule is
            tried that nobody has stored.
    """

    params: Any
    addresses: tuple[str, ...]
    min_block: Mapping[str, int]
    max_age_s: float | None = None
    actor: Actor = ANONYMOUS
    content_id: str = ""


@attrs.frozen(kw_only=True)
class RequirementKind:
    """A kind of leaf in the gate language.

    Args:
        name: the key in the rule (`erc721`).
        params: attrs class of its parameters, read strictly; a ValueError from its validators is shown.
        describe: the requirement in words, for people.
        read: the three-valued answer. A fault or time-out is *unknown*, never a no (else `not` would open); so is a
            fault of describe, leaf_key, needed or canonical, and with any of them no rule is set.
        leaf_key: `<caip2>/<contract>` for token kinds (transfers find sessions by it), or "".
        needed: what must be held, as a decimal string, or "".
        canonical: the parameters as they are stored and shown (addresses checksummed).
        check: asked when a rule is set; raises ValueError where these parameters can never work here (a chain that
            is not configured).
        warn: asked when a rule is set; what its owner may not have meant (no contract at this address), a sentence
            each. A fault of it is no warning.
        satisfy: what somebody who does not hold must do, in words; `link`: where, as a URL. Either may be "".
        cost: 0 decides from what this process knows, 1 asks the database, 2 a chain: cheaper leaves are read first,
            and none that cannot change the outcome.
        is_private: viewers are told `describe` and the outcome alone (a list of wallets is the owner's affair).
    """

    name: str
    summary: str
    params: type
    describe: Callable[[Any], str]
    read: Callable[[Leaf], Awaitable[Reading]]
    leaf_key: Callable[[Any], str] = lambda params: ""
    needed: Callable[[Any], str] = lambda params: ""
    canonical: Callable[[Any], Any] = lambda params: params
    check: Callable[[Any], Awaitable[None]] | None = None
    warn: Callable[[Any], Awaitable[Sequence[str]]] | None = None
    satisfy: Callable[[Any], str] = lambda params: ""
    link: Callable[[Any], str] = lambda params: ""
    cost: Literal[0, 1, 2] = 2
    is_private: bool = False


@hookspec
def collect_requirement_kinds() -> Sequence[RequirementKind]:
    """Kinds of leaf that gates may use. A name may be offered once."""


# --- signing in -------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SigningFacts:
    """What a person is asked to sign, whatever the form. Made by auth from a challenge, the same each time.

    Args:
        address: checksummed (EVM) or base58 (Solana).
        chain: CAIP-2 (`eip155:1`, `solana:mainnet`).
        origin: `https://video.example`; `domain` is its host, with the port unless it is the scheme's own.
        statement: one line for people, without a line break.
        issued_at, expires_at: RFC 3339, whole seconds, UTC.
        network: the network address that answers, to bound what its tries may cost; "" where nobody has answered. It
            is no part of what is signed.
    """

    address: str
    chain: str
    origin: str
    domain: str
    statement: str
    nonce: str
    issued_at: str
    expires_at: str
    network: str = ""


@attrs.frozen(kw_only=True)
class ToSign:
    """What goes to the wallet: a `message`, or EIP-712 `typed_data`. `input`: the same, field by field, for wallets
    that write the message themselves."""

    message: str | None = None
    typed_data: dict[str, Any] | None = None
    input: dict[str, str] | None = None


@attrs.frozen(kw_only=True)
class ContractProof:
    """A contract's word (ERC-1271) instead of a key's: good on that chain alone, and asked again at each refresh.

    Args:
        digest: the 32 bytes that were signed.
        signature: what the contract accepts for them, at most 8,192 bytes, in an ERC-6492 wrapper or not.
    """

    digest: bytes
    signature: bytes = attrs.field(repr=False)


class SignatureScheme(Protocol):
    """A way to prove that a wallet is one's own. `namespace` is the first half of its chains' CAIP-2 ids.

    Neither method stores or remembers anything: that a challenge is ours, in time, of this browser and used once
    is auth's affair, the same for every scheme.
    """

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    def ask(self, facts: SigningFacts) -> ToSign: ...

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> ContractProof | None:
        """Returns where `facts.address` signed exactly what these facts ask: None by its key, or what its contract
        accepted.

        Args:
            message: the text as the wallet signed it, where the caller sent one.

        Raises:
            MessageMismatch: the text asks for something else. SignatureInvalid: another signer, or malformed.
            ChainUnavailable: 503, the chain cannot say now. Anything else is no sign-in, too.
        """


@hookspec
def collect_signature_schemes() -> Sequence[SignatureScheme]:
    """Ways to sign in. A name may be offered once; of a namespace, the first offered is the default."""


@attrs.frozen(kw_only=True)
class PlaybackQuestion:
    content_id: str
    actor: Actor
    addresses: tuple[str, ...]


@hookspec
async def decide_playback(question: PlaybackQuestion) -> Verdict:
    """The veto, asked after the gate holds (owners and moderators too). Any refusal wins, a fault or time-out
    is a refusal, allow and abstain change nothing: it cannot open what the gate refused."""


SPECS = (
    collect_job_kinds,
    collect_transcode_profiles,
    collect_requirement_kinds,
    collect_signature_schemes,
    decide_playback,
)
