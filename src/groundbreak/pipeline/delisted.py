"""Sites of an earlier run that the watch-list does not hold any more: they must not just vanish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundbreak.kept import kept_json
from groundbreak.plural import counted
from groundbreak.sites.read import SiteList

MOST_NAMED = 10
"""Sites that a note names."""


def delisted(run: Path, watched: SiteList) -> dict[str, int]:
    """Ids of the sites that the last finished run in a folder told of and nobody watches now.

    A site that is refused now is still watched: that it is refused is told.

    Returns:
        How many events that run told of each.
    """
    before = kept_json(run / "summary.json", _events)
    here = {site.id for site in watched.sites}
    # The subject of a refusal is the place in the file, and what the site is called there.
    refused = {r.subject.partition(" (")[2].removesuffix(")") for r in watched.refused}
    return {name: events for name, events in (before or {}).items() if name not in here | refused}


def _events(document: Any) -> dict[str, int]:
    """How many events were told of each site."""
    return {str(site["id"]): int(site["events"]) for site in document["sites"]}


def in_words(gone: Mapping[str, int], of: str = "the earlier run") -> str:
    """``2 sites of the earlier run are not in the watch-list any more: a, b (3 events of them …``.

    Empty for none.
    """
    if not gone:
        return ""
    names = ", ".join(list(gone)[:MOST_NAMED])
    names += f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
    are, them = ("is", "it") if len(gone) == 1 else ("are", "them")
    events = sum(gone.values())
    told = f"{counted(events, 'event')} of {them} {'is' if events == 1 else 'are'} no longer told"
    return f"{counted(len(gone), 'site')} of {of} {are} not in the watch-list any more: {names}" + (
        f" ({told})" if events else ""
    )
