"""JSON-RPC's words, where they were before Solana shared them: see `rpc/wire.py`."""

from __future__ import annotations

from streamgate_auth.rpc.wire import Answer, Question, RpcError

__all__ = ["Answer", "Question", "RpcError"]
