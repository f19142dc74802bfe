"""JSON-RPC servers on loopback that misbehave as told: what those of all chains have in common (`nodes.py`).

They run on threads of their own, so that they serve tests of every kind, and never block their loop.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import httpx

_PIECE = b" " * 65_536


class FaultyServer(ABC):
    """A server of its own URL. Its faults are attributes, and may be changed at any time, by any thread.

    Attributes:
        requests: the methods of each HTTP request, in their order.
        errors: by method, the code of an error.
        status, body: of each answer; `body` None for a true one.
        drip_bytes: so many blanks are the answer.
        delay_s: before each answer.
        is_dead: connections are closed without an answer.
    """

    path = "/secret-key"
    """With a key in it, as many have."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, ...]] = []
        self._released = threading.Event()
        self.behave()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                server._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def behave(self) -> None:
        """Honest and well from now on."""
        self.errors: dict[str, int] = {}
        self.status = 200
        self.body: bytes | None = None
        self.drip_bytes = 0
        self.delay_s = 0.0
        self.is_dead = False

    @abstractmethod
    def answer(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to questions, in their order."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.path}"

    def methods(self) -> list[str]:
        """Of all requests."""
        return [method for request in self.requests for method in request]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        batch = asked if isinstance(asked, list) else [asked]
        self.requests.append(tuple(question["method"] for question in batch))
        if self.delay_s and self._released.wait(self.delay_s):
            handler.close_connection = True  # it is being closed, and so is what it would ask
            return
        try:
            if self.is_dead:
                handler.close_connection = True
            elif self.drip_bytes:
                self._begin(handler, 200, self.drip_bytes)
                for _ in range(self.drip_bytes // len(_PIECE)):
                    handler.wfile.write(_PIECE)
            else:
                body = self._rendered(asked, batch) if self.body is None else self.body
                self._begin(handler, self.status, len(body))
                handler.wfile.write(body)
        except (ConnectionError, httpx.HTTPError):  # whoever asked has left, or the node behind is gone
            handler.close_connection = True

    def _rendered(self, asked: Any, batch: list[dict[str, Any]]) -> bytes:  # Any: JSON values
        answers = self.answer(batch)
        return json.dumps(answers if isinstance(asked, list) else answers[0]).encode()

    def _begin(self, handler: BaseHTTPRequestHandler, status: int, size_bytes: int) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(size_bytes))
        handler.end_headers()
