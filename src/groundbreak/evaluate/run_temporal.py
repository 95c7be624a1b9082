"""A run folder against the exact truth of a simulation: how good its dates are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import atomic_path, write_json
from groundbreak.evaluate.dates import (
    FAR,
    Look,
    SaidEvent,
    TrueEvent,
    missed_by_days,
    shortest_interval,
    timing,
)
from groundbreak.evaluate.place import check_place
from groundbreak.evaluate.plots import plot_reliability
from groundbreak.evaluate.run_files import (
    Plane,
    Run,
    object_of,
    read_features,
    read_run,
    read_truth,
)
from groundbreak.evaluate.scot import Frame, Scot, scot
from groundbreak.evaluate.temporal import Couple, match_events, temporal_scores
from groundbreak.events.geometry import iou
from groundbreak.types import Interval, Kind
from groundbreak.writers.spreadsheet import harmless

DAYS_PER_YEAR = 365.25

ONE_BUILDING = 0.5
"""IoU above which what is torn down is what was built there."""


@dataclass(frozen=True)
class Life:
    """When a footprint is there: from ``appears`` on, until ``vanishes``; None = always, never."""

    footprint: BaseGeometry
    appears: datetime | None = None
    vanishes: datetime | None = None

    def is_there(self, moment: datetime) -> bool:
        """Whether it is there at a moment."""
        return (self.appears is None or moment >= self.appears) and (
            self.vanishes is None or moment < self.vanishes
        )


def evaluate_temporal(run: Path, truth: Path, out: Path) -> dict[str, Any]:
    """Judge the dates of a run.

    Writes ``temporal.json`` (what is returned), ``matches.csv`` and two reliability plots.

    Args:
        run: a run folder.
        truth: ``truth.geojson`` as ``groundbreak simulate`` writes it.
        out: folder to write to.

    Returns:
        The figures of ``temporal.temporal_scores``, ``scot`` over the objects that change, and
        what was compared.

    Raises:
        DataError: a file is missing or not what it should be.
        OutputError: the folder holds something else, or cannot be written.
    """
    check_place(out)
    true_features, said_features = read_features(truth), read_features(run / "events.geojson")
    plane = Plane([*true_features, *said_features])
    true_events = read_truth(true_features, truth, plane)
    said = read_run(run, said_features, plane)
    looks = {event.id: said.site_looks.get(event.site_id, ()) for event in true_events}
    couples = match_events(true_events, said.events)
    looks |= _own_looks(couples, said)
    years = sum(_years(times) for times in said.site_looks.values())
    document = {
        "run": str(run),
        "truth": str(truth),
        "sites": len(said.site_looks),
        "site_years": years,
        "looks": sum(map(len, said.site_looks.values())),
        **temporal_scores(true_events, said.events, looks, years),
        "scot": scot_scores(true_events, said),
    }
    for name, figures in document["calibration"].items():
        title = name.replace("_", " ")
        plot_reliability(out / f"{name}.png", figures["reliability"], title, "events")
    write_matches(out / "matches.csv", true_events, said.events, couples, looks)
    write_json(out / "temporal.json", document)
    return document


def scot_scores(truth: Sequence[TrueEvent], said: Run) -> dict[str, Any]:
    """SCOT over the objects that change, by the reference and with disappearances; means of sites.

    The events of a run do not hold the buildings that simply stay; both sides leave them out.
    """
    result: dict[str, Any] = {}
    for name, gone in (("reference", False), ("with_disappearances", True)):
        scores: list[Scot] = []
        for site, looks in said.site_looks.items():
            # A said event ends with the end of the look that shows it, which may be a whole day.
            starts, ends = zip(*looks, strict=True) if looks else ((), ())
            true_frames = frames(true_lives(e for e in truth if e.site_id == site), starts)
            said_frames = frames(said_lives(e for e in said.events if e.site_id == site), ends)
            if any(true_frames):
                scores.append(scot(true_frames, said_frames, disappearances=gone))
        result[name] = {
            field: sum(asdict(score)[field] for score in scores) / len(scores) if scores else None
            for field in ("score", "track", "change")
        }
    return result


def true_lives(events: Iterable[TrueEvent]) -> dict[str, Life]:
    """Lives of the true objects: a new one from its completion, a lost one until its works.

    A new building that is torn down later has one life.
    """
    new: list[TrueEvent] = []
    lost: list[TrueEvent] = []
    for event in sorted(events, key=lambda event: event.begun):
        (lost if event.kind is Kind.DEMOLITION else new).append(event)
    lives = {event.id: Life(event.geometry, appears=event.done) for event in new}
    for event in lost:
        standing = [
            other
            for other in new
            if other.done <= event.begun
            and lives[other.id].vanishes is None
            and iou(other.geometry, event.geometry) > ONE_BUILDING
        ]
        if standing:
            latest = max(standing, key=lambda other: other.done).id
            lives[latest] = replace(lives[latest], vanishes=event.begun)
        else:
            lives[event.id] = Life(event.geometry, vanishes=event.begun)
    return lives


def said_lives(events: Iterable[SaidEvent]) -> dict[str, Life]:
    """Lives of the predicted objects, from the first look that shows them."""
    lives: dict[str, Life] = {}
    for event in events:
        known = lives.get(object_of(event), Life(event.geometry))
        done = event.interval.end or FAR
        if event.kind is Kind.DEMOLITION:
            known = replace(known, footprint=event.geometry, vanishes=done)
        else:
            known = replace(known, appears=done)
        lives[object_of(event)] = known
    return lives


def frames(lives: Mapping[str, Life], moments: Sequence[datetime]) -> list[Frame]:
    """Footprints that are there, by moment."""
    return [
        {name: life.footprint for name, life in lives.items() if life.is_there(moment)}
        for moment in moments
    ]


def write_matches(
    path: Path,
    truth: Sequence[TrueEvent],
    said: Sequence[SaidEvent],
    couples: Sequence[Couple],
    looks: Mapping[str, Sequence[Look]],
) -> None:
    """Write one row an event: found, missed or invented; no id is a formula to a spreadsheet."""
    # A true event and one that was told may well have the same id.
    found, matched = {true.id for true, _ in couples}, {event.id for _, event in couples}
    pairs: list[tuple[TrueEvent | None, SaidEvent | None]] = [*couples]
    pairs += [(true, None) for true in truth if true.id not in found]
    pairs += [(None, event) for event in said if event.id not in matched]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, list(_row(None, None, ())))
        writer.writeheader()
        for true, event in pairs:
            times = looks.get(true.id, ()) if true else ()
            writer.writerow(_row(true, event, times))


def _row(
    true: TrueEvent | None, event: SaidEvent | None, looks: Sequence[Look]
) -> dict[str, object]:
    either = true or event
    best = shortest_interval(true.done, looks) if true else Interval(None, None)
    both = true is not None and event is not None
    return {
        "site_id": harmless(either.site_id) if either else "",
        "kind": either.kind.value if either else "",
        "outcome": ("found" if both else "missed" if true else "invented") if either else "",
        "true_id": harmless(true.id) if true else "",
        "begun": _iso(true.begun) if true else "",
        "done": _iso(true.done) if true else "",
        "shortest_start": _iso(best.start),
        "shortest_end": _iso(best.end),
        "said_id": harmless(event.id) if event else "",
        "said_start": _iso(event.interval.start) if event else "",
        "said_end": _iso(event.interval.end) if event else "",
        "timing": timing(event.interval, true) if true and event else "",
        "missed_by_days": missed_by_days(event.interval, true) if true and event else "",
        "confidence": event.confidence if event else "",
        "date_confidence": event.date_confidence if event else "",
        "provisional": event.provisional if event else "",
    }


def _own_looks(couples: Sequence[Couple], said: Run) -> dict[str, tuple[Look, ...]]:
    """Looks in which a found event's own footprint was usable, where the ledger knows."""
    return {
        true.id: said.object_looks[true.site_id, object_of(event)]
        for true, event in couples
        if (true.site_id, object_of(event)) in said.object_looks
    }


def _iso(moment: datetime | None) -> str:
    return "" if moment is None or moment == FAR else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _years(looks: Sequence[Look]) -> float:
    return (looks[-1][1] - looks[0][0]).days / DAYS_PER_YEAR if len(looks) > 1 else 0.0
