"""What one run leaves for the next one on this machine. It may be deleted at any time.

It lies in the folder ``groundbreak`` of ``XDG_CACHE_HOME``, else of ``~/.cache``. Where that
cannot be read or written nothing is kept, and no harm is done.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from groundbreak.atomic import atomic_path
from groundbreak.errors import OutputError

log = logging.getLogger(__name__)

# RuntimeError: there is no home.
_TROUBLE = (OSError, OutputError, RuntimeError)


def read_kept(name: str) -> bytes | None:
    """What was kept under a name, None where nothing was."""
    try:
        return (_folder() / name).read_bytes()
    except _TROUBLE:
        return None


def keep(name: str, content: bytes) -> None:
    """Keep something for later runs, if possible."""
    try:
        with atomic_path(_folder() / name) as path:
            path.write_bytes(content)
    except _TROUBLE as error:
        log.info("%s is not kept: %s", name, error)


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "groundbreak"
