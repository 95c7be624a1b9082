"""What a run tells that it did not tell before: for those who read it every week.

A site is *updated* when a run compares other looks than the run before did, or tells otherwise of
them. Until the next update what was news stays news, however often the same command is given. A
site that cannot be judged now is not updated: what is not seen is not withdrawn (see `unjudged`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import write_json
from groundbreak.events import phrases
from groundbreak.events.schema import iso
from groundbreak.kept import kept_json
from groundbreak.pipeline.folder import read_document
from groundbreak.prepare.known import record
from groundbreak.prepare.store import PreparedLook
from groundbreak.times import instant
from groundbreak.types import KINDS, Event, Kind
from groundbreak.writers.lonlat import point_lonlat
from groundbreak.writers.plain import DECIMALS

NEWS = "news.json"
TOLD = "told.json"
"""In the working folder of a site: what it was told of, and what before its last update."""

LISTS = ("new", "returned", "confirmed", "unconfirmed", "redated", "withdrawn", "unchecked")
"""What an update brings: events that were never told before, that were told once, but not the time
before, that are provisional no more, or again, that have other dates, that are told no more, and
those that cannot be checked: images of theirs take no part any more, or nobody asked for them."""
GONE = ("withdrawn", "unchecked")
"""Of the lists, those of events that no other file of the run has."""

BASIS = {
    "outline": "another outline of the site",
    "gsd_m": "another pixel size",
    "weights": "other weights",
    "settings": "other settings",
    "engine": "another arithmetic of the network",
    "version": "another version of groundbreak",
}
"""What else than the images decides what is told, and how to say that it is not the same."""


@dataclass(frozen=True)
class Told:
    """What a reader was told of an event; times in ISO 8601, None for an open end.

    ``lon`` and ``lat`` are a point inside its outline, in degrees, and ``area_m2`` tells how far it
    reached; None where an earlier version did not note them. An outline that is drawn a little
    otherwise is no other answer: they are not compared.
    """

    kind: str
    start_datetime: str | None
    end_datetime: str | None
    provisional: bool
    sentence: str
    scenes: tuple[str, ...]
    lon: float | None = field(default=None, compare=False)
    lat: float | None = field(default=None, compare=False)
    area_m2: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no time, no place and no area."""
        for moment in self.interval:
            _ = moment and _moment(moment)
        if self.area_m2 is not None and not 0 <= self.area_m2 < math.inf:
            raise ValueError(f"area_m2 is {self.area_m2!r}")
        for name, most in (("lon", 180.0), ("lat", 90.0)):
            if (degrees := getattr(self, name)) is not None and not abs(degrees) <= most:
                raise ValueError(f"{name} is {degrees!r}")

    @classmethod
    def of(cls, event: Event) -> Told:
        """The event as it is told now."""
        lon, lat = point_lonlat(event.geometry, event.crs)
        return cls(
            event.kind.value,
            iso(event.interval.start),
            iso(event.interval.end),
            event.provisional,
            event.sentence,
            (*event.before_scenes, *event.after_scenes),
            round(lon, DECIMALS),
            round(lat, DECIMALS),
            round(event.area_m2, 2),
        )

    @property
    def interval(self) -> tuple[str | None, str | None]:
        """Its dates."""
        return self.start_datetime, self.end_datetime

    def within(self, area: BaseGeometry) -> bool:
        """Whether it lies in an outline, in degrees; so it does where its place is not known."""
        if self.lon is None or self.lat is None:
            return True
        # The outline of a site across the antimeridian runs past 180.
        return any(area.covers(Point(self.lon + turn, self.lat)) for turn in (0, 360, -360))


