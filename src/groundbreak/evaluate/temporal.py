"""Every temporal figure of a run: events said against events that happened.

All pure: lists of events and looks in, a JSON document out; None where nothing can be measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import numpy as np
from shapely.strtree import STRtree

from groundbreak.evaluate.dates import (
    ALPHA,
    Look,
    SaidEvent,
    TrueEvent,
    date_gap,
    finest_steps,
    is_observable,
    is_observable_link,
    midpoint_error,
    missed_by_days,
    shortest_interval,
    timing,
    width_days,
    winkler_bounds,
)
from groundbreak.evaluate.match import match
from groundbreak.evaluate.metrics import ProbabilityHistogram
from groundbreak.events.geometry import iou
from groundbreak.types import Interval, Kind

MIN_IOU = 0.25
"""IoU from which a prediction and a truth can be the same event: SCOT's threshold."""

CLOSENESS_DAYS = 90.0
"""Scale of the time that decides between two predictions on one plot."""

Couple = tuple[TrueEvent, SaidEvent]
Looks = Mapping[str, Sequence[Look]]
"""Usable looks in the order of time, by id of the true event."""


def match_events(
    truth: Sequence[TrueEvent], said: Sequence[SaidEvent], min_iou: float = MIN_IOU
) -> list[Couple]:
    """Pair events of one site and kind one-to-one where their footprints overlap enough.

    Where several could be paired on one plot (built, torn down, built again), the number of
    couples counts first, then half the IoU and half the closeness in time.
    """
    tree = STRtree([event.geometry for event in said])
    candidates = []
    for i, true in enumerate(truth):
        for j in tree.query(true.geometry, predicate="intersects"):
            other = said[j]
            if (other.site_id, other.kind) != (true.site_id, true.kind):
                continue
            overlap = iou(true.geometry, other.geometry)
            if overlap >= min_iou:
                closeness = math.exp(-missed_by_days(other.interval, true) / CLOSENESS_DAYS)
                candidates.append((i, int(j), (overlap + closeness) / 2))
    return [(truth[i], said[j]) for i, j, _ in match(candidates)]


def temporal_scores(
    truth: Sequence[TrueEvent],
    said: Sequence[SaidEvent],
    looks: Looks,
    site_years: float,
    min_iou: float = MIN_IOU,
) -> dict[str, Any]:
    """Every temporal figure of a run.

    Args:
        truth: what happened at the sites.
        said: the events of the run.
        looks: usable looks by id of the true event.
        site_years: observed time, summed over sites, that invented events are counted against.
        min_iou: overlap from which two footprints can be one object.

    Returns:
        A JSON document; figures that nothing could be measured for are None.
    """
    couples = match_events(truth, said, min_iou)
    found = {true.id for true, _ in couples}
    matched = {event.id for _, event in couples}
    missed = [t for t in truth if t.id not in found and is_observable(t, looks.get(t.id, ()))]
    invented = [event for event in said if event.id not in matched]
    timings = [timing(event.interval, true) for true, event in couples]
    observable = sum(is_observable(t, looks.get(t.id, ())) for t in truth)
    return {
        "true_events": len(truth),
        "observable_events": observable,
        "said_events": len(said),
        "found": len(couples),
        "missed": len(missed),
        "invented": len(invented),
        "invented_provisional": sum(event.provisional for event in invented),
        "invented_per_site_year": len(invented) / site_years if site_years > 0 else None,
        "coverage": share(when == "covered" for when in timings),
        "coverage_of_completion": share(
            timing(event.interval, replace(true, begun=true.done)) == "covered"
            for true, event in couples
        ),
        "early": timings.count("early"),
        "late": timings.count("late"),
        "width": _width_scores(couples, looks),
        "date_error_days": _error_scores(couples),
        "winkler_days": _winkler_scores(couples),
        "calibration": _calibration_scores(said, matched, couples),
        "chains": chain_scores(truth, said, couples, looks),
        "smart_gap_days": _smart_scores(couples, looks),
        "by_kind": {kind: _kind_counts(kind, truth, missed, invented, couples) for kind in Kind},
    }


def chain_scores(
    truth: Sequence[TrueEvent], said: Sequence[SaidEvent], couples: Sequence[Couple], looks: Looks
) -> dict[str, float | int | None]:
    """Precision, recall and F1 of the links "this replaces that".

    A link is right if both of its events are matched and their true events are linked. As with
    single events, only what the looks show can be missed; ``recall_of_all`` and ``f1_of_all``
    count every true link.
    """
    truth_of = {event.id: true.id for true, event in couples}
    true_links = {(new.id, old) for new in truth for old in new.replaces}
    said_links = {(event.id, old) for event in said for old in event.replaces}
    right = {(truth_of.get(new), truth_of.get(old)) for new, old in said_links} & true_links
    by_id = {true.id: true for true in truth}
    shown = {
        (new, old)
        for new, old in true_links
        if old in by_id and is_observable_link(by_id[old], by_id[new], looks.get(new, ()))
    }
    expected = shown | right
    return {
        "true_links": len(true_links),
        "observable_links": len(shown),
        "said_links": len(said_links),
        "precision": len(right) / len(said_links) if said_links else None,
        "recall": len(right) / len(expected) if expected else None,
        "f1": 2 * len(right) / (len(expected) + len(said_links)) if expected else None,
        "recall_of_all": len(right) / len(true_links) if true_links else None,
        "f1_of_all": 2 * len(right) / (len(true_links) + len(said_links)) if true_links else None,
    }


