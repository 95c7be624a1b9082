"""The run folder: claimed by one process at a time, never half-written, never somebody else's."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groundbreak.atomic import output_error, write_json
from groundbreak.errors import OutputError

MARKER = "run.json"
LOCK = ".lock"


@contextmanager
def claimed(run: Path) -> Iterator[None]:
    """Hold the run folder for this process.

    Raises:
        OutputError: it exists and is not a run folder, it cannot be written, or
            another process is at work in it.
    """
    ours = any((run / name).exists() for name in (MARKER, LOCK))
    if run.exists() and (not run.is_dir() or (any(run.iterdir()) and not ours)):
        raise OutputError(str(run), "is not a run folder", "choose a new folder, or a run's own")
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / LOCK).open("a+")
    except OSError as error:
        raise output_error(run, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(
                str(run), "another groundbreak is at work in it", "wait until it has finished"
            ) from None
        yield


@contextmanager
def logged(run: Path) -> Iterator[None]:
    """Write everything that is logged to ``log.jsonl`` as well, one JSON document a line."""
    try:
        handler = _JsonLines(run / "log.jsonl", encoding="utf-8")
    except OSError as error:
        raise output_error(run / "log.jsonl", error) from error
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


class _JsonLines(logging.FileHandler):
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
        OutputError: the folder is not a run.
    """
    path = run / MARKER
    if not path.is_file():
        raise OutputError(str(run), "is not a run folder (it has no run.json)")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def write_run(run: Path, document: dict[str, Any]) -> None:
    """Record what the run was asked for.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(run / MARKER, document)
