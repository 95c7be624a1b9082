"""The command line as a shell would call it, in this process; and what a run says of its input."""

import html
import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from groundbreak.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line on stderr, which must be the only one that is not progress."""
        *progress, last = self.err.splitlines()
        assert last.startswith("groundbreak: "), self.err
        assert all(line.lstrip().split(" ")[0].endswith("%") for line in progress), self.err
        return last.removeprefix("groundbreak: ")

    def json(self):
        """The document on stdout, which must hold nothing else."""
        return json.loads(self.out)


def call(words, capfd, monkeypatch) -> Answer:
    """Run ``groundbreak WORDS``; logging starts as in a fresh process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    words = [str(word) for word in words]
    monkeypatch.setattr(sys, "argv", ["groundbreak", *words])
    capfd.readouterr()
    root.handlers[:] = []
    try:
        with pytest.raises(SystemExit) as ended:
            main.run(words)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    captured = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return Answer(ended.value.code, captured.out, captured.err)


@contextmanager
def mounted(folder: Path, *options: str):
    """A file system of its own at ``folder``; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here ({error})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def temporary_files(folder: Path) -> list[Path]:
    """What an interrupted write would leave: hidden files, but for the lock."""
    return [p for p in folder.rglob(".*") if p.is_file() and p.name not in (".lock", ".batch.lock")]


def observed(run: Path) -> list[dict]:
    return pq.read_table(run / "observed.parquet").to_pylist()


def events(run: Path) -> list[dict]:
    document = json.loads((run / "events.geojson").read_text())
    return [feature["properties"] for feature in document["features"]]


def places_that_say(run: Path, text: str) -> set[str]:
    """Which of the log, the report and ``observed.parquet`` of a run contain a text."""
    log = [json.loads(line)["message"] for line in (run / "log.jsonl").read_text().splitlines()]
    page = html.unescape((run / "report.html").read_text())
    rows = [[row["reason"] or "", *(row["site_notes"] or ())] for row in observed(run)]
    found = {
        "log": any(text in message for message in log),
        "report": text in page,
        "observed": any(text in reason for reasons in rows for reason in reasons),
    }
    return {place for place, there in found.items() if there}


EVERYWHERE = {"log", "report", "observed"}