@dataclass(frozen=True)
class State:
    """What was told of a site.

    Attributes:
        updated: time of the run that first told this.
        looks: of the looks that were compared, by id, the ids of their scenes.
        events: by id.
        spans: of the looks, by id, their outer bounds in time.
        basis: what else than the images it rests on, in any words, by the names in ``BASIS``.
        since: time of the update before; None at the first one.
        before: the events as they were told then, by id.
        past: ids of all events that were told at earlier updates than that.
        changed: of ``BASIS``, what was not the same at the update before.
        pending: events of earlier updates that could not be checked since.
        unasked: ids of the events before that nobody asked for now: they lie outside of the site
            as it is drawn, or other kinds were asked for.
        missing: ids of the scenes that were compared at the update before, and are not now.
    """

    updated: str
    looks: Mapping[str, tuple[str, ...]]
    events: Mapping[str, Told]
    basis: Mapping[str, str] = field(default_factory=dict)
    since: str | None = None
    before: Mapping[str, Told] = field(default_factory=dict)
    past: frozenset[str] = frozenset()
    changed: tuple[str, ...] = ()
    unasked: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    spans: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    pending: Mapping[str, Told] = field(default_factory=dict)

    def followed_by(
        self, other: State, area: BaseGeometry | None = None, kinds: Collection[Kind] = KINDS
    ) -> State:
        """The state after a run that told ``other``, without knowing of this one.

        ``area`` is the site's outline then, in lon/lat degrees (see ``Site``), ``kinds`` those that
        were asked for.
        """
        if (other.looks, other.events) == (self.looks, self.events):
            # With what was not noted before.
            basis = self.basis or other.basis
            return replace(self, events=other.events, basis=basis, spans=other.spans)
        known = set(self.basis.keys() & other.basis.keys())
        if self.basis.get("version") != other.basis.get("version"):
            known.discard("settings")  # another version has others
        _, pending = self._gone()
        return replace(
            other,
            since=self.updated,
            pending=pending,
            before=self.events,
            past=self.past.union(self.before),
            changed=tuple(
                name for name in BASIS if name in known and self.basis[name] != other.basis[name]
            ),
            missing=tuple(sorted(scenes_of(self.looks) - scenes_of(other.looks))),
            unasked=frozenset(
                name
                for name, told in {**pending, **self.events}.items()
                if told.kind not in {kind.value for kind in kinds}
                or (area is not None and not told.within(area))
            ),
        )

    def _gone(self) -> tuple[dict[str, Told], dict[str, Told]]:
        """What is told no more: what was looked at again, and what could not be or was not."""
        gone = {
            name: then
            for name, then in {**self.pending, **self.before}.items()
            if name not in self.events
        }
        withdrawn = {
            name: then
            for name, then in gone.items()
            if name not in self.unasked and self._looked_at(then)
        }
        return withdrawn, {name: then for name, then in gone.items() if name not in withdrawn}

    def _looked_at(self, then: Told) -> bool:
        """Whether looks were compared that would show it: its own, or others before and after."""
        if scenes_of(self.looks).issuperset(then.scenes):
            return True
        start, end = then.interval
        if start is None or end is None:
            return False
        spans = [tuple(map(_moment, span)) for span in self.spans.values()]
        return any(first <= _moment(start) for first, _ in spans) and any(
            last >= _moment(end) for _, last in spans
        )

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
        withdrawn, unchecked = self._gone()
        fresh = {name: now for name, now in self.events.items() if name not in pairs}
        return document | {
            "changed": list(self.changed),
            "missing": list(self.missing),
            "new": [
                {"id": name, "sentence": now.sentence}
                for name, now in fresh.items()
                if name not in self.past
            ],
            "returned": [
                {"id": name, "sentence": now.sentence}
                for name, now in fresh.items()
                if name in self.past
            ],
            "confirmed": [
                {"id": name, "sentence": now.sentence}
                for name, (then, now) in pairs.items()
                if then.provisional and not now.provisional
            ],
            "unconfirmed": [
                {"id": name, "sentence": now.sentence}
                for name, (then, now) in pairs.items()
                if now.provisional and not then.provisional
            ],
            "redated": [
                {"id": name, "sentence": now.sentence, "before": then.sentence}
                for name, (then, now) in pairs.items()
                if then.interval != now.interval
            ],
            "withdrawn": [{"id": name, **asdict(then)} for name, then in withdrawn.items()],
            "unchecked": [
                {"id": name, **asdict(then)}
                for name, then in unchecked.items()
                if name in self.before  # of others that was told already
            ],
        }


def _moment(text: str) -> datetime:
    """A time; in UTC where it does not say in which zone."""
    return instant(datetime.fromisoformat(text))[0]


