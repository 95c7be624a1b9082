"""Tokens that open a storage provider's addresses, fetched when needed and kept while valid.

Catalogues hold plain addresses; what is added here never leaves memory.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from groundbreak.catalog.client import Answer, Client, FetchError, Limits, TransientError
from groundbreak.catalog.presets import Signing
from groundbreak.catalog.redact import for_file
from groundbreak.types import HrefPolicy

MARGIN_S = 120.0
"""A token is renewed this long before it expires, so that it lasts for the request."""


@dataclass(frozen=True)
class _Token:
    """A query string, None where the provider does not sign; valid until ``end`` (monotonic)."""

    query: str | None
    end: float


class Signer:
    """Signs addresses with the tokens of whoever signs for their host."""

    def __init__(self, signings: Sequence[Signing], limits: Limits | None = None) -> None:
        self._signings = tuple(signings)
        hosts = tuple(urlsplit(signing.token_url).netloc for signing in signings)
        # Ours, not a catalogue's: they may be anywhere.
        self._client = Client(HrefPolicy(hosts=hosts, private_hosts=hosts), limits)
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def sign(self, href: str) -> str:
        """The address with a valid token; unchanged where nobody signs for it.

        Raises:
            FetchError: the token cannot be had.
        """
        token_url = self._token_url(href)
        if token_url is None:
            return href
        # Asked for once, however many threads wait for it.
        with self._lock:
            token = self._tokens.get(token_url)
            if token is None or token.end - time.monotonic() < MARGIN_S:
                token = self._tokens[token_url] = self._fetch(token_url)
        if token.query is None:
            return href
        plain = for_file(href)
        return f"{plain}{'&' if '?' in plain else '?'}{token.query}"

    def forget(self, href: str) -> None:
        """Drop the token of an address, because it was not accepted."""
        with self._lock:
            self._tokens.pop(self._token_url(href) or "", None)

    def _token_url(self, href: str) -> str | None:
        parts = urlsplit(href)
        host = parts.hostname or ""
        container = parts.path.strip("/").split("/")[0]
        for signing in self._signings:
            if HrefPolicy(hosts=(signing.host,)).allows_host(host, parts.port) and container:
                return signing.token_url.format(account=host.split(".")[0], container=container)
        return None

    def _fetch(self, token_url: str) -> _Token:
        try:
            query, expiry = self._client.fetch(token_url, _receive)
        except FetchError as error:
            if error.status in (400, 404):  # not one of the provider's containers
                return _Token(None, float("inf"))
            raise
        left = (expiry - datetime.now(UTC)).total_seconds()
        return _Token(query, time.monotonic() + max(left, MARGIN_S + 1))


def _receive(answer: Answer) -> tuple[str, datetime]:
    try:
        told = json.loads(answer.body(1 << 16))
        return str(told["token"]), datetime.fromisoformat(told["msft:expiry"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        raise TransientError("sent something that is not a token") from None
