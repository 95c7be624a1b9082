"""Where an evaluation may be written: to a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path

from groundbreak.errors import OutputError

RUN = "run.json"
"""What tells a run of ``detect``: its room lies to the right of this one."""
FINISHED = {"metrics.json": {"sets", "overall"}, "temporal.json": {"sites", "site_years"}}
"""Written last, one by each kind of evaluation, and what is in them."""
OWN = {
    *FINISHED,
    *("curves.json", "scenes.csv", "page.html", "plots", "worst"),
    *("matches.csv", "confidence.png", "date_confidence.png"),
}
"""All that evaluations write: a folder of nothing else is one that did not come to its end."""


def check_place(out: Path) -> None:
    """Refuse a folder that holds something else than an evaluation.

    Raises:
        OutputError: it is a run, or there are other files in it and no evaluation.
    """
    if not out.is_dir():
        return
    if (out / RUN).exists():
        raise OutputError(str(out), "is a run of detect", "give the evaluation a folder of its own")
    found = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    if not found <= OWN and not any(_holds(out / name, FINISHED[name]) for name in FINISHED):
        raise OutputError(str(out), "is not empty and no earlier evaluation", "give another folder")


def _holds(path: Path, names: set[str]) -> bool:
    """Whether a file is a JSON object with these members."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= names
