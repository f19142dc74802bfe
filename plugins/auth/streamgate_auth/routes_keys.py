"""The signing keys over HTTP, for administrators: what is there and a new one, never a secret."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.sdk.clock import rfc3339
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_auth.forms_account import SigningKeyItem, SigningKeysListed
from streamgate_auth.keys import KeyRing, RotationRunning, SigningKey
from streamgate_auth.routes import PREFIX


class KeyRoutes:
    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/keys",
                self.listed,
                policy=ADMIN,
                answer=SigningKeysListed,
                summary="Signing keys and their states",
            ),
            Route(
                "POST",
                f"{PREFIX}/keys/rotate",
                self.rotate,
                policy=ADMIN,
                answer=SigningKeyItem,
                status=201,
                summary="Make the next signing key; the one before stays until its tokens are dead",
                errors=(RotationRunning,),
            ),
        ]

    async def listed(self, call: Call[None, None]) -> SigningKeysListed:
        await self._keys.freshen()
        return SigningKeysListed(items=tuple(map(self._item, reversed(self._keys.keys.signing))))

    async def rotate(self, call: Call[None, None]) -> SigningKeyItem:
        return self._item(await self._keys.rotate())

    def _item(self, key: SigningKey) -> SigningKeyItem:
        return SigningKeyItem(
            kid=key.kid,
            state=self._keys.state(key),
            created_at=rfc3339(key.created_at_ms),
            active_from=rfc3339(key.active_from_ms),
        )
