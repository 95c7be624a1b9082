"""Reading assets over http(s): signed, in pieces, tried again, and only from allowed hosts.

GDAL's own network files (``/vsicurl``) follow redirects to anywhere, so GDAL is not given the
address. It reads through the file objects that ``Access.open`` returns instead.
"""

from __future__ import annotations

import logging
import re
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

from groundbreak.catalog.client import Answer, Client, FetchError, Limits, TransientError
from groundbreak.catalog.guard import check
from groundbreak.catalog.presets import PRESETS, Signing
from groundbreak.catalog.redact import for_message
from groundbreak.catalog.remote import RemoteFile
from groundbreak.catalog.signing import Signer
from groundbreak.errors import UnreachedError
from groundbreak.types import HrefPolicy

T = TypeVar("T")
log = logging.getLogger(__name__)

SIGNINGS = tuple(preset.signing for preset in PRESETS if preset.signing)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class AccessConfig:
    """Sizes in bytes.

    Attributes:
        block: files are read and kept in pieces of this size.
        cache: pieces kept in memory, all files together.
        request: asked for at once at most.
        whole: a file whose server does not send parts is fetched whole up to this size.
        limits: how long and how often is tried.
        signings: how addresses are signed.
    """

    block: int = 1 << 18
    cache: int = 1 << 27
    request: int = 1 << 23
    whole: int = 1 << 33
    limits: Limits = field(default_factory=Limits)
    signings: tuple[Signing, ...] = SIGNINGS


class Access:
    """Opens the assets of a catalogue. May be shared by threads, and sent to other processes.

    Args:
        policy: the hosts that may be read.
        config: sizes and limits.
    """

    def __init__(self, policy: HrefPolicy, config: AccessConfig | None = None) -> None:
        self._policy = policy
        self._config = config or AccessConfig()
        self._client = Client(policy, self._config.limits)
        self._signer = Signer(self._config.signings, self._config.limits)
        self._blocks = _Blocks(self._config.cache)
        self._sources: dict[str, _Source] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self._policy, self._config)

    def __enter__(self) -> Access:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was read and close the connections."""
        self._client.close()
        self._signer.close()
        with self._lock:
            self._sources.clear()

    def open(self, href: str) -> RemoteFile:
        """Open an http(s) asset.

        Raises:
            HrefError: its host, or one that it redirects to, may not be read.
            UnreachedError: it does not exist, or its server does not answer.
        """
        with self._lock:
            source = self._sources.get(href)
        if source is None:
            check(href, self._policy)
            source = self._probe(href)
            with self._lock:
                source = self._sources.setdefault(href, source)
        return RemoteFile(source.size, partial(self._read_at, source))

    def _probe(self, href: str) -> _Source:
        """Ask for the first block: it says how large the file is, and if parts can be had."""

        def receive(answer: Answer) -> _Source:
            if answer.status != 206:
                return self._whole(href, answer)
            first, size = _part(answer, 0, self._config.block)
            self._blocks.put((href, 0), first)
            return _Source(href, size)

        try:
            return self._request(href, receive, 0, self._config.block)
        except FetchError as error:
            if error.status == 416:  # no first byte: the file is empty
                return _Source(href, 0)
            raise _unreadable(error) from None

    def _whole(self, href: str, answer: Answer) -> _Source:
        # Without a name, so that it is gone when the process is, however that ends.
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        try:
            source = _Source(href, answer.save(file, self._config.whole), file)
        except BaseException:
            file.close()
            raise
        weakref.finalize(source, file.close)
        log.info("%s was fetched whole: its server does not send parts", for_message(href))
        return source

    def _read_at(self, source: _Source, start: int, stop: int, ahead: int) -> bytes:
        """Bytes ``start`` to ``stop`` of a file, fetching what is not kept yet.

        Args:
            source: the file.
            start: first byte.
            stop: one past the last byte, within the file.
            ahead: bytes to fetch beyond, if anything is fetched.

        Raises:
            InputError: they cannot be had.
        """
        if source.local is not None:
            with source.lock:
                source.local.seek(start)
                return source.local.read(stop - start)
        block = self._config.block
        wanted = range(start // block, -(-stop // block))
        found = {i: self._blocks.get((source.href, i)) for i in wanted}
        last = -(-source.size // block)
        for first, end in _runs([i for i, piece in found.items() if piece is None]):
            more = min(end + ahead // block, last) if end == wanted.stop else end
            found.update(self._load(source, first, more))
        joined = b"".join(found[i] or b"" for i in wanted)
        offset = start - wanted.start * block
        return joined[offset : offset + stop - start]

    def _load(self, source: _Source, first: int, end: int) -> dict[int, bytes]:
        """Fetch the blocks ``first`` to ``end`` and keep them."""
        block = self._config.block
        step = max(self._config.request // block, 1)
        loaded: dict[int, bytes] = {}
        for low in range(first, end, step):
            start, stop = low * block, min(min(low + step, end) * block, source.size)

            def receive(answer: Answer, start: int = start, stop: int = stop) -> bytes:
                data, size = _part(answer, start, stop - start)
                if size != source.size:
                    raise FetchError(source.href, "changed while it was read")
                return data

            try:
                data = self._request(source.href, receive, start, stop)
            except FetchError as error:
                raise _unreadable(error) from None
            for i in range(low, low + -(-len(data) // block)):
                loaded[i] = data[(i - low) * block : (i - low + 1) * block]
                self._blocks.put((source.href, i), loaded[i])
        return loaded

    def _request(self, href: str, receive: Callable[[Answer], T], start: int, stop: int) -> T:
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        url = self._signer.sign(href)
        try:
            return self._client.fetch(url, receive, headers=headers)
        except FetchError as error:
            if url == href or error.status not in (401, 403):
                raise
        # The signature may have expired, or been withdrawn, before its time.
        self._signer.forget(href)
        return self._client.fetch(self._signer.sign(href), receive, headers=headers)


@dataclass(frozen=True)
class _Source:
    """A file: its unsigned address, its size, and its copy if it was fetched whole."""

    href: str
    size: int
    local: BinaryIO | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Blocks:
    """The pieces used last, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int]) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[str, int], piece: bytes) -> None:
        with self._lock:
            self._bytes += len(piece) - len(self._kept.pop(key, b""))
            self._kept[key] = piece
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def _part(answer: Answer, start: int, length: int) -> tuple[bytes, int]:
    """The bytes of a partial answer, at most ``length``, and the size of the whole file."""
    told = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status != 206 or told is None or int(told.group(1)) != start:
        raise TransientError("sent another part of the file than was asked for")
    size = int(told.group(3))
    data = answer.body(length)
    if len(data) != min(length, size - start):
        raise TransientError("sent less of the file than was asked for")
    return data, size


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Rising numbers as half-open runs without gaps."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs


def _unreadable(error: FetchError) -> UnreachedError:
    mends = {
        None: "check the network, then run it again",
        401: "download it and scan the folder instead",
        403: "download it and scan the folder instead",
        404: "search again: the catalogue is out of date",
    }
    mend = mends.get(error.status, "run it again later" if (error.status or 0) >= 429 else "")
    return UnreachedError(error.address, error.reason, mend)
