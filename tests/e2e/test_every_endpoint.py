"""Every operation of the running server against everything that is wrong: who asks, what is sent, where to.

The operations come from the server's own `/openapi.json`, the wrong requests from each one's own schema
(`hostile.py`): a new operation is tried without anybody adding it here. Each must answer a documented 4xx with a
documented code as problem+json, never a 5xx, and change nothing.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from streamgate.testing.attacks import attack
from streamgate.testing.docs.built import built
from tests.e2e.cast import Cast, gather
from tests.e2e.hostile import JSON, Case, Maker, Operation, operations_of
from tests.e2e.shared import shared_stack

pytestmark = pytest.mark.timeout(180)

AT_ONCE = 12
MAX_BODY_BYTES = 1_048_576  # `server.max_body_bytes`
PROBLEM = "application/problem+json"
FORGED = (
    "X-User-ID",
    "X-Wallet-Address",
    "X-Forwarded-User",
    "X-Streamgate-Actor",
    "X-Streamgate-Hop",
    "X-Streamgate-User",
    "X-Streamgate-Roles",
    "X-Streamgate-Identity",
    "X-Streamgate-Service",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEAD_ANSWERS = frozenset({200, 403, 404, 409, 410, 412, 422, 426})
GLOBAL_CODES = {404: "request.unknown_path", 405: "request.method_not_allowed"}

LARGER_BODIES = {"POST /api/v1/cache/set": 2 * MAX_BODY_BYTES, "POST /api/v1/gates/lists": 8 * MAX_BODY_BYTES}
"""Operations that read larger JSON than others: a value of the cache may have a megabyte, a list 100,000 addresses."""

UNCHANGING = (
    "/api/v1/content",
    "/api/v1/upload/list",
    "/api/v1/jobs/list",
    "/api/v1/jobs/schedules",
    "/api/v1/jobs/webhook-secrets",
    "/api/v1/auth/api-keys",
    "/api/v1/auth/wallets",
    "/api/v1/gates/collections",
    "/api/v1/gates/lists",
)
OF_ADMINS = ("/api/v1/monitor/alerts", "/api/v1/auth/keys")


def form_of(name: str, body: bytes) -> bytes:
    """multipart/form-data with one part, boundary `x`."""
    disposition = f'Content-Disposition: form-data; name="{name}"' if name else "Content-Disposition: form-data"
    filename = '; filename="a.bin"' if name in ("file", "chunk") else ""
    return b"--x\r\n" + f"{disposition}{filename}\r\n\r\n".encode() + body + b"\r\n--x--\r\n"


@attrs.frozen
class Seen:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@pytest.fixture(scope="module", params=["all", "split"])
def cast(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return asyncio.run(gather(shared_stack(request), tmp_path_factory.mktemp("hostile")))


@pytest.fixture
def operations(cast: Cast) -> list[Operation]:
    return operations_of(cast.document)


def role_for(operation: Operation) -> str:
    """Who gets furthest with it."""
    return "admin" if operation.policy == "admin" else "" if operation.policy == "token" else "creator"


class Sender:
    """Sends many cases at once, and says of each what is wrong with its answer."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.faults: list[str] = []
        self.sent = 0

    async def send_all(self, cases: Iterable[tuple[Operation, Case, str]]) -> None:
        """Each with its operation, and who sends it."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            await asyncio.gather(*(self._try(http, *each) for each in cases))

    async def _try(self, http: aiohttp.ClientSession, operation: Operation, case: Case, role: str) -> None:
        headers = {**self._cast.headers(role), **case.headers}
        async with self._slots:
            seen = await ask(http, self._cast.url, case, headers)
        self.sent += 1
        self.faults += [
            f"{operation}: {case.name} → {seen.status} {seen.body[:300]!r}: {said}"
            for said in objections(operation, case, seen)
        ]


async def ask(http: aiohttp.ClientSession, base_url: str, case: Case, headers: dict[str, str]) -> Seen:
    skipped = () if headers.get("Content-Type") else ("Content-Type",)
    plain = {name: value for name, value in headers.items() if value}
    async with http.request(
        case.method,
        URL(base_url + case.url, encoded=True),
        data=None if case.body is None else io.BytesIO(case.body),
        headers=plain,
        skip_auto_headers=skipped,
        allow_redirects=False,
    ) as answer:
        return Seen(answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read())


def objections(operation: Operation, case: Case, seen: Seen) -> list[str]:
    """What is wrong with the answer to a wrong request."""
    if seen.status not in case.wanted:
        return [f"wanted {sorted(case.wanted)}"]
    found = [] if seen.headers.get("content-type") == PROBLEM else [f"is {seen.headers.get('content-type')}"]
    if case.method == "HEAD" or found:
        return found
    problem = seen.problem
    if problem["status"] != seen.status or problem["request_id"] != seen.headers.get("x-request-id"):
        found.append("status or request id differ")
    known = (*operation.codes(seen.status), GLOBAL_CODES.get(seen.status))
    if problem["code"] not in known:
        found.append(f"code not among {known}")
    if case.allowed and seen.headers.get("allow") != case.allowed:
        found.append(f"allows {seen.headers.get('allow')}, not {case.allowed}")
    named = [each["field"] for each in problem.get("errors", ())]
    if seen.status == 422 and not named:
        found.append("names no field")
    elif case.field and seen.status == 422 and not any(name.startswith(case.field) for name in named):
        found.append(f"does not name {case.field}, but {named}")
    return found


async def state_of(cast: Cast) -> dict[str, Any]:
    """What the creator and an admin see of what there is."""
    found: dict[str, Any] = {}
    asked = [("creator", path) for path in UNCHANGING] + [("admin", path) for path in OF_ADMINS]
    asked.append(("creator", f"/api/v1/content/{cast.ids['content_id']}"))
    asked.append(("creator", f"/api/v1/content/{cast.ids['content_id']}/gate"))
    async with aiohttp.ClientSession(cast.url) as http:
        for role, path in asked:
            async with http.get(path, headers=cast.headers(role)) as answer:
                assert answer.status == 200, (path, await answer.text())
                found[path] = without_times(await answer.json())
    return found


def without_times(plain: Any) -> Any:
    """Without what moves by itself."""
    moving = ("last_used_at", "now", "progress", "evaluated_at", "last_value", "state_of_rule")
    if isinstance(plain, dict):
        hidden = (*moving, "state") if "kid" in plain else moving  # a key that was made before takes over in its time
        return {key: without_times(value) for key, value in plain.items() if key not in hidden}
    return [without_times(each) for each in plain] if isinstance(plain, list) else plain


async def run(cast: Cast, cases: Sequence[tuple[Operation, Case, str]]) -> None:
    sender = Sender(cast)
    before = await state_of(cast)
    await sender.send_all(cases)
    assert sender.sent == len(cases)
    assert sender.faults == [], "\n".join(sender.faults)
    assert await state_of(cast) == before


@attack("B12")
async def test_every_road_is_described(cast: Cast, operations: list[Operation]) -> None:
    """Routes and mounts of all plugins as their code has them, beside what the server says of itself. What answers a
    described GET answers HEAD too, and a browser's OPTIONS; `test_methods_that_are_none` tries all others."""
    described = {(each.method, each.path) for each in operations}
    table = {(route.method, re.sub(r":[a-z]+\}", "}", route.path)) for route in built().routes}
    assert table - described == set()
    beside = {path for _, path in described - table if path != "/api/v1/guestlist"}  # of the plugin from outside
    assert beside
    assert all(path.startswith("/api/v1/streaming/{content_id}/") for path in beside)
    undescribed = [
        (attrs.evolve(operations[0], spec={"responses": {}}), Case(name="GET", method="GET", url=url), "creator")
        for mount in built().mounts
        for url in (f"{mount.prefix}/", f"{mount.prefix}/x", f"{mount.prefix}/x/y/z/0")
    ]
    sender = Sender(cast)
    await sender.send_all((each, attrs.evolve(case, wanted=frozenset({404})), role) for each, case, role in undescribed)
    assert [fault for fault in sender.faults if "code not among" not in fault] == []


