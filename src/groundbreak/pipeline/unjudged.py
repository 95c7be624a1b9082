"""What was told of sites that cannot be judged now: it is not withdrawn, nor passed over.

A site of which too few images are left has no news (see ``news``): what was told of it stays noted
in its working folder. None of it is in the files of the run any more, which readers must be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from groundbreak.events import phrases
from groundbreak.pipeline.folder import read_document
from groundbreak.pipeline.news import NEWS, changed, entry_of, scenes_of, state_of
from groundbreak.plural import counted

UNJUDGED = "unjudged"
"""Member of ``news.json``."""


def told_before(folder: Path, compared: Iterable[str] | None) -> dict[str, Any] | None:
    """What was told of a site at its last update, as JSON; None for nothing.

    Args:
        folder: working folder of the site.
        compared: ids of the scenes that could be compared now; None if nobody knows.
    """
    state = state_of(folder)
    if state is None or not state.events:
        return None
    missing = set() if compared is None else scenes_of(state.looks) - set(compared)
    return {
        "told": state.updated,
        "missing": sorted(missing),
        "unchecked": [{"id": name, **asdict(then)} for name, then in state.events.items()],
    }


def read_unjudged(run: Path) -> dict[str, dict[str, Any]]:
    """By site, what `told_before` found of those that a run could not judge.

    Nothing where the run is of a version that did not note it.

    Raises:
        OutputError: the file is damaged.
    """
    path = run / NEWS
    return read_document(path, _all) if path.exists() else {}


def _all(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {site["id"]: site for site in document.get(UNJUDGED, ())}
    for site in found.values():
        _ = in_words(site)
        for event in site["unchecked"]:
            entry_of(event)
    return found


def in_words(told: Mapping[str, Any]) -> str:
    """``2 events told on 23 November 2026 cannot be checked now, …``."""
    number = len(told["unchecked"])
    moment = datetime.fromisoformat(told["told"])
    them, they_are = ("it", "it is") if number == 1 else ("them", "they are")
    return (
        f"{counted(number, 'event')} told on {phrases.date((moment, moment))} cannot be checked "
        f"now{changed(told)}: nothing speaks against {them}, and {they_are} kept until "
        "the site can be judged again"
    )
