"""Auth's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from streamgate.contracts.auth import ACCOUNTS, AUTH, AUTH_REVOKED
from streamgate.contracts.devchain import DEVCHAIN
from streamgate.contracts.events import AUTH_SESSION_ENDED, GATE_CHANGED, PEOPLE_CHANGED, TOKEN_TRANSFERRED
from streamgate.contracts.hooks import PlaybackQuestion, RequirementKind, SignatureScheme
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.nft import NFT
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.watched import AUTH_WATCHED
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import Verdict, hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_auth.config import AuthConfig
from streamgate_auth.diagnose import diagnose

DEVELOPMENT_PROFILES = ("dev", "test")


class AuthPlugin:
    """Builds the parts and wires them; opens nothing."""

    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.revocation import revocations_of
        from streamgate.sdk.secrets import master_key
        from streamgate_auth.api_keys import ApiKeys
        from streamgate_auth.changed import ChangedElsewhere
        from streamgate_auth.contract_words import ContractWords
        from streamgate_auth.cookies import Cookies
        from streamgate_auth.ending import Ending
        from streamgate_auth.evm.chains import Chains
        from streamgate_auth.evm.erc721 import Erc721Reader
        from streamgate_auth.evm.fungible import FungibleReader
        from streamgate_auth.evm.watch.ownership import Ownership
        from streamgate_auth.evm.watch.watcher import Watcher, load_watched
        from streamgate_auth.gate.parts import GateParts
        from streamgate_auth.identity import Identity
        from streamgate_auth.keys import KeyRing
        from streamgate_auth.limits import ChainLimit, RequestLimit, WalletLimit
        from streamgate_auth.local_admin import LocalAdmin
        from streamgate_auth.nft.collection import Collections
        from streamgate_auth.nft.routes import NftRoutes
        from streamgate_auth.nft.service import NftService
        from streamgate_auth.origin import Origin
        from streamgate_auth.proofs import Proofs
        from streamgate_auth.roles import Roles
        from streamgate_auth.routes import AuthRoutes
        from streamgate_auth.routes_account import AccountRoutes
        from streamgate_auth.routes_chains import ChainRoutes
        from streamgate_auth.routes_keys import KeyRoutes
        from streamgate_auth.routes_roles import RoleRoutes
        from streamgate_auth.schemes.collected import Schemes
        from streamgate_auth.schemes.contract_wallet import ContractWallets
        from streamgate_auth.schemes.evm import PersonalMessage, Siwe, TypedData
        from streamgate_auth.schemes.solana import Siws, SolanaMessage
        from streamgate_auth.service import AuthService
        from streamgate_auth.service_accounts import AccountsService
        from streamgate_auth.solana.chains import SolanaChains
        from streamgate_auth.solana.kinds import solana_kinds
        from streamgate_auth.solana.watcher import SolanaWatcher
        from streamgate_auth.tables import TABLES
        from streamgate_auth.tokens import TokenMint
        from streamgate_auth.veto import BlockedWallets
        from streamgate_auth.wallets import Wallets

        config: AuthConfig = ctx.config
        clock = SYSTEM_CLOCK
        metadata = ctx.services.get(METADATA)
        local = ctx.services.get(DEVCHAIN) if ctx.settings.profile in DEVELOPMENT_PROFILES else None
        self.db = Database.for_plugin(ctx, TABLES, migrations="streamgate_auth.migrations")
        self.keys = KeyRing(self.db, lambda: master_key(ctx), clock, token_ttl_s=config.access_ttl_s)
        ownership = Ownership(partial(load_watched, self.db), clock, cache_s=config.cache_s)
        self.chains = Chains(config.evm_chains, local, clock, ownership.of)
        self.watcher = Watcher(
            db=self.db,
            chains=self.chains,
            ownership=ownership,
            events=ctx.events,
            clock=clock,
            interval_s=config.watch_interval_s,
        )
        self.solana = SolanaChains(config.solana_chains, clock)
        self.solana_watcher = SolanaWatcher(
            db=self.db, chains=self.solana, clock=clock, interval_s=config.watch_interval_s
        )
        self.revocations = revocations_of(ctx)
        ending = Ending(self.db, ctx.events, self.revocations, clock, token_ttl_s=config.access_ttl_s)
        roles = self.roles = Roles(config, db=self.db, ending=ending, clock=clock)
        ctx.reloads.subscribe(ctx.name, roles.take)
        self.gate = GateParts(
            config=config,
            db=self.db,
            metadata=metadata,
            hooks=ctx.hooks,
            roles_of=roles.of,
            clock=clock,
        )
        asked = ChainLimit(
            clock,
            per_network=config.contract_requests_per_minute,
            per_wallet=config.wallet_requests_per_minute,
        )
        origin, contracts = Origin.parse(public_origin(ctx)), ContractWallets(self.chains, asked)
        proofs = self.proofs = Proofs(
            keys=self.keys, schemes=Schemes(ctx.hooks), origin=origin, chains=self.chains.readable, clock=clock
        )
        changed = self.gate.known.forget_person
        blocked = self._blocked = BlockedWallets(config.blocked_addresses, self.db)
        self._changed_elsewhere = ChangedElsewhere(changed, blocked.read)
        identity = Identity(
            db=self.db,
            keys=self.keys,
            tokens=TokenMint(self.keys, clock, access_ttl_s=config.access_ttl_s),
            roles=roles,
            proofs=proofs,
            words=ContractWords(
                db=self.db,
                contracts=contracts,
                roles=roles,
                blocked=blocked,
                ending=ending,
                changed=changed,
                clock=clock,
            ),
            changed=changed,
            ending=ending,
            clock=clock,
            refresh_ttl_s=config.refresh_ttl_s,
        )
        wallets = Wallets(
            db=self.db, proofs=proofs, roles=roles, blocked=blocked, ending=ending, changed=changed, clock=clock
        )
        api_keys = ApiKeys(db=self.db, roles=roles, ending=ending, clock=clock)
        limit, cookies = RequestLimit(config.requests_per_minute, clock), Cookies(origin)
        wallet_limit = WalletLimit(config.wallet_requests_per_minute, clock)
        self.service = AuthService(self.keys, tuple(config.chains), self.gate.gates, self.gate.decider)
        self.accounts = AccountsService(api_keys, ending, wallets)
        self.nft = NftService(self.chains, self.solana, Collections(self.chains, self.db, clock))
        self._routes = [
            *AuthRoutes(identity, proofs, self.keys, limit, wallet_limit, cookies).routes(),
            *AccountRoutes(identity, proofs, wallets, api_keys, limit, wallet_limit, cookies).routes(),
            *KeyRoutes(self.keys).routes(),
            *ChainRoutes(self.chains, self.solana, ownership).routes(),
            *RoleRoutes(roles).routes(),
            *NftRoutes(self.nft, RequestLimit(config.requests_per_minute, clock)).routes(),
            *self.gate.routes,
        ]
        self._schemes = (
            *(scheme(contracts) for scheme in (Siwe, PersonalMessage, TypedData)),
            *(Siws(), SolanaMessage()),
        )
        local_admin = LocalAdmin(ctx.settings.data_dir, db=self.db, ending=ending, clock=clock)
        self._local_admin = [local_admin] if ctx.settings.is_embedded else []
        self._kinds = (
            *(Erc721Reader(self.chains).kind(), *FungibleReader(self.chains).kinds()),
            *solana_kinds(self.solana),
            *self.gate.own_kinds,
        )

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(AUTH, self.service), Offer(ACCOUNTS, self.accounts), Offer(NFT, self.nft)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return [*self.watcher.subscriptions, *self._changed_elsewhere.subscriptions]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [
            *self.db.units(),
            SimpleUnit("auth.keys", self.keys.start, self.keys.stop, needs=("auth.db",)),
            SimpleUnit("auth.chains", on_stop=self.chains.close),
            SimpleUnit("auth.solana", on_stop=self.solana.close),
            SimpleUnit(
                "auth.solana-watcher",
                self.solana_watcher.start,
                self.solana_watcher.stop,
                needs=("auth.db", "auth.solana"),
            ),
            *self.watcher.units,
            *self.gate.units,
            SimpleUnit("auth.roles", self.roles.start, self.roles.stop, needs=("auth.db", "bus")),
            SimpleUnit("auth.blocked", self._blocked.read, needs=("auth.db",)),
            *(SimpleUnit("auth.local-admin", admin.start, needs=("auth.db",)) for admin in self._local_admin),
        ]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self.db.check()]

    @hookimpl
    def collect_requirement_kinds(self) -> Sequence[RequirementKind]:
        return self._kinds

    @hookimpl
    def collect_signature_schemes(self) -> Sequence[SignatureScheme]:
        return self._schemes

    @hookimpl
    async def decide_playback(self, question: PlaybackQuestion) -> Verdict:
        return self._blocked.judge(question)


def public_origin(ctx: PluginContext) -> str:
    """What sign-in is bound to: `server.public_url`, which the kernel fills with this process' own address where it
    is not set. Where the port was left to the system, the address that was bound."""
    configured = ctx.settings.public_url
    if configured and not configured.endswith(":0"):
        return configured
    return ctx.base_urls.get(ctx.name, f"http://127.0.0.1:{PLUGIN.port}")


PLUGIN = PluginInfo(
    name="auth",
    summary="Wallet sign-in, tokens, and the gate that decides who may watch.",
    build=AuthPlugin,
    offers=(AUTH, ACCOUNTS, NFT),
    needs=(METADATA,),
    may_need=(DEVCHAIN,),
    tells=(GATE_CHANGED, AUTH_SESSION_ENDED, AUTH_REVOKED, PEOPLE_CHANGED, TOKEN_TRANSFERRED, AUTH_WATCHED),
    hears=(GATE_CHANGED, PEOPLE_CHANGED, AUTH_WATCHED),
    config=AuthConfig,
    port=SERVICES["auth"].port,
    prefixes=SERVICES["auth"].prefixes,
    uses_database=True,
    needs_master_key=True,
    diagnose=diagnose,
)
