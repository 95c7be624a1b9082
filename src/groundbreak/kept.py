"""What an earlier run left, read with care: what is damaged counts as not there.

A full disk, a crash or a careless hand may leave anything in a working folder. All of it can be
made anew, so that no such file may end a run, and none is used without its fault being noticed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from groundbreak.errors import GroundbreakError, UnreachedError

log = logging.getLogger(__name__)

T = TypeVar("T")


def kept_json(path: Path, understand: Callable[[Any], T]) -> T | None:
    """What a JSON file holds; None where there is none, or it is damaged (a warning).

    Args:
        path: the file.
        understand: makes something of the document; what it raises is a fault of the file, unless
            memory ran out, or another file cannot be read.

    Raises:
        UnreachedError: the file is there, but cannot be read now.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreachedError(str(path), f"cannot be read now ({error.strerror})") from error
    try:
        return understand(json.loads(data.decode("utf-8"), parse_constant=_refuse))
    except (GroundbreakError, MemoryError, OSError):
        raise
    except Exception as error:
        # A document that was tampered with may be wrong in any way.
        reason = f"{type(error).__name__}: {error}"
        log.warning("%s is damaged (%s); it counts as not there", path, reason)
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is nothing that JSON has")


def kept_whole(path: Path, size: int | None) -> bool:
    """Whether a file is there as it was written, by its size; a warning if not.

    Args:
        path: the file.
        size: in bytes, None where that was not noted.
    """
    try:
        found = path.stat().st_size
    except OSError as error:
        log.warning("%s cannot be had (%s)", path, error.strerror)
        return False
    if size in (None, found):
        return True
    log.warning("%s is damaged (%d bytes, not %s); it counts as not there", path, found, size)
    return False
