"""The run folder: claimed by one process at a time, never half-written, never somebody else's."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

from groundbreak.atomic import clear_leftovers, output_error, to_become, write_json
from groundbreak.errors import GroundbreakError, OutputError
from groundbreak.kept import kept_json
from groundbreak.pipeline.sitework import WORK
from groundbreak.writers.stac import ASSETS

log = logging.getLogger(__name__)

MARKER = "run.json"
LOCK = ".lock"
WRITING = "writing"
"""Status of a run whose results are being replaced, one file after the other."""
OUTPUTS = (*ASSETS, "item.json", "report.html")
"""Files that appear in a run folder itself."""

WITHOUT_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
"""How file systems answer that have no locks: Lustre without ``-o flock``, some NFS."""

UNLOCKED = (
    "its file system has no locks: nothing keeps another groundbreak from working in it "
    "at the same time"
)

ANEW = "give the same detect command again: it is made anew"

T = TypeVar("T")


@contextmanager
def claimed(run: Path) -> Iterator[tuple[str, ...]]:
    """Hold the run folder for this process; what killed ones left half-written is removed.

    Yields:
        Notes, see ``held``.

    Raises:
        OutputError: it exists and is not a run folder, it cannot be written, or
            another process is at work in it.
    """
    ours = any((run / name).exists() for name in (MARKER, LOCK))
    if run.exists() and (not run.is_dir() or (any(run.iterdir()) and not ours)):
        raise OutputError(str(run), "is not a run folder", "choose a new folder, or a run's own")
    with held(run, LOCK) as notes:
        clear_leftovers(list(_temporaries(run)))
        yield notes


@contextmanager
def held(folder: Path, lock: str) -> Iterator[tuple[str, ...]]:
    """Hold a folder, which is made if need be, for this process by a lock file in it.

    The file stays, and tells later that the folder is ours.

    Yields:
        Notes: where the file system has no locks, that nothing holds the folder.

    Raises:
        OutputError: it cannot be written, or another process is at work in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / lock).open("a+")
    except OSError as error:
        raise output_error(folder, error) from error
    with file:
        try:
            locked = lock_file(file)
        except BlockingIOError:
            raise OutputError(
                str(folder), "another groundbreak is at work in it", "wait until it has finished"
            ) from None
        except OSError as error:
            raise output_error(folder / lock, error) from error
        yield () if locked else (f"{folder}: {UNLOCKED}",)


def lock_file(file: IO[Any]) -> bool:
    """Lock an open file for this process until it is closed.

    Returns:
        False where the file system has no locks: a run that could not begin would help nobody.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: it cannot be locked for another reason.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:  # so say some systems where locks are emulated
        raise BlockingIOError(error.errno, error.strerror) from error
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            return False
        raise
    return True


def _temporaries(run: Path) -> Iterator[Path]:
    """Temporary files of a run's own files; other hidden ones may be the user's."""
    for path in run.glob(".*"):
        if to_become(path) in OUTPUTS and path.is_file():
            yield path
    for path in (run / WORK).rglob(".*"):
        if to_become(path) is not None and path.is_file():
            yield path


@contextmanager
def logged(run: Path) -> Iterator[None]:
    """Write everything that is logged to ``log.jsonl`` as well, one JSON document a line.

    Where that fails later, on a full disk, the work goes on, and a warning at the end says so.

    Raises:
        OutputError: the file cannot be opened.
    """
    path = run / "log.jsonl"
    try:
        # Names of files may hold bytes that are no letters: JSON escapes them just so.
        handler = _JsonLines(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise output_error(path, error) from error
    root = logging.getLogger("groundbreak")
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()
        if handler.trouble is not None:
            why = output_error(path, handler.trouble).problem
            log.warning("%s: %s; what was logged is not complete", path, why)


class _JsonLines(logging.FileHandler):
    """Keeps the first trouble with its file; there is no other place to tell each line's."""

    trouble: OSError | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.trouble = self.trouble or error
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:  # what was still to be written
            self.trouble = self.trouble or error

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("groundbreak."),
            "message": record.getMessage(),
        }
        site = getattr(record, "site", None)
        if site is not None:
            document["site"] = site
        if record.exc_text:  # of another process, or told before
            document["traceback"] = record.exc_text
        elif record.exc_info:
            document["traceback"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def read_run(run: Path) -> dict[str, Any]:
    """What a run was asked for.

    Raises:
        OutputError: the folder is not a run, the file is damaged, or the results of different
            times may lie side by side.
    """
    path = run / MARKER
    if not path.is_file():
        raise OutputError(str(run), "is not a run folder (it has no run.json)")
    document = read_document(path, _asked)
    if document["status"] == WRITING:
        raise OutputError(
            str(run), "was interrupted while its results were written", "give detect again"
        )
    return document


def _asked(document: dict[str, Any]) -> dict[str, Any]:
    """The document, if what readers take from it is of its kind."""
    _ = document["status"]
    parts = {"notes": list, "sites": dict, "catalog": dict, "weights": dict}
    for name, kind in parts.items():
        if not isinstance(document.get(name, kind()), kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    if not all(isinstance(entry, dict) for entry in document.get("weights", {}).values()):
        raise TypeError("weights hold no dict each")
    return document


def earlier_run(run: Path) -> dict[str, Any] | None:
    """What the last run in a folder was asked for, however it ended; None if nobody knows."""
    return kept_json(run / MARKER, _asked)


def finished_before(document: Mapping[str, Any] | None) -> str | None:
    """When the last run that came to its end did; None if none has, or nobody knows.

    Args:
        document: of ``earlier_run``.
    """
    if document is None:
        return None
    last = document.get("finished") or document.get("finished_before")
    return last if isinstance(last, str) else None


def read_document(path: Path, understand: Callable[[Any], T]) -> T:
    """What a JSON file of a run holds.

    Args:
        path: the file.
        understand: makes something of the document; what it raises is a fault of the file.

    Raises:
        OutputError: it is missing, damaged, or cannot be read.
    """
    try:
        return understand(json.loads(path.read_bytes()))
    except MemoryError:
        raise
    except Exception as error:
        # A document that was tampered with may be wrong in any way.
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> OutputError:
    """The one-line message for a file of a run that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return OutputError(str(path), "is missing", "finish the run: give the same command again")
    if isinstance(error, OSError) and error.errno is not None:
        return OutputError(str(path), f"cannot be read ({error.strerror})")
    kind = "" if isinstance(error, GroundbreakError) else f"{type(error).__name__}: "
    return OutputError(str(path), f"is damaged ({kind}{error})", ANEW)


def write_run(run: Path, document: dict[str, Any]) -> None:
    """Record what the run was asked for.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(run / MARKER, document)
