"""What is logged in another process comes back with the result, and goes into the run's log."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar
from uuid import uuid4

T = TypeVar("T")
R = TypeVar("R")

PROCESS = uuid4().hex
"""This process: a cluster may run its workers in the very process that asked for the work."""

PACKAGE = "groundbreak"


def logged_apart(work: Callable[[T], R], task: T, asker: str) -> tuple[R, list[logging.LogRecord]]:
    """Do a task in a worker; also give back what was logged since the last task of this process.

    Args:
        work: does the task.
        task: what to do.
        asker: ``PROCESS`` of the one who asked. If that is this one, its handlers have heard
            everything already, and no records are given back.
    """
    if asker == PROCESS:
        return work(task), []
    records = _records()
    return work(task), records.take()


def replay(records: Sequence[logging.LogRecord]) -> None:
    """Give what was logged elsewhere to the handlers of this process."""
    for record in records:
        logging.getLogger(record.name).handle(record)


class _Records(logging.Handler):
    """Keeps records in a form that travels.

    One for all threads of a process: a record goes with the first task that ends after it, and is
    neither lost nor told twice.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        portable = copy.copy(record)
        portable.msg, portable.args = record.getMessage(), None
        if record.exc_info:
            portable.exc_text = logging.Formatter().formatException(record.exc_info)
            portable.exc_info = None
        self._kept.append(portable)

    def take(self) -> list[logging.LogRecord]:
        self.acquire()
        try:
            taken, self._kept = self._kept, []
        finally:
            self.release()
        return taken


@cache
def _records() -> _Records:
    handler = _Records()
    package = logging.getLogger(PACKAGE)
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    return handler
