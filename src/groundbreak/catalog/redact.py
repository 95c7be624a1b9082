"""Addresses without their secrets, names without odd bytes: for messages, logs and files."""

from __future__ import annotations

import logging
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

# A shared access signature of Azure is `sig` with parameters that mean nothing without it.
_AZURE = re.compile(r"s[a-z]{1,3}|skoid|sktid")
# Signed addresses of AWS, CloudFront and Google, and plain keys.
_NAMED = re.compile(
    r"x-(amz|goog)-.*|signature|expires|policy|key-pair-id|awsaccesskeyid|googleaccessid"
    r"|(access_?)?token|(api|subscription)?[-_]?key|password"
)
_QUERY = re.compile(r"\?[^\s'\")>]*")


def for_message(url: str) -> str:
    """The address without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not a valid address
        return url.partition("?")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, _host(parts.netloc), parts.path, "", ""))


def for_file(url: str) -> str:
    """The address without user, password and signature; other parameters stay.

    What is not an http(s) address is returned as it is.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        return url
    fields = parse_qsl(parts.query, keep_blank_values=True)
    azure = any(name.lower() == "sig" for name, _ in fields)
    kept = [(name, value) for name, value in fields if not _is_secret(name.lower(), azure)]
    query = parts.query if len(kept) == len(fields) else urlencode(kept)
    return urlunsplit((parts.scheme, _host(parts.netloc), parts.path, query, parts.fragment))


def hide_queries_in_log() -> None:
    """Keep signed addresses out of the log lines of urllib3, which logs each request's path."""
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(each, _WithoutQueries) for each in logger.filters):
        logger.addFilter(_WithoutQueries())


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_cut(each) for each in record.args)
        record.msg = _cut(record.msg)
        return True


def _cut(value: object) -> object:
    if isinstance(value, (str, Exception)):
        return _QUERY.sub("?…", str(value))
    return value


def _is_secret(name: str, azure: bool) -> bool:
    return bool(_NAMED.fullmatch(name) or (azure and _AZURE.fullmatch(name)))


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def printable(text: str) -> str:
    r"""Text for files and terminals: what is not UTF-8, and control characters, as ``\x1b``.

    File names may hold any bytes, and a catalogue any text.
    """
    known = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in known)
