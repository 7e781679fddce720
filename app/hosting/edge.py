"""The outermost layer of the server: which requests come in at all, and where each comes from.

What comes in bears one header, `VISITOR`, that says where it comes from and whom a trusted proxy names; it is signed,
since Gradio's MCP server calls this server once more with the headers that it got. The same header from outside, and a
proxy's header from an address that is no trusted proxy, are taken away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from app.hosting.doors import is_open
from app.hosting.mode import LOOPBACK, Hosting

VISITOR = "x-diffumask-visitor"
BODY_LIMIT = 8 * 2**20  # bytes of a request that is no upload
VALUE_LIMIT = 800_000  # and values in its JSON, by their commas and brackets: reading a million takes a second
AT_ONCE = 250  # requests of one address that may be under way, streams included
_TOO_LARGE = f"A request has at most {BODY_LIMIT:,} bytes, with {VALUE_LIMIT:,} values."
_TOO_MANY = f"At most {AT_ONCE} requests of one address are worked on at a time: close some pages, or wait."

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Admit: TypeAlias = Callable[[str, int], str]


class Origin(NamedTuple):
    """Where a request comes from.

    Attributes:
        address: of the visitor.
        user: who is signed in, as a trusted proxy says; "" = it does not.
        of_another_site: another site's page has sent it. A browser adds by itself what says who is signed in, so that
            nobody is.
    """

    address: str = ""
    user: str = ""
    of_another_site: bool = False


class Signature:
    """What this process says about a visitor, in a way that nobody else can."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, origin: Origin) -> str:
        """As the header's value."""
        body = base64.urlsafe_b64encode(json.dumps(origin).encode()).decode()
        return f"{body}.{self._digest(body)}"

    def read(self, value: str) -> Origin | None:
        """None when it was not signed here."""
        body, _, digest = value.rpartition(".")
        if not body or not hmac.compare_digest(self._digest(body).encode(), digest.encode("utf-8", "replace")):
            return None
        return Origin(*json.loads(base64.urlsafe_b64decode(body)))

    def _digest(self, body: str) -> str:
        return hmac.new(self._secret, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class Edge:
    """ASGI middleware. uploads: asked with the visitor's address and a number of bytes; says why not, or ""."""

    def __init__(self, app: App, hosting: Hosting, signature: Signature, uploads: Admit):
        self.app, self.hosting, self.signature, self.uploads = app, hosting, signature, uploads
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on with the visitor's header."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        peer = (scope.get("client") or ("",))[0]
        origin = self._origin(scope, peer)
        address = origin.address
        wrong = self._wrong(scope, peer) or self._too_much(scope, address)
        if wrong:
            await _refuse(send, *wrong)
            return
        scope["headers"] = [*self._cleaned(scope), (VISITOR.encode(), self.signature.sign(origin).encode())]
        if scope["type"] == "http" and not _is_upload(scope):
            receive = _bounded(receive)
        self._under_way[address] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]

    def _wrong(self, scope: Scope, peer: str) -> tuple[int, str] | None:
        loopback, host = peer in LOOPBACK, _host(_header(scope, "host"))
        if not self.hosting.allows_host(host, loopback):
            return 400, "This host name is not served here; whoever runs the server can add it to DIFFUMASK_HOSTS."
        if not is_open(str(scope["path"]).removeprefix(scope.get("root_path", ""))):
            return 404, "There is nothing here."
        if self.hosting.hosted:
            return None
        origin = _header(scope, "origin")
        if origin and not self.hosting.allows_host(urlsplit(origin).hostname or "", loopback):
            return 403, "Another site's page may not use this studio, which serves its own machine only."
        if scope.get("http_version") == "1.0" or _header(scope, "x-forwarded-for") or _header(scope, "forwarded"):
            return (
                403,
                "A proxy stands in front of this studio, which serves its own machine: set DIFFUMASK_MODE=hosted.",
            )
        return None

    def _too_much(self, scope: Scope, address: str) -> tuple[int, str] | None:
        if self.hosting.hosted and self._under_way[address] >= AT_ONCE:
            return 429, _TOO_MANY
        length = _header(scope, "content-length")
        size = int(length) if length.isdecimal() and len(length) < 16 else 0
        if not _is_upload(scope):
            return (413, _TOO_LARGE) if size > BODY_LIMIT else None
        if self.hosting.hosted and not size:
            return 411, "Say how large the upload is (Content-Length)."
        reason = self.uploads(address, size)
        return (429, reason) if reason else None

    def _origin(self, scope: Scope, peer: str) -> Origin:
        if peer in LOOPBACK and (known := self.signature.read(_header(scope, VISITOR))) is not None:
            return known
        elsewhere = self._of_another_site(scope, peer)
        if not self.hosting.trusts(peer):
            return Origin(_of_one_household(peer), "", elsewhere)
        header = self.hosting.user_header
        user = _header(scope, header) if header else ""
        hops = [hop.strip() for hop in _header(scope, "x-forwarded-for").split(",") if hop.strip()]
        address = next((hop for hop in reversed(hops) if not self.hosting.trusts(hop)), peer)
        return Origin(_of_one_household(address)[:60], user.strip()[:100], elsewhere)

    def _of_another_site(self, scope: Scope, peer: str) -> bool:
        origin = _header(scope, "origin")
        if not origin:
            return False
        named = {_host(_header(scope, "host")), *self.hosting.hosts}
        if self.hosting.trusts(peer):
            named.add(_host(_header(scope, "x-forwarded-host")))
        return _host(urlsplit(origin).netloc) not in named - {""}

    def _cleaned(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        hidden = {VISITOR.encode(), self.hosting.user_header.encode()}
        return [(name, value) for name, value in scope["headers"] if name.lower() not in hidden]


def _bounded(receive: Receive) -> Receive:
    bytes_left, values_left = BODY_LIMIT, VALUE_LIMIT

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal bytes_left, values_left
        message = await receive()
        body = message.get("body", b"")
        bytes_left -= len(body)
        values_left -= sum(map(body.count, (b",", b"[", b"{")))
        if min(bytes_left, values_left) < 0:
            raise HTTPException(413, _TOO_LARGE)  # whoever reads the body lets it through
        return message

    return bounded


def _is_upload(scope: Scope) -> bool:
    return scope["type"] == "http" and str(scope["path"]).rstrip("/").endswith("/upload")


def _header(scope: Scope, name: str) -> str:
    """The value of a header; of one that is there twice, all of them, which is nobody's name."""
    wanted = name.encode()
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted)


def _host(header: str) -> str:
    """Without the port.

    >>> _host("[::1]:7860"), _host("Localhost:7860")
    ('::1', 'localhost')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _of_one_household(address: str) -> str:
    """An address for quotas: of IPv6 the network that one customer gets, who has all addresses in it.

    >>> _of_one_household("8.8.8.8"), _of_one_household("2001:db8:1:2:3:4:5:6"), _of_one_household("::ffff:8.8.8.8")
    ('8.8.8.8', '2001:db8:1:2::/64', '8.8.8.8')
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
