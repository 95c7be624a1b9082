"""One careful http client for catalogues and their assets.

Every request and every redirect passes the guard (``guard.py``); sizes and times are bounded. What
may pass by itself (a busy server, a broken connection) is tried again, waiting longer each time.

Through a proxy (``HTTPS_PROXY``) names are resolved by the proxy, so only the names are checked.
"""

from __future__ import annotations

import logging
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import requests

from groundbreak.atomic import output_error
from groundbreak.catalog.guard import GuardedAdapter, check, redirected
from groundbreak.catalog.redact import for_message, hide_queries_in_log
from groundbreak.types import HrefPolicy

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = 5
CHUNK = 1 << 16
SLOWEST = 1e5
"""Bytes a second, below which an answer is given up."""


@dataclass(frozen=True)
class Limits:
    """How long and how often is tried; times in seconds.

    Attributes:
        connect_s: until a connection stands.
        silence_s: until the first byte, and between two pieces of an answer.
        total_s: a request with all its repetitions.
        attempts: how often a request is sent at most.
        backoff_s: the first wait; it doubles each time, with jitter.
    """

    connect_s: float = 10.0
    silence_s: float = 30.0
    total_s: float = 120.0
    attempts: int = 5
    backoff_s: float = 0.5


class FetchError(OSError):
    """An address that did not yield what was asked for. ``status`` is None without an answer."""

    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{for_message(url)}: {reason}")
        self.address = for_message(url)
        self.reason = reason
        self.status = status


class TransientError(Exception):
    """Raised by a receiver (see ``Client.fetch``) whose answer is worth asking for again."""

    def __init__(
        self, reason: str, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s


class Answer:
    """An answer of which only the headers are there yet."""

    def __init__(self, response: requests.Response, end: float) -> None:
        self._response = response
        self._end = end
        self.status = response.status_code
        self.headers = response.headers

    def body(self, most: int) -> bytes:
        """The body; beyond ``most`` bytes it is refused."""
        return b"".join(self._parts(most))

    def save(self, file: BinaryIO, most: int) -> int:
        """Write the body to ``file``; returns its length.

        Raises:
            OutputError: the disk is full.
        """
        length = 0
        for part in self._parts(most):
            try:
                length += file.write(part)
            except OSError as error:
                raise output_error(Path(tempfile.gettempdir()), error) from error
        return length

    def _parts(self, most: int) -> Iterator[bytes]:
        length = 0
        for part in self._response.iter_content(CHUNK):
            length += len(part)
            if length > most:
                raise FetchError(self._response.url, f"is larger than {most / 2**20:.0f} MiB")
            # A long file may take its time, but not trickle.
            if time.monotonic() > self._end + length / SLOWEST:
                raise TransientError("answers too slowly")
            yield part


class Client:
    """Fetches addresses that ``policy`` allows. May be shared by threads."""

    def __init__(self, policy: HrefPolicy, limits: Limits | None = None) -> None:
        self.policy = policy
        self.limits = limits or Limits()
        hide_queries_in_log()
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "groundbreak"
        adapter = GuardedAdapter(policy)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close the open connections."""
        self._session.close()

    def fetch(
        self,
        url: str,
        receive: Callable[[Answer], T],
        *,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> T:
        """Request ``url`` and return what ``receive`` makes of the answer (status 2xx).

        Args:
            url: an http(s) address.
            receive: reads the answer. It is called again, with a new one, if it raises
                ``TransientError`` or the connection breaks.
            headers: sent along.
            parameters: appended to the address.
            body: sent as JSON with POST; None = GET.

        Raises:
            HrefError: the policy does not allow the address, or one that it redirects to.
            FetchError: there was no answer, or not the one asked for.
        """
        if parameters:
            url = requests.Request("GET", url, params=parameters).prepare().url or url
        end = time.monotonic() + self.limits.total_s
        attempt = 1
        while True:
            try:
                return self._once(url, receive, dict(headers or {}), body, end)
            except TransientError as trouble:
                wait = self._wait(trouble, attempt)
                if attempt >= self.limits.attempts or time.monotonic() + wait >= end:
                    raise FetchError(url, _reason(trouble, attempt), trouble.status) from None
                log.info("%s %s; trying again in %.1f s", for_message(url), trouble.reason, wait)
            time.sleep(wait)
            attempt += 1

    def _wait(self, trouble: TransientError, attempt: int) -> float:
        if trouble.retry_after_s is not None:
            return trouble.retry_after_s
        return self.limits.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311

    def _once(
        self,
        url: str,
        receive: Callable[[Answer], T],
        headers: dict[str, str],
        body: Any,
        end: float,
    ) -> T:
        """Send the request once, following the redirects that may be followed."""
        # Messages of requests contain the address with its signature: never chain them.
        try:
            for _ in range(REDIRECTS + 1):
                check(url, self.policy)
                with self._send(url, headers, body, end) as response:
                    if response.is_redirect:
                        url = redirected(url, response.headers["location"], self.policy)
                        continue
                    _raise_for_status(url, response)
                    return receive(Answer(response, end))
        except FetchError:
            raise
        except requests.Timeout:
            raise TransientError("did not answer in time") from None
        except requests.exceptions.InvalidURL:
            raise FetchError(url, "is not a valid address") from None
        except requests.exceptions.SSLError:
            raise FetchError(url, "has no valid certificate") from None
        except (requests.RequestException, OSError) as error:
            raise TransientError(_broken(error)) from None
        raise FetchError(url, f"redirects more than {REDIRECTS} times")

    def _send(self, url: str, headers: dict[str, str], body: Any, end: float) -> requests.Response:
        left = max(end - time.monotonic(), 0.1)
        return self._session.request(
            "GET" if body is None else "POST",
            url,
            headers=headers,
            json=body,
            stream=True,
            allow_redirects=False,
            timeout=(min(self.limits.connect_s, left), min(self.limits.silence_s, left)),
        )


def _raise_for_status(url: str, response: requests.Response) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    if status in RETRIED_STATUS:
        reason = "is busy" if status in (429, 503) else "has trouble"
        wait = _retry_after(response.headers.get("retry-after"))
        asks = "" if wait is None else f", asks to wait {wait:.0f} s"
        raise TransientError(f"{reason} (status {status}{asks})", status, wait)
    reason = {
        401: "needs credentials (status 401)",
        403: "refuses access (status 403)",
        404: "does not exist (status 404)",
        410: "does not exist any more (status 410)",
    }.get(status, f"answers with status {status}")
    raise FetchError(url, reason, status)


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, of a Retry-After header in either of its forms; None for any other."""
    if value is None:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(wait, 0.0) if math.isfinite(wait) else None


def _reason(trouble: TransientError, attempts: int) -> str:
    return trouble.reason if attempts == 1 else f"{trouble.reason} (tried {attempts} times)"


def _broken(error: Exception) -> str:
    """A reason without the address, which the messages of requests contain."""
    text = repr(error)
    if "NameResolutionError" in text or "gaierror" in text:
        return "has an unknown host"
    if "refused" in text:
        return "refuses the connection"
    return "broke the connection"
