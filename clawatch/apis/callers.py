"""Where a request comes from and whom it means: Host, Origin, proxies and loopback.

A browser page can send requests anywhere, and DNS can point any name at us. So a request's Host must be
one of our names, what carries a cookie must come from our own pages, and only what truly comes from this
machine may use a loopback grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web
from yarl import URL

from clawatch.ports import Invalid

Network = IPv4Network | IPv6Network

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised here, bound nowhere
_PROXY_HEADERS = ("x-forwarded", "forwarded", "via", "x-real-ip")
"""How the names of headers begin that only proxies add."""


class Place:
    """Where we are: the address we listen on, our public URL, and the proxies in front of us."""

    def __init__(self, host: str, port: int, public_url: str | None = None, proxies: Sequence[str] = ()) -> None:
        self.host = host
        self.port = port
        self.public_url = (public_url or f"http://{_bracketed(_reachable(host))}:{port}").rstrip("/")
        self._public = _absolute(self.public_url)
        self._names = _LOCAL_NAMES | {(self._public.host or "").lower(), _unbracketed(host).lower()} - _WILDCARDS
        self._proxies = [_network(proxy) for proxy in proxies]

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def is_https(self) -> bool:
        return self._public.scheme == "https"

    def is_ours(self, request: web.BaseRequest) -> bool:
        """Whether the request's Host is one of our names, on whatever port a tunnel may give it.

        Listening on every address, the address that the connection came in on is ours too.
        """
        hosts = request.headers.getall("Host", [])
        name = _host_name(hosts[0]) if len(hosts) == 1 else None
        return name is not None and (name in self._names or (self.host in _WILDCARDS and name == _own_address(request)))

    def is_own_origin(self, request: web.BaseRequest) -> bool:
        """Whether an ``Origin`` is there and is one of our own pages', including the port."""
        origin = request.headers.get("Origin", "").lower()
        if origin == str(self._public.origin()):
            return True
        host = request.headers.get("Host", "").lower()
        if self.is_https and _host_name(host) == self._public.host:
            return False
        return origin == f"http://{host.removesuffix(':80')}"

    def is_asked_for_elsewhere(self, request: web.BaseRequest) -> bool:
        """Whether another site's page is behind the request, as far as its browser tells.

        Without an ``Origin`` only Fetch Metadata does (https://www.w3.org/TR/fetch-metadata/); pages of another port
        of this machine are ``same-site``, and get our cookies.
        """
        if "Origin" in request.headers:
            return not self.is_own_origin(request)
        return request.headers.get("Sec-Fetch-Site", "none").lower() not in ("none", "same-origin")

    def client(self, request: web.BaseRequest) -> str:
        """The client's address: the peer's, or what our trusted proxies say of it."""
        address = _peer(request)
        if not self.is_proxy(address):
            return address
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for hop in reversed([hop.strip() for hop in forwarded if hop.strip()]):
            if not _is_address(hop):
                break
            address = hop
            if not self.is_proxy(hop):
                break
        return address

    def is_local(self, request: web.BaseRequest) -> bool:
        """Whether the request comes from this machine, through no proxy, and from no foreign page."""
        return self.is_from_here(request) and not self.is_asked_for_elsewhere(request)

    def is_from_here(self, request: web.BaseRequest) -> bool:
        """Whether it comes from this machine and through no proxy, whatever page may have asked for it."""
        return (
            is_loopback(_peer(request))
            and not any(name.lower().startswith(_PROXY_HEADERS) for name in request.headers)
            and self.is_ours(request)
        )

    def is_proxy(self, address: str) -> bool:
        """Whether the address is one of our trusted proxies'."""
        if not self._proxies or not _is_address(address):
            return False
        ip = ip_address(address)
        return any(ip in network for network in self._proxies)


def is_loopback(host: str) -> bool:
    """Whether this host name or address is reached from this machine only."""
    host = _unbracketed(host)
    if not _is_address(host):
        return host.lower() == "localhost"
    ip = ip_address(host)
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def client_of(request: web.BaseRequest) -> str:
    """The client's address as the web server settled it (behind our proxies), else the peer's."""
    return request[_CLIENT] if _CLIENT in request else _peer(request)


def mark_client(request: web.BaseRequest, address: str) -> None:
    request[_CLIENT] = address


_CLIENT = web.RequestKey("client", str)


def is_websocket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise Invalid(f"server.trusted_proxies: {text!r} is neither an address nor a network like 10.0.0.0/8") from None


def _absolute(text: str) -> URL:
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise Invalid(f"server.public_url: {text!r} is not a URL like https://clawatch.example.com")
    return url


def _reachable(host: str) -> str:
    """A name to reach ourselves by: links cannot go to every address."""
    return "127.0.0.1" if host in _WILDCARDS else _unbracketed(host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _unbracketed(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


@lru_cache(maxsize=256)
def _host_name(host: str) -> str | None:
    """The name in a Host header, without its port; None when it is malformed."""
    name, bracket, port = host.lower().rpartition("]") if host.startswith("[") else ("", "", "")
    if bracket:
        name, port = name[1:], port.removeprefix(":")
    else:
        name, _, port = host.lower().partition(":")
    return name.removesuffix(".") if not port or port.isdecimal() else None


def _peer(request: web.BaseRequest) -> str:
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    return _plain_address(name[0]) if isinstance(name, tuple) else ""


def _own_address(request: web.BaseRequest) -> str | None:
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return _plain_address(name[0]) if isinstance(name, tuple) else None


def _plain_address(address: str) -> str:
    """Without the prefix that a socket for both families puts before IPv4, and without a zone."""
    return address.removeprefix("::ffff:").partition("%")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
