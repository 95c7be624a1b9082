"""The file object that stands for a remote file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from groundbreak.errors import InputError

AHEAD = 1 << 22
"""Most bytes fetched beyond what is asked for."""


class RemoteFile(io.RawIOBase):
    """A remote file that can be read from anywhere.

    It is made for GDAL, which an exception inside a read would corrupt. A read that fails
    returns nothing instead, as all later ones do, and the reason is kept in ``error``: look there
    when a dataset read through it was done with, whether GDAL complained or not.

    Args:
        size: of the file in bytes.
        read_at: the bytes from a first to one past a last, and how many bytes may be fetched
            beyond because they will likely be asked for next; raises ``InputError``.
    """

    def __init__(self, size: int, read_at: Callable[[int, int, int], bytes]) -> None:
        super().__init__()
        self.error: InputError | None = None
        self._size = size
        self._read_at = read_at
        self._at = 0
        self._streak = 0
        self._streak_end = -1

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset`` from the start, from here or from the end."""
        base = (0, self._at, self._size)[whence]
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes (all that follow if negative); nothing at the end or on failure."""
        start = self._at
        stop = self._size if size is None or size < 0 else start + size
        stop = min(stop, self._size)
        if start >= stop or self.error is not None:
            return b""
        # Who has read on from where he was will likely go on: fetch as much ahead as he has read.
        if start != self._streak_end:
            self._streak = 0
        try:
            data = self._read_at(start, stop, min(self._streak, AHEAD))
        except InputError as error:
            self.error = error
            return b""
        self._at = self._streak_end = start + len(data)
        self._streak += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``; returns how much was read."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
