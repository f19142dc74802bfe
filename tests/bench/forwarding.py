"""The gateway in front of another process, beside nginx `proxy_pass` in front of the same one.

Four processes: the load generator (16 keep-alive connections), the gateway (`--only api` on uvicorn) or nginx (one
worker, keep-alive to the service, no access log), and the service, which is bare Starlette on uvicorn, so that what is
in front is what is measured. By turns. Requests a second, milliseconds a request, and processor time a request of what
is in front: the ratio that what else runs on the machine hardly touches.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import attrs

from streamgate.testing.nginx import NGINX, NO_NGINX, Nginx
from streamgate.testing.servers import NatsServer
from tests.bench.figures import Figure, LeftOut, Row
from tests.bench.load import Loaded, load
from tests.bench.processes import ALONE, UNLIMITED, bare, processor_s, running

NAME = "forwarded requests, 1 process, uvicorn"
PATH = "/api/v1/cache/stats"
REQUESTS = 4_000
ROUNDS = 3


@attrs.define
class _Front:
    """What stands before the service, and what was measured of it."""

    port: int
    pids: tuple[int, ...]
    runs: list[Loaded] = attrs.field(factory=list)
    work_us: list[float] = attrs.field(factory=list)

    def measure(self) -> None:
        before_s = processor_s(*self.pids)
        self.runs.append(load(self.port, PATH, requests=REQUESTS))
        self.work_us.append((processor_s(*self.pids) - before_s) / REQUESTS * 1e6)

    @property
    def rates(self) -> tuple[float, ...]:
        return tuple(run.per_s for run in self.runs)

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        return tuple(ms for run in self.runs for ms in run.latencies_ms)


def measure(folder: Path) -> list[Row]:
    if NGINX is None:
        return [LeftOut(NAME, NO_NGINX)]
    with NatsServer() as nats, bare("uvicorn") as service:
        address = f"127.0.0.1:{service.port}"
        upstream = f"upstream service {{ server {address}; keepalive 32; }}"
        location = 'location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }'
        site = f"{upstream} server {{ listen 127.0.0.1:@PORT@; {location} }}"
        environment = {
            "STREAMGATE_BUS__URL": nats.url,
            "STREAMGATE_API__SERVICES__CACHE": f"http://{address}",
            **ALONE,
            **UNLIMITED,
        }
        arguments = ["--only", "api", "--profile", "dev", "--engine", "uvicorn"]
        with running(folder, "api", arguments, environment) as gateway, Nginx(site) as nginx:
            ours, peer = _Front(gateway.port, (gateway.pid,)), _Front(nginx.port, nginx.pids)
            for _ in range(ROUNDS):
                ours.measure()
                peer.measure()
    beside = "nginx proxy_pass"
    return [
        Figure(name=NAME, unit="1/s", ours=ours.rates, peer=peer.rates, peer_name=beside, higher_is_better=True),
        Figure(
            name="  latency of each",
            unit="ms",
            ours=ours.latencies_ms,
            peer=peer.latencies_ms,
            peer_name=beside,
            per_s=statistics.median(ours.rates),
        ),
        Figure(
            name="  processor time of each",
            unit="µs",
            ours=tuple(ours.work_us),
            peer=tuple(peer.work_us),
            peer_name=beside,
        ),
    ]
