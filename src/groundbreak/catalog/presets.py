"""The STAC APIs known by name, and which hosts belong to an API."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from groundbreak.errors import CatalogError
from groundbreak.types import host_with_port

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""An API that is asked by one of these names may write its addresses with another."""


@dataclass(frozen=True)
class Signing:
    """How the addresses of one storage provider are signed.

    Attributes:
        host: pattern of the hosts whose addresses are signed; the account is its first label,
            the container the first part of the path.
        token_url: where a token for an account and a container is had; ``{account}`` and
            ``{container}`` are filled in.
    """

    host: str
    token_url: str


@dataclass(frozen=True)
class Preset:
    """A STAC API.

    Attributes:
        api: its address.
        name: what it is called on the command line, None for one given by its address.
        collection: searched when none is asked for; None = all of them.
        asset_hosts: hosts that its assets lie on, besides its own.
        signing: how its assets are signed, if they are.
    """

    api: str
    name: str | None = None
    collection: str | None = None
    asset_hosts: tuple[str, ...] = ()
    signing: Signing | None = None


PRESETS: tuple[Preset, ...] = (
    Preset(
        api="https://earth-search.aws.element84.com/v1",
        name="earth-search",
        collection="sentinel-2-l2a",
        asset_hosts=(
            "sentinel-cogs.s3.us-west-2.amazonaws.com",
            "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
        ),
    ),
    # https://planetarycomputer.microsoft.com/docs/concepts/sas/
    Preset(
        api="https://planetarycomputer.microsoft.com/api/stac/v1",
        name="planetary-computer",
        collection="sentinel-2-l2a",
        asset_hosts=("*.blob.core.windows.net",),
        signing=Signing(
            host="*.blob.core.windows.net",
            token_url="https://planetarycomputer.microsoft.com/api/sas/v1/token/{account}/{container}",  # noqa: S106
        ),
    ),
)


def find_preset(api: str) -> Preset:
    """The preset of that name or address; for any other http(s) address one that knows nothing.

    Raises:
        CatalogError: it is neither a known name nor an http(s) address.
    """
    wanted = api.strip().rstrip("/")
    for preset in PRESETS:
        if wanted.lower() == preset.name or _same_place(wanted, preset.api):
            return preset
    if not _is_address(wanted):
        names = " or ".join(str(preset.name) for preset in PRESETS)
        raise CatalogError(
            api, "is not a STAC API", f"give {names}, or an address that begins with https://"
        )
    return Preset(api=wanted)


def readable_hosts(
    api: str | None, allow: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which hosts may be read for the results of an API.

    These are the API's own host, the hosts of its preset, and those the user allows by name.
    Only the last may have private addresses: an API's address is read from the catalogue file,
    which may come from anywhere. An API on the loopback says so in its address, so it needs no
    further leave, but for its own port only: another service of this machine is another's.

    Args:
        api: name or address of the API; None if the scenes come from none.
        allow: hosts named by the user: ``name``, ``name:port`` or ``*.domain``.

    Returns:
        ``hosts`` and ``private_hosts`` of a ``HrefPolicy``.
    """
    if api is None:
        return tuple(allow), tuple(allow)
    preset = find_preset(api)
    own = urlsplit(preset.api).hostname or ""
    if is_loopback(own):
        return (*_places(preset.api), *allow), (*_places(preset.api), *allow)
    return (own, *preset.asset_hosts, *allow), tuple(allow)


def own_hosts(api: str) -> tuple[str, ...]:
    """The host, with its port, that an API's own pages lie on, under each of its names."""
    parts = urlsplit(api)
    host, port = parts.hostname or "", parts.port
    names = LOOPBACK if is_loopback(host) else (host,)
    return names if port is None else tuple(host_with_port(name, port) for name in names)


def _places(api: str) -> tuple[str, ...]:
    """The port of an API on the loopback, under each name of this machine."""
    parts = urlsplit(api)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return tuple(host_with_port(name, port) for name in LOOPBACK)


def is_loopback(host: str) -> bool:
    """Whether the host's name says that it is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no such port, or brackets that do not match
        return False


def _same_place(one: str, other: str) -> bool:
    if not _is_address(one):
        return False
    a, b = urlsplit(one), urlsplit(other)
    return (a.hostname, a.port, a.path) == (
        b.hostname,
        b.port,
        b.path,
    )