def of_one_operation(cast: Cast, cases: Iterable[Case]) -> Sequence[Case]:
    """All of them, and behind the gateway a third: the services are the same there, and what carries is not."""
    return list(cases)[:: 1 if cast.stack.mode == "all" else 3]


async def test_wrong_bodies(cast: Cast, operations: list[Operation]) -> None:
    cases = [
        (operation, case, role_for(operation))
        for operation in operations
        for case in of_one_operation(
            cast,
            Maker(operation, cast.document, cast.ids).wrong_bodies(LARGER_BODIES.get(str(operation), MAX_BODY_BYTES)),
        )
    ]
    assert len(cases) > (800 if cast.stack.mode == "all" else 270)
    await run(cast, cases)


@attack("B34")
async def test_wrong_paths_and_queries(cast: Cast, operations: list[Operation]) -> None:
    cases = [
        (operation, case, role_for(operation))
        for operation in operations
        for case in of_one_operation(cast, Maker(operation, cast.document, cast.ids).wrong_parameters())
    ]
    assert len(cases) > (400 if cast.stack.mode == "all" else 140)
    await run(cast, cases)


async def test_wrong_heads(cast: Cast, operations: list[Operation]) -> None:
    cases = [
        (operation, case, "")
        for operation in operations
        for case in Maker(operation, cast.document, cast.ids).wrong_heads()
    ]
    await run(cast, cases)


