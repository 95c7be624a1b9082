"""What a run tells that it did not tell before: for those who read it every week.

A site is *updated* when a run compares other looks than the run before did. Until the next update
what was news stays news, however often the same command is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groundbreak.atomic import write_json
from groundbreak.events import phrases
from groundbreak.events.schema import iso
from groundbreak.kept import kept_json
from groundbreak.pipeline.folder import read_document
from groundbreak.types import Event

NEWS = "news.json"
TOLD = "told.json"
"""In the working folder of a site: what it was told of, and what before its last update."""

LISTS = ("new", "confirmed", "redated", "withdrawn")
"""What an update brings: events that were not told before, that are provisional no more, that have
other dates, and that are told no more."""


@dataclass(frozen=True)
class Told:
    """What a reader was told of an event; times in ISO 8601, None for an open end."""

    kind: str
    start_datetime: str | None
    end_datetime: str | None
    provisional: bool
    sentence: str

    @classmethod
    def of(cls, event: Event) -> Told:
        """The event as it is told now."""
        start, end = event.interval.start, event.interval.end
        return cls(event.kind.value, iso(start), iso(end), event.provisional, event.sentence)

    @property
    def interval(self) -> tuple[str | None, str | None]:
        """Its dates."""
        return self.start_datetime, self.end_datetime


@dataclass(frozen=True)
class State:
    """What was told of a site.

    Attributes:
        updated: time of the run that first compared these looks.
        looks: ids of the looks that were compared.
        events: by id.
        since: time of the update before; None at the first one.
        before: the events as they were told then, by id.
    """

    updated: str
    looks: tuple[str, ...]
    events: Mapping[str, Told]
    since: str | None = None
    before: Mapping[str, Told] = field(default_factory=dict)

    def followed_by(self, looks: Sequence[str], events: Mapping[str, Told], now: str) -> State:
        """The state after a run that compared ``looks`` and told ``events``."""
        if tuple(looks) == self.looks:
            return State(self.updated, self.looks, events, self.since, self.before)
        return State(now, tuple(looks), events, self.updated, self.events)

    def news(self) -> dict[str, Any]:
        """What the last update brought, as JSON; no lists at the first one, when all is new."""
        document: dict[str, Any] = {"updated": self.updated, "since": self.since}
        if self.since is None:
            return document
        pairs = {
            name: (self.before[name], now)
            for name, now in self.events.items()
            if name in self.before
        }
        return document | {
            "new": [
                {"id": name, "sentence": now.sentence}
                for name, now in self.events.items()
                if name not in pairs
            ],
            "confirmed": [
                {"id": name, "sentence": now.sentence}
                for name, (then, now) in pairs.items()
                if then.provisional and not now.provisional
            ],
            "redated": [
                {"id": name, "sentence": now.sentence, "before": then.sentence}
                for name, (then, now) in pairs.items()
                if then.interval != now.interval
            ],
            "withdrawn": [
                {"id": name, **asdict(then)}
                for name, then in self.before.items()
                if name not in pairs
            ],
        }


def update(folder: Path, looks: Sequence[str], events: Sequence[Event], now: str) -> State:
    """Note what is told of a site, beside what was told before.

    Args:
        folder: working folder of the site.
        looks: ids of the looks that were compared, in date order.
        events: of the site, in the order in which they are told.
        now: time of the run, in ISO 8601.

    Raises:
        OutputError: the note cannot be written.
    """
    earlier = kept_json(folder / TOLD, _state)
    told = {event.id: Told.of(event) for event in events}
    state = State(now, tuple(looks), told)
    if earlier is not None:
        state = earlier.followed_by(looks, told, now)
    write_json(folder / TOLD, asdict(state), indent=None)
    return state


def read_news(run: Path) -> dict[str, dict[str, Any]]:
    """The news of a run by site, as ``State.news`` gives them.

    ``fresh`` tells of each site whether the run itself was the update, or compared what an earlier
    one did. Nothing where the run is of a version that wrote none.

    Raises:
        OutputError: the file is damaged.
    """
    path = run / NEWS
    if not path.exists():
        return {}
    return read_document(
        path,
        lambda document: {
            site["id"]: _news(site) | {"fresh": site["updated"] == document["run"]}
            for site in document["sites"]
        },
    )


def in_words(news: Mapping[str, Any] | None) -> str:
    """``2 new, 1 withdrawn since 23 November 2026``; empty for nothing, as at a first update."""
    if news is None or news["since"] is None:
        return ""
    counts = [f"{len(news[name])} {name}" for name in LISTS if news[name]]
    return f"{', '.join(counts)} since {since(news)}" if counts else ""


def since(news: Mapping[str, Any]) -> str:
    """The time of the update before, in words; to the minute if it was the same day."""
    before, now = (datetime.fromisoformat(news[name]) for name in ("since", "updated"))
    words = phrases.date((before, before))
    if before.astimezone(UTC).date() == now.astimezone(UTC).date():
        words += f", {before.astimezone(UTC):%H:%M} UTC"
    return words


def _news(site: dict[str, Any]) -> dict[str, Any]:
    """The news of a site, if they have what readers take from them."""
    _ = datetime.fromisoformat(site["updated"])
    if site["since"] is not None:
        _ = since(site)
        for name in LISTS:
            for entry in site[name]:
                _ = entry["id"] + entry["sentence"]
    return site


def _state(document: dict[str, Any]) -> State:
    parts = {
        name: {event: Told(**told) for event, told in document[name].items()}
        for name in ("events", "before")
    }
    return State(
        str(document["updated"]),
        tuple(str(look) for look in document["looks"]),
        parts["events"],
        document["since"],
        parts["before"],
    )
