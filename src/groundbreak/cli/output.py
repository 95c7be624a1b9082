"""How results reach a person or a program: text or one JSON document on stdout, notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Progress(Protocol):
    """Told what is being done."""

    def __call__(self, message: str, done: float | None = None) -> None:
        """``done`` is the share of all work that is finished, if known."""


def print_json(document: Any) -> None:
    """The one document of a command under ``--json``."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_line(text: str = "") -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A remark that is not the result."""
    sys.stderr.write(text + "\n")


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on a terminal, plain lines (at most one per ten percent) otherwise."""
    if sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield _Lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def update(message: str, done: float | None = None) -> None:
            bar.update(task, description=message, completed=done)

        yield update


class _Lines:
    def __init__(self) -> None:
        self._tenth = -1

    def __call__(self, message: str, done: float | None = None) -> None:
        if done is None or int(done * 10) <= self._tenth:
            return
        self._tenth = int(done * 10)
        note(f"{done:4.0%} {message}")
