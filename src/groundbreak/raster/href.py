"""Which asset addresses may be read: an address in a catalogue is untrusted input."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from groundbreak.errors import HrefError
from groundbreak.types import HrefPolicy

Opener = Callable[[str], IO[bytes]]
"""Opens an http(s) address as a seekable binary file.

It is the opener that must refuse redirects to private addresses. If a file it returns has an
attribute ``error`` that is not None after reading, that exception is raised: an exception inside a
read would be lost in GDAL.
"""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-_]*):")


def is_remote(href: str) -> bool:
    """Whether an address is http(s)."""
    return href.lower().startswith(("http://", "https://"))


def shown(href: str) -> str:
    """The address as it may appear in a message: a query string may be a signature."""
    return href.partition("?")[0] if is_remote(href) else href


def resolve_href(href: str, policy: HrefPolicy) -> str:
    """The address to read, if the policy allows it.

    Local files must lie, after all symbolic links, below ``policy.root`` or one of
    ``policy.folders``; relative addresses start at the root. Hosts must be named. Everything
    else that GDAL could be talked into (``/vsi…``, VRT, subdatasets, other schemes) is refused.

    Returns:
        An absolute local path without links, or the http(s) address as it was.

    Raises:
        HrefError: it may not be read.
    """
    if not href.strip() or any(ord(c) < 32 for c in href):
        raise HrefError(repr(href), "is not an address")
    if is_remote(href):
        return _remote(href, policy)
    scheme = _SCHEME.match(href)
    if scheme and scheme.group(1).lower() == "file":
        parts = urlsplit(href)
        if parts.netloc not in ("", "localhost"):
            raise HrefError(href, "names a file of another machine")
        href = unquote(parts.path)
    elif scheme:
        raise HrefError(
            href, f"has the scheme '{scheme.group(1)}'", "only files and http(s) are read"
        )
    return str(_local(href, policy))


def _remote(href: str, policy: HrefPolicy) -> str:
    try:
        parts = urlsplit(href)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise HrefError(shown(href), "is not a valid address") from error
    if not host:
        raise HrefError(shown(href), "names no host")
    _refuse_vrt(parts.path, shown(href))
    default = 443 if parts.scheme.lower() == "https" else 80
    if not policy.allows_host(host, port or default):
        raise HrefError(
            shown(href),
            f"lies on {host}, which is not a host of this catalogue",
            f"allow it by name with --allow {host}",
        )
    return href


def _local(href: str, policy: HrefPolicy) -> Path:
    if href.lstrip("/\\").lower().startswith("vsi") and href[0] in "/\\":
        raise HrefError(href, "is a virtual file of GDAL, not a file", "give a plain path")
    path = Path(href)
    if not path.is_absolute():
        if policy.root is None:
            raise HrefError(href, "is relative, and the catalogue has no folder")
        path = Path(policy.root) / path
    try:
        path = path.resolve()
        folders = [Path(f).resolve() for f in (policy.root, *policy.folders) if f is not None]
    except (OSError, RuntimeError) as error:  # a loop of links
        raise HrefError(href, "cannot be followed to a file") from error
    _refuse_vrt(path.name, href)
    if not any(path.is_relative_to(folder) for folder in folders):
        raise HrefError(
            href,
            "lies outside the folder of the catalogue",
            f"allow its folder by name with --allow {path.parent}",
        )
    return path


def _refuse_vrt(name: str, href: str) -> None:
    if name.lower().endswith(".vrt"):
        raise HrefError(href, "is a VRT, which may point anywhere", "give the rasters themselves")
