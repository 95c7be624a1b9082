"""Outputs appear whole or not at all: write under a temporary name, then rename."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from groundbreak.errors import OutputError

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}(\.[^.]+)?")
STALE_S = 3600.0
"""Seconds after which nobody is writing a temporary file any more."""
_umask_turn = threading.Lock()


def output_error(path: Path, error: OSError) -> OutputError:
    """The one-line message for a failed write."""
    if error.errno == errno.ENOSPC:
        return OutputError(str(path), "the disk is full", "free some space and run it again")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return OutputError(str(path), "may not be written", "choose another output folder")
    return OutputError(str(path), f"cannot be written ({error.strerror or error})")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary name keeps the suffix, since writers choose their format by it.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise output_error(path, error) from error
    temporary = Path(name)
    try:
        os.close(handle)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def to_become(path: Path) -> str | None:
    """The name that a temporary file was to have; None if it is none of ``atomic_path``."""
    match = _TEMPORARY.fullmatch(path.name)
    return None if match is None else match[1] + (match[2] or "")


def clear_leftovers(temporaries: Iterable[Path]) -> None:
    """Remove temporary files that nothing was written to for `STALE_S`, as far as can be done.

    By age and not by a lock: on some network disks a locked file cannot be written by a library
    that opens it once more.
    """
    for path in temporaries:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any, indent: int | None = 2) -> None:
    """Write a JSON document atomically; NaN is refused because JSON has none.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(
        path, json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    )


def _umask() -> int:
    # It can only be read by setting it, and it is that of the whole process.
    with _umask_turn:
        mask = os.umask(0)
        os.umask(mask)
    return mask
