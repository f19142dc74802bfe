"""The schemes of this process: ours and those of other plugins, by name."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from loguru import logger

from streamgate.contracts.auth import MessageMismatch, SchemeUnknown, SignatureInvalid
from streamgate.contracts.hooks import ContractProof, SignatureScheme, SigningFacts, collect_signature_schemes
from streamgate.contracts.nft import ChainUnavailable
from streamgate.errors import TooMany
from streamgate.hooks import Hooks
from streamgate_auth.accounts import shown, unlike


@attrs.define(eq=False)
class Schemes:
    """Collected at the first use, when all plugins are there."""

    _hooks: Hooks
    _by_name: Mapping[str, SignatureScheme] | None = None

    def by_name(self) -> Mapping[str, SignatureScheme]:
        """In the order of offering; a name that is taken is left out and logged."""
        if self._by_name is None:
            found: dict[str, SignatureScheme] = {}
            for tagged in self._hooks.collect(collect_signature_schemes):
                if tagged.value.name in found:
                    logger.bind(plugin=tagged.plugin, scheme=tagged.value.name).error("scheme is taken; left out")
                else:
                    found[tagged.value.name] = tagged.value
            self._by_name = found
        return self._by_name

    def choose(self, name: str | None, namespace: str) -> SignatureScheme:
        """The one asked for, or the default of the namespace.

        Raises:
            SchemeUnknown: 422.
        """
        known = self.by_name()
        usable = [each for each in known.values() if each.namespace == namespace]
        if not usable:
            raise SchemeUnknown(f"nothing here signs for addresses of {namespace}")
        found = usable[0] if name is None else known.get(name)
        if found is not None and found.namespace == namespace:
            return found
        wrong = f"{shown(name or '')} is no way to sign"
        if found is not None:
            wrong = f"{name} is for {unlike(found.namespace, namespace)}"
        raise SchemeUnknown(f"{wrong}; use one of {', '.join(each.name for each in usable)}")

    async def verify(self, name: str, facts: SigningFacts, signature: str, message: str | None) -> ContractProof | None:
        """Raises MessageMismatch, SignatureInvalid, ChainUnavailable or TooMany, whatever goes wrong in a scheme: it
        may be anybody's."""
        scheme = self.by_name().get(name)
        if scheme is None:  # its plugin was taken away since the challenge
            raise SignatureInvalid(f"nothing here verifies {name} any more; ask for a new challenge")
        try:
            return await scheme.verify(facts, signature, message)
        except (ChainUnavailable, MessageMismatch, SignatureInvalid, TooMany):
            raise
        except Exception as fault:
            logger.bind(scheme=name, error=type(fault).__name__).warning("signature scheme failed; refused")
            raise SignatureInvalid("the signature could not be verified") from fault
