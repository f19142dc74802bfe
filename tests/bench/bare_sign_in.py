"""The peer of sign-ins: Starlette alone, which hands out a text and answers its signature with a token. It checks the
same signature with the same library and signs the same token, and keeps nothing: a challenge may be answered twice.

python -m tests.bench.bare_sign_in PORT [hypercorn|uvicorn]
"""

from __future__ import annotations

import secrets
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from streamgate_auth.signature import recover_signer
from tests.bench.bare import answer, serve

KEY = Ed25519PrivateKey.generate()
_asked: dict[str, str] = {}


async def challenge(request: Request) -> JSONResponse:
    body = await request.json()
    nonce = secrets.token_hex(16)
    _asked[nonce] = message = f"{body['address']} signs in with {nonce}"
    return JSONResponse({"challenge_id": nonce, "message": message})


async def verify(request: Request) -> JSONResponse:
    body = await request.json()
    message = _asked.pop(body["challenge_id"])
    who = recover_signer(message.encode(), body["signature"])
    if not message.startswith(who):
        return JSONResponse({}, status_code=401)
    token = jwt.encode({"sub": who, "exp": int(time.time()) + 600}, KEY, algorithm="EdDSA")
    return JSONResponse({"access_token": token})


APP = Starlette(
    routes=[
        Route("/api/v1/auth/challenge", challenge, methods=["POST"]),
        Route("/api/v1/auth/verify-signature", verify, methods=["POST"]),
        Route("/{path:path}", answer, methods=["GET"]),
    ]
)


if __name__ == "__main__":
    serve(APP, int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "hypercorn")