def calibration(said: Sequence[float], true: Sequence[bool], bins: int = 10) -> dict[str, Any]:
    """Expected calibration error and reliability of probabilities of single events."""
    histogram = ProbabilityHistogram()
    values = np.asarray(said, dtype=np.float32)
    histogram.update(values, np.asarray(true, dtype=np.bool_), np.ones(values.shape, np.bool_))
    return {
        "count": len(said),
        "ece": histogram.calibration_error(bins),
        "reliability": histogram.reliability(bins),
    }


def share(yes: Iterable[bool]) -> float | None:
    """Share of True; None for nothing."""
    values = list(yes)
    return sum(values) / len(values) if values else None


def _width_scores(couples: Sequence[Couple], looks: Looks) -> dict[str, float | None]:
    """Widths, and how they compare with the shortest interval that usable looks allow.

    That is the step between neighbouring looks that holds the date. Where the works span several
    steps, any of them will do, and so will the whole from the last look before the works to the
    first after them: the looks between show them under way.
    """
    stated = [event.interval for _, event in couples]
    ratios, shortest = [], []
    for true, event in couples:
        times = looks.get(true.id, ())
        steps = finest_steps(true, times)
        whole = Interval(
            shortest_interval(true.begun, times).start, shortest_interval(true.done, times).end
        )
        shortest.append(event.interval in (*steps, whole))
        inside = [step for step in steps if _within(step, event.interval)] or steps
        widths = [width for step in inside if (width := width_days(step))]
        width = width_days(event.interval)
        if width is not None and widths:
            ratios.append(1.0 if shortest[-1] else width / min(widths))
    return {
        "median_days": _median([w for w in map(width_days, stated) if w is not None]),
        "median_ratio": _median(ratios),
        "as_short_as_possible": share(shortest),
    }


def _within(inner: Interval, outer: Interval) -> bool:
    after = outer.start is None or (inner.start is not None and inner.start >= outer.start)
    before = outer.end is None or (inner.end is not None and inner.end <= outer.end)
    return after and before


def _error_scores(couples: Sequence[Couple]) -> dict[str, float | int | None]:
    errors = [midpoint_error(event.interval, true) for true, event in couples]
    closed = [error for error in errors if error is not None]
    return {
        "count": len(closed),
        "bias": fmean(closed) if closed else None,
        "mean_absolute": fmean(map(abs, closed)) if closed else None,
        "median_absolute": _median([abs(error) for error in closed]),
    }


def _winkler_scores(couples: Sequence[Couple]) -> dict[str, float | None]:
    bounds = [winkler_bounds(event.interval, true) for true, event in couples]
    closed = [pair for pair in bounds if pair is not None]
    return {
        "alpha": ALPHA,
        "best": fmean(pair[0] for pair in closed) if closed else None,
        "worst": fmean(pair[1] for pair in closed) if closed else None,
    }


def _calibration_scores(
    said: Sequence[SaidEvent], matched: set[str], couples: Sequence[Couple]
) -> dict[str, Any]:
    return {
        "confidence": calibration(
            [event.confidence for event in said], [event.id in matched for event in said]
        ),
        "date_confidence": calibration(
            [event.date_confidence for _, event in couples],
            [timing(event.interval, true) == "covered" for true, event in couples],
        ),
    }


def _smart_scores(couples: Sequence[Couple], looks: Looks) -> dict[str, Any]:
    """SMART's gaps of start and end: both truths are gaps between two usable looks."""
    starts, ends = [], []
    for true, event in couples:
        times = looks.get(true.id, ())
        if event.interval.start is not None:
            begin = shortest_interval(true.begun, times)
            starts.append(date_gap(event.interval.start, begin))
        if event.interval.end is not None:
            finish = shortest_interval(true.done, times)
            ends.append(date_gap(event.interval.end, finish))
    return {"start": _gap_summary(starts), "end": _gap_summary(ends)}


def _gap_summary(gaps: Sequence[tuple[float, float]]) -> dict[str, float | int | None]:
    finite = [gap for gap in gaps if math.isfinite(gap[0]) and math.isfinite(gap[1])]
    best = [gap[0] for gap in finite]
    return {
        "count": len(finite),
        "best_mean": fmean(best) if best else None,
        "best_mean_absolute": fmean(map(abs, best)) if best else None,
        "worst_mean_absolute": fmean(abs(gap[1]) for gap in finite) if finite else None,
        "early": sum(gap < 0 for gap in best),
        "late": sum(gap > 0 for gap in best),
        "perfect": sum(gap == 0 for gap in best),
    }


def _kind_counts(
    kind: Kind,
    truth: Sequence[TrueEvent],
    missed: Sequence[TrueEvent],
    invented: Sequence[SaidEvent],
    couples: Sequence[Couple],
) -> dict[str, int]:
    return {
        "true_events": sum(event.kind == kind for event in truth),
        "found": sum(true.kind == kind for true, _ in couples),
        "missed": sum(event.kind == kind for event in missed),
        "invented": sum(event.kind == kind for event in invented),
    }


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
