"""What the last update brought, for the top of the page and the cards of the events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from groundbreak.pipeline.news import GONE, changed, since
from groundbreak.pipeline.unjudged import in_words
from groundbreak.report.anchors import anchor_of
from groundbreak.report.timeline import day

MOST_NEWS = 40
"""Of a site that are listed."""

ORDER = ("new", "returned", "withdrawn", "redated", "unchecked", "unconfirmed", "confirmed")
"""Of the lists, first what asks for a reader: what was merely confirmed may be many."""

MEANINGS = {
    "new": "not told before the last update",
    "returned": "told at an earlier update, but not at the one before the last",
    "unconfirmed": "seen in more than one look before, now in the newest one only",
    "confirmed": "seen in the newest look only before, now in another one too",
    "redated": "told with other dates before",
    "withdrawn": "told before, and no longer",
    "unchecked": "told before; its images take no part now, or it was not asked for",
}


def site_news(
    news: Mapping[str, Any] | None, called: Mapping[str, int], anchors: Mapping[str, str]
) -> dict[str, Any] | None:
    """The news of a site for its part of the page; None at a first update.

    Args:
        news: of the site, as ``pipeline.news.read_news`` gives them.
        called: numbers of its events by id.
        anchors: where the page shows them, by id.
    """
    if news is None or news["since"] is None:
        return None
    lines = [
        _line(name, entry)
        | {
            "label": _where(entry) if name in GONE else _number(called.get(entry["id"])),
            "anchor": anchors.get(entry["id"], ""),
        }
        for name in ORDER
        for entry in news[name]
    ]
    updated = day(*(datetime.fromisoformat(news["updated"]),) * 2)
    return {
        "fresh": news["fresh"],
        "about": f"{updated}, since {since(news)}{changed(news)}",
        **_cut(lines),
    }


def unjudged_news(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was told of a site that cannot be judged now, for its part of the page.

    Args:
        told: of the site, as ``pipeline.unjudged.read_unjudged`` gives it.
    """
    lines = [_line("unchecked", entry) | {"label": _where(entry)} for entry in told["unchecked"]]
    return {"fresh": True, "about": in_words(told), **_cut(lines)}


def _line(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the news, which leads nowhere yet."""
    return {
        "word": name,
        "meaning": MEANINGS[name],
        "gone": name in GONE,
        "struck": name == "withdrawn",
        "text": entry["sentence"],
        "label": "",
        "anchor": "",
        "id": entry["id"],
        "own_anchor": anchor_of("news", entry["id"]),
        "told": entry if name in GONE else None,
        "chips": [],
    }


def _cut(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The first lines, and how many more there are."""
    return {
        "lines": lines[:MOST_NEWS],
        "more": f"… and {len(lines) - MOST_NEWS} more in news.json" if lines[MOST_NEWS:] else "",
    }


def _number(number: int | None) -> str:
    return "" if number is None else f"[{number}]"


def _where(told: Mapping[str, Any]) -> str:
    """Latitude and longitude to the metre, as maps take them; empty where they are not known."""
    if told.get("lat") is None or told.get("lon") is None:
        return ""
    return f"{told['lat']:.5f}, {told['lon']:.5f}"


def marks(news: Mapping[str, Any] | None) -> dict[str, list[dict[str, str]]]:
    """By id of an event, what its card is marked with; nothing at a first update."""
    found: dict[str, list[dict[str, str]]] = {}
    if news is not None and news["since"] is not None:
        for name in ORDER:
            mark = {"name": name, "meaning": MEANINGS[name]}
            for entry in news[name]:
                found.setdefault(entry["id"], []).append(mark)
    return found
