"""Which http(s) addresses may be asked, by name and by IP address.

Addresses in a catalogue are untrusted: one may point to a service that only this machine can
reach, itself or by a redirect, or through a name that resolves to a private address.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from groundbreak.catalog.presets import is_loopback
from groundbreak.catalog.redact import for_message
from groundbreak.errors import HrefError
from groundbreak.types import HrefPolicy, host_with_port

NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check(url: str, policy: HrefPolicy) -> None:
    """Raise ``HrefError`` unless ``policy`` allows the http(s) address."""
    host, port = _place(url)
    if not policy.allows_host(host, port):
        raise HrefError(
            for_message(url),
            f"lies on {host}, which is not a host of this catalogue",
            f"allow it by name with --allow {host}",
        )
    if _is_private_literal(host) and not policy.allows_private(host, port):
        raise _refuse_private(host)


def redirected(url: str, location: str, policy: HrefPolicy) -> str:
    """Where a redirect leads, if it may be followed.

    Another host must be allowed like any; one with a private address only if it is the same
    place (host and port) or is named with its port; from https there is no way back to http.

    Raises:
        HrefError: it may not be followed.
    """
    target = urljoin(url, location)
    subject, leads = for_message(url), f"redirects to {for_message(target)}, which is"
    try:
        place, origin = _place(target), _place(url)
    except HrefError:
        raise HrefError(subject, f"{leads} not an http(s) address") from None
    if not policy.allows_host(*place):
        raise HrefError(
            subject,
            f"{leads} not on a host of this catalogue",
            f"allow it by name with --allow {place[0]}",
        )
    if url.startswith("https:") and not target.startswith("https:"):
        raise HrefError(subject, f"{leads} not encrypted")
    named = host_with_port(*place) in policy.private_hosts
    if place != origin and not named and not is_public_name(place[0]):
        raise HrefError(
            subject,
            f"{leads} another service on a private address",
            f"allow it by name with --allow {host_with_port(*place)}",
        )
    return target


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from everywhere, so that reading it betrays nothing."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def is_public_name(host: str) -> bool:
    """Whether all addresses that a host's name resolves to are public."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        return True  # nothing will be reached
    return all(is_public(address) for address in found)


class _Guarded:
    """A connection that goes to public addresses only, unless the policy names the host."""

    policy: ClassVar[HrefPolicy]
    host: str
    port: int
    sock: Any

    def connect(self) -> None:
        # Checked before, but by another parser of addresses than the one that led here.
        if not self.policy.allows_host(self.host, self.port):
            raise HrefError(self.host, "is not a host of this catalogue")
        free = self.policy.allows_private(self.host, self.port)
        if not free and not is_public_name(self.host):
            raise _refuse_private(self.host)
        super().connect()  # type: ignore[misc]
        # The name may resolve to something else than a moment ago: what counts is the peer.
        if not free and not is_public(str(self.sock.getpeername()[0])):
            self.close()  # type: ignore[attr-defined]
            raise _refuse_private(self.host)


class GuardedAdapter(HTTPAdapter):
    """Makes requests use guarded connections."""

    def __init__(self, policy: HrefPolicy) -> None:
        self._policy = policy
        super().__init__(pool_connections=16, pool_maxsize=16)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by requests to make its pools of connections."""
        super().init_poolmanager(*args, **kwargs)
        http = type("_Http", (_Guarded, HTTPConnection), {"policy": self._policy})
        https = type("_Https", (_Guarded, HTTPSConnection), {"policy": self._policy})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_HttpPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
            "https": type("_HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
        }


def _is_private_literal(host: str) -> bool:
    """Seen without asking a name server, so that it holds behind a proxy too."""
    try:
        return not is_public(host)
    except ValueError:
        return is_loopback(host)


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise HrefError(for_message(url), "is not a valid address") from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host:
        raise HrefError(for_message(url), "is not an http(s) address")
    return host, port or (443 if scheme == "https" else 80)


def _refuse_private(host: str) -> HrefError:
    return HrefError(
        host,
        "has a private address, which a catalogue may not point to",
        f"allow it by name with --allow {host}",
    )