@attack("A3", "B26")
async def test_credentials_that_are_no_good(cast: Cast, operations: list[Operation]) -> None:
    """On public operations too, where they read one: nobody becomes anonymous unawares."""
    refused = [(f"a token {said}", {"Authorization": f"Bearer {token}"}) for said, token in cast.bad_tokens.items()]
    refused += [(said, headers) for said, headers in other_credentials(cast).items()]
    cases = []
    for operation in operations:
        if not operation.spec["security"]:  # reads none: sign-in itself, health, media by their token
            continue
        good = Maker(operation, cast.document, cast.ids).good()
        wrong = refused if operation.policy != "public" else refused[:-2]
        cases += [
            (operation, attrs.evolve(good, name=said, headers={**good.headers, **headers}, wanted=frozenset({401})), "")
            for said, headers in wrong
        ]
    assert len(cases) > 1_000
    await run(cast, cases)


def other_credentials(cast: Cast) -> dict[str, dict[str, str]]:
    """No tokens; the last two are none at all."""
    good = cast.people["admin"].access_token
    return {
        "Basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
        "no scheme": {"Authorization": good},
        "a blank one": {"Authorization": "Bearer "},
        "a very long one": {"Authorization": f"Bearer {'A' * 5_000}"},
        "an API key nobody has": {"X-API-Key": "sgk_" + "A" * 43},
        "a token as API key": {"X-API-Key": good},
        "two at once": {"Authorization": f"Bearer {good}", "X-API-Key": "sgk_" + "A" * 43},
        "words of a service": dict.fromkeys(FORGED, "admin"),
        "nobody": {},
    }


@attack("A5")
async def test_people_who_may_not(cast: Cast, operations: list[Operation]) -> None:
    """A viewer, another creator, a key that may only read; what is the creator's stays theirs."""
    cases = []
    for operation in operations:
        wrong = {"creator": ("viewer",), "admin": ("viewer", "creator"), "owner": ("viewer", "other")}
        for role in wrong.get(operation.policy.partition(" ")[0], ()):
            good = Maker(operation, cast.document, cast.ids).good(wanted=frozenset({403, 404}))
            cases.append((operation, attrs.evolve(good, name=f"as {role}"), role))
    assert len(cases) > 80
    await run(cast, cases)


def methods_of(url: str, operations: Iterable[Operation]) -> set[str]:
    """Of all operations that answer this path, whatever their parameters are named."""
    path = URL(url, encoded=True).raw_path
    shapes = {each: re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(each.path))) for each in operations}
    return {each.method for each, shape in shapes.items() if shape.fullmatch(path)}