def scenes_of(looks: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Ids of the scenes of all looks."""
    return {scene for scenes in looks.values() for scene in scenes}


def update(
    folder: Path,
    looks: Sequence[PreparedLook],
    events: Sequence[Event],
    basis: Mapping[str, str],
    area: BaseGeometry,
    kinds: Collection[Kind],
    now: str,
) -> State:
    """Note what is told of a site, beside what was told before.

    Args:
        folder: working folder of the site.
        looks: that were compared.
        events: of the site, in the order in which they are told.
        basis: see `State`.
        area: the site's outline in lon/lat degrees.
        kinds: that are told.
        now: time of the run, in ISO 8601.

    Raises:
        OutputError: the note cannot be written.
    """
    state = State(
        now,
        {look.id: look.scene_ids for look in looks},
        {event.id: Told.of(event) for event in events},
        basis,
        spans={look.id: (look.start.isoformat(), look.end.isoformat()) for look in looks},
    )
    earlier = state_of(folder)
    if earlier is not None:
        state = earlier.followed_by(state, area, kinds)
    sets = {"past": sorted(state.past), "unasked": sorted(state.unasked)}
    write_json(folder / TOLD, asdict(state) | sets, indent=None)
    return state


def state_of(folder: Path) -> State | None:
    """What was told of a site at its last update; None where nobody knows."""
    return kept_json(folder / TOLD, _state)


def read_news(run: Path) -> dict[str, dict[str, Any]]:
    """The news of a run by site, as ``State.news`` gives them.

    ``fresh`` tells of each site whether no run was finished since the update: nobody was told yet.
    ``first`` tells whether that is the first comparison of a site in a run that was there before.
    Nothing where the run is of a version that wrote none.

    Raises:
        OutputError: the file is damaged.
    """
    path = run / NEWS
    if not path.exists():
        return {}
    return read_document(path, _all_news)


def _all_news(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    finished = document["finished_before"]
    before = None if finished is None else datetime.fromisoformat(finished)
    told = {}
    for site in document["sites"]:
        fresh = before is None or datetime.fromisoformat(site["updated"]) >= before
        first = fresh and before is not None and site["since"] is None
        told[site["id"]] = _news(site) | {"fresh": fresh, "first": first}
    return told


def in_words(news: Mapping[str, Any] | None, *, events: bool = True) -> str:
    """``2 new, 1 withdrawn since 23 November 2026``; empty for nothing, as in a first run.

    ``events`` tells whether there are any of the site.
    """
    if news is None or news["since"] is None:
        all_of_it = ": all of it is new" if events else ""
        return f"compared for the first time{all_of_it}" if news and news.get("first") else ""
    counts = [f"{len(news[name])} {name}" for name in LISTS if news[name]]
    return f"{', '.join(counts)} since {since(news)}{changed(news)}" if counts else ""


def changed(news: Mapping[str, Any]) -> str:
    """``, with other weights, without 1 image compared then``; empty where there are only more."""
    names = [BASIS[name] for name in news.get("changed", ())]
    lost = len(news.get("missing", ()))
    return (f", with {phrases.listed(names)}" if names else "") + (
        f", without {lost} {'image' if lost == 1 else 'images'} compared then" if lost else ""
    )


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
        _ = changed(site)
        for name in LISTS:
            for entry in site.setdefault(name, []):  # earlier versions had fewer lists
                _ = entry["id"] + entry["sentence"]
        for entry in (entry for name in GONE for entry in site[name]):
            _ = entry_of(entry)
    return site


def entry_of(entry: dict[str, Any]) -> tuple[str, Told]:
    """Id and event of an entry of the lists in ``GONE``; raises if it is no such entry."""
    return entry["id"], _told({key: value for key, value in entry.items() if key != "id"})


def _told(event: dict[str, Any]) -> Told:
    return record(Told)(event | {"scenes": tuple(event["scenes"])})


def _state(document: dict[str, Any]) -> State:
    for moment in (document["updated"], document["since"] or document["updated"]):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"{moment} is in no time zone")
    return State(
        document["updated"],
        {str(look): tuple(map(str, scenes)) for look, scenes in document["looks"].items()},
        {name: _told(event) for name, event in document["events"].items()},
        {str(name): str(value) for name, value in document.get("basis", {}).items()},
        document["since"],
        {name: _told(event) for name, event in document["before"].items()},
        frozenset(map(str, document.get("past", ()))),
        tuple(name for name in document.get("changed", ()) if name in BASIS),
        frozenset(map(str, document.get("unasked", ()))),
        tuple(map(str, document.get("missing", ()))),
        {str(look): _span(*span) for look, span in document.get("spans", {}).items()},
        {name: _told(event) for name, event in document.get("pending", {}).items()},
    )


def _span(start: str, end: str) -> tuple[str, str]:
    for moment in (start, end):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"{moment} is in no time zone")
    return start, end