async def test_methods_that_are_none(cast: Cast, operations: list[Operation]) -> None:
    """405, and `Allow` says which there are. HEAD is as GET, without a body."""
    none: list[tuple[Operation, Case, str]] = []
    heads: list[tuple[Operation, Case, str]] = []
    for path in sorted({each.path for each in operations}):
        operation = next(each for each in operations if each.path == path)
        maker = Maker(operation, cast.document, cast.ids)
        taken = methods_of(maker.url(), operations)
        is_for_players = operation.policy == "token" and operation.path != "/api/v1/stream/admit"
        is_for_players |= operation.path.startswith("/api/v1/stream/m/")
        taken |= {"OPTIONS"} if is_for_players else set()  # on other sites
        allowed = ", ".join(sorted(taken | ({"HEAD"} if "GET" in taken else set())))
        for method in sorted({*METHODS, "OPTIONS", "TRACE", "PROPFIND"} - taken):
            case = Case(name=f"by {method}", method=method, url=maker.url(), wanted=frozenset({405}), allowed=allowed)
            none.append((operation, case, "creator"))
        if "GET" in taken:
            heads.append((operation, Case(name="HEAD", method="HEAD", url=maker.url(), wanted=HEAD_ANSWERS), "admin"))
    assert len(none) > 500
    await run(cast, none)
    sender = Sender(cast)
    await sender.send_all(heads)
    assert [fault for fault in sender.faults if ": is " not in fault] == []


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
RAW_BODIES: tuple[tuple[str, dict[str, str], bytes, int], ...] = (
    ("POST /api/v1/upload", {"Content-Type": "text/plain"}, b"x", 415),
    ("POST /api/v1/upload", {"Content-Type": "multipart/form-data"}, b"x", 415),
    ("POST /api/v1/upload", FORM, b"no form", 400),
    ("POST /api/v1/upload", FORM, b"", 400),
    ("POST /api/v1/upload", FORM, form_of("file", b"cut off")[:-9], 400),
    ("POST /api/v1/upload", FORM, form_of("", b"no name"), 400),
    ("POST /api/v1/upload", FORM, form_of("file", b""), 422),
    ("POST /api/v1/upload", FORM, form_of("title", b"only"), 422),
    ("POST /api/v1/upload", FORM, form_of("no_such_part", b"x"), 422),
    ("POST /api/v1/upload", FORM, form_of("title", b"\xff\xfe"), 422),
    ("POST /api/v1/upload", FORM, form_of("gate", b"{"), 422),
    ("POST /api/v1/upload", FORM, form_of("content_id", b"../../etc/passwd"), 422),
    ("POST /api/v1/stream/s/{token}/licence", {}, b"", 422),
    ("POST /api/v1/stream/s/{token}/licence", {"Content-Type": "text/plain"}, b"no JSON", 422),
    ("POST /api/v1/stream/s/{token}/licence", {"Content-Type": "application/json"}, b'{"kids": [1]}', 422),
    ("POST /api/v1/stream/s/{token}/licence", {"Content-Type": "application/json"}, b" " * 20_000, 413),
    ("POST /api/v1/upload/chunk", FORM, b"no form", 400),
    ("POST /api/v1/upload/chunk", FORM, form_of("other", b"x"), 400),
    ("POST /api/v1/upload/chunk", FORM, form_of("chunk", b"cut off")[:-9], 400),
    ("POST /api/v1/upload/chunk", {"Content-Type": "multipart/form-data"}, b"x", 415),
    ("POST /api/v1/upload/chunk", {"Content-Type": "application/octet-stream"}, b"too short", 422),
    ("POST /api/v1/upload/chunk", {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, b"x", 415),
    ("POST /api/v1/upload/chunk", {"Content-Type": "a/b", "Content-Digest": "sha-256=:nope:"}, b"x", 422),
    ("PUT /api/v1/stream/poster/{content_id}.jpg", {"Content-Type": "image/png"}, b"", 422),
    ("PUT /api/v1/stream/poster/{content_id}.jpg", {"Content-Type": "image/jpeg"}, b"<svg/>", 422),
    ("PUT /api/v1/stream/captions/{content_id}/{language}", {"Content-Type": "text/vtt"}, b"WEBVTT", 422),
    ("PUT /api/v1/stream/chapters/{content_id}.vtt", {"Content-Type": "text/vtt"}, b"no chapters", 422),
    ("POST /api/v1/upload/tus", {}, b"", 412),
    ("POST /api/v1/upload/tus", {"Tus-Resumable": "0.2.2"}, b"", 412),
    ("POST /api/v1/upload/tus", TUS, b"", 400),
    ("POST /api/v1/upload/tus", {**TUS, "Upload-Length": "-1"}, b"", 400),
    ("POST /api/v1/upload/tus", {**TUS, "Upload-Length": "1e3"}, b"", 400),
    ("POST /api/v1/upload/tus", {**TUS, "Upload-Length": "9" * 400}, b"", 400),
    ("POST /api/v1/upload/tus", {**TUS, "Upload-Length": "9" * 18}, b"", 413),
    ("POST /api/v1/upload/tus", {**TUS, "Upload-Length": "5", "Upload-Metadata": "filename !"}, b"", 422),
    ("PATCH /api/v1/upload/tus/{upload_id}", {**TUS, "Content-Type": "text/plain", "Upload-Offset": "0"}, b"x", 415),
    ("PATCH /api/v1/upload/tus/{upload_id}", BYTES, b"x", 400),
    ("PATCH /api/v1/upload/tus/{upload_id}", {**BYTES, "Upload-Offset": "-1"}, b"x", 400),
    ("PATCH /api/v1/upload/tus/{upload_id}", {**BYTES, "Upload-Offset": "zero"}, b"x", 400),
    ("PATCH /api/v1/upload/tus/{upload_id}", {**BYTES, "Upload-Offset": "7"}, b"x", 409),
    ("POST /api/v1/upload/tus/{upload_id}", BYTES, b"x", 405),
    ("POST /api/v1/upload/tus/{upload_id}", {**BYTES, "X-HTTP-Method-Override": "GET"}, b"x", 405),
    ("POST /api/v1/upload/tus/{upload_id}", {**BYTES, "X-HTTP-Method-Override": "PATCH"}, b"x", 400),
)


async def test_wrong_raw_bodies(cast: Cast, operations: list[Operation]) -> None:
    """Of the operations that take no JSON, and have no schema to go by."""
    by_name = {str(each): each for each in operations}
    cases = []
    for number, (name, headers, body, status) in enumerate(RAW_BODIES):
        operation = by_name[name]
        good = Maker(operation, cast.document, cast.ids).good()
        wrong = attrs.evolve(good, name=f"raw {number}", headers=headers, body=body, wanted=frozenset({status}))
        cases.append((operation, wrong, "creator"))
    raw = {str(each) for each in operations if each.media_types and JSON not in each.media_types}
    assert raw == {name for name, *_ in RAW_BODIES}
    await run(cast, cases)
