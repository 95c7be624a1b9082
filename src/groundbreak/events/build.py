"""From patches of change to events: the order of the steps for one site lives here."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from groundbreak.events.chains import link_chains
from groundbreak.events.checks import check_positive, check_share
from groundbreak.events.decode import DecodeConfig, Transition
from groundbreak.events.doubles import without_doubles
from groundbreak.events.doubt import learn_doubt
from groundbreak.events.evidence import (
    EvidenceConfig,
    ObjectEvidence,
    ReadPair,
    ReadPixels,
    ReadUsable,
    gather_evidence,
)
from groundbreak.events.geometry import (
    regularize,
    widest_px,
    width_px,
)
from groundbreak.events.history import History, LedgerRow
from groundbreak.events.identity import (
    event_id,
    object_of,
    renamed_events,
    renamed_ledger,
    swapped_ids,
)
from groundbreak.events.looks import LookMeta, PairKey, in_date_order
from groundbreak.events.objects import (
    KnownObject,
    ObjectConfig,
    TrackedObject,
    follow_objects,
)
from groundbreak.events.sentences import event_sentence
from groundbreak.events.slips import Berth, measure_berth
from groundbreak.events.summary import Coverage, Period, SiteSummary, summarise
from groundbreak.events.vectorize import Candidate
from groundbreak.events.water import show_water
from groundbreak.types import FLAGS, KINDS, Event, Interval, Kind

MIN_WIDTH_PX = 4.0
"""Narrower footprints are flagged `low_resolution`: their width is known to a quarter at best."""
CLEAR_SHARE = 0.95
"""A footprint less usable than this at either look is flagged `partly_cloudy`."""
MAX_RESIDUAL_PX = 1.0
"""A larger residual shift is flagged `misregistered`."""
SATELLITE = re.compile(r"(sentinel-?\d)[a-d]\b")
"""Satellites of one build, told by a letter."""
BERTH_FILL = 0.6
"""A slip that fills less of its rectangle is flagged `tide`: berths have straight sides."""


@dataclass(frozen=True)
class Calibration:
    """Posterior to confidence: the logistic function of slope * log-odds + offset."""

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_positive("slope", self.slope)

    def __call__(self, posterior: float) -> float:
        """Confidence for a posterior."""
        inside = float(np.clip(posterior, 1e-6, 1 - 1e-6))
        odds = self.slope * np.log(inside / (1 - inside)) + self.offset
        return float(1 / (1 + np.exp(-odds)))


@dataclass(frozen=True)
class EventsConfig:
    """Everything that turns patches of change into events.

    ``min_confidence``: less certain events are left out. ``min_confidence_first`` is asked of an
    event of which the first look alone shows the ground before it: if that look misled, no other
    will ever contradict it, and no flag warns of it. ``min_confidence_eased`` is enough where two
    looks are all there is (no other look could confirm the event), and for an event that a
    chain links with one that is certain enough: what was certainly rebuilt was cleared.
    ``kinds``: others are left out.
    """

    objects: ObjectConfig = field(default_factory=ObjectConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    calibration: Calibration = field(default_factory=Calibration)
    min_confidence: float = 0.8
    min_confidence_first: float = 0.87
    min_confidence_eased: float = 0.5
    kinds: tuple[Kind, ...] = KINDS

    def __post_init__(self) -> None:
        check_share("min_confidence", self.min_confidence)
        check_share("min_confidence_first", self.min_confidence_first)
        check_share("min_confidence_eased", self.min_confidence_eased)

    @property
    def least(self) -> float:
        """No event with less confidence is ever told."""
        return min(self.min_confidence, self.min_confidence_first, self.min_confidence_eased)


@dataclass(frozen=True)
class SiteObservations:
    """What was looked at.

    ``area`` is the site's polygon in the grid's CRS; ``pairs`` those that were computed, at least
    on some tiles; ``coverage`` says which share of the site was never seen; ``asked`` is the time
    from the first to the last image there is, usable or not; ``caution`` is a sentence that shall
    go with the buildings that are found.
    """

    site_id: str
    site_name: str
    area: BaseGeometry
    geobox: GeoBox
    looks: Sequence[LookMeta]
    pairs: Sequence[PairKey]
    coverage: Coverage = field(default_factory=Coverage)
    asked: Period | None = None
    caution: str = ""


@dataclass(frozen=True)
class Readers:
    """How the room gets at pixels without opening rasters.

    Without ``pixels`` the mouth of a berth stays unknown.
    """

    pair: ReadPair
    usable: ReadUsable
    pixels: ReadPixels | None = None


@dataclass(frozen=True)
class EventsResult:
    """What happened at a site."""

    events: tuple[Event, ...]
    ledger: tuple[LedgerRow, ...]
    objects: tuple[KnownObject, ...]
    summary: SiteSummary


def build_events(
    site: SiteObservations,
    candidates: Sequence[Candidate],
    readers: Readers,
    config: EventsConfig,
    known: Sequence[KnownObject] = (),
) -> EventsResult:
    """Follow objects through the looks of a site and date what happened to them.

    Args:
        site: what was looked at.
        candidates: patches of change of all pairs.
        readers: give masks and probabilities of windows.
        config: parameters.
        known: objects of an earlier run of this site; they and what was told of them keep their
            ids.

    Returns:
        Events (by end of interval, then id), the ledger, the objects, the summary.
    """
    looks = in_date_order(site.looks)
    inside = [c for c in candidates if c.polygon.intersection(site.area).area >= c.polygon.area / 2]
    objects = follow_objects(site.site_id, inside, looks, config.objects, known)
    evidence = gather_evidence(
        objects, looks, site.pairs, site.geobox, readers.pair, readers.usable, config.evidence
    )
    events, ledger = events_of(replace(site, looks=looks), objects, evidence, config, readers)
    swapped = swapped_ids(events, known, config.objects.least_area_ratio)
    events = tuple(sorted(renamed_events(events, swapped), key=_by_time))
    return EventsResult(
        events,
        renamed_ledger(ledger, swapped),
        _to_be_known(objects, swapped, events, known),
        summarise(
            site.site_name,
            events,
            looks,
            site.coverage,
            site.asked,
            site.caution,
            config.kinds,
            config.min_confidence if config.min_confidence > EventsConfig.min_confidence else None,
        ),
    )


def _to_be_known(
    objects: Sequence[TrackedObject],
    swapped: Mapping[str, str],
    events: Sequence[Event],
    known: Sequence[KnownObject],
) -> tuple[KnownObject, ...]:
    """What the next run shall know: the objects by their ids, and what was told of them last.

    Now or earlier: what one run does not tell, since other kinds were asked for, or the looks that
    show it are not there, may be told again.
    """
    told = {old.id: dict(old.told) for old in known}
    for event in events:
        told.setdefault(object_of(event), {})[event.kind] = event.interval
    names = [swapped.get(tracked.id, tracked.id) for tracked in objects]
    followed = [
        KnownObject(name, tracked.founded_by, tracked.footprint, told.get(name, {}))
        for name, tracked in zip(names, objects, strict=True)
    ]
    others = [old for old in known if old.told and old.id not in names]
    return (*followed, *(replace(old, followed=False) for old in others))


def events_of(
    site: SiteObservations,
    objects: Sequence[TrackedObject],
    evidence: Sequence[ObjectEvidence],
    config: EventsConfig,
    readers: Readers | None = None,
) -> tuple[tuple[Event, ...], tuple[LedgerRow, ...]]:
    """Date what happened to objects whose evidence was collected.

    Args:
        site: with its looks in date order.
        objects: of the site.
        evidence: one record for each object.
        config: parameters.
        readers: see `Readers`; without them the mouth of a berth stays unknown.

    Returns:
        Events in the order of time, and the ledger.
    """
    events: list[Event] = []
    from_first: set[str] = set()
    ledger: list[LedgerRow] = []
    histories = [
        History(tracked, seen, site.looks, config.evidence, config.decode)
        for tracked, seen in zip(objects, evidence, strict=True)
    ]
    doubt = tuple(learn_doubt(histories, len(site.looks)))
    for history in (replace(history, doubt=doubt) for history in histories):
        ledger += history.ledger()
        for kind in history.tracked.outlines:
            transition = history.transition(kind)
            if transition is None:
                continue
            event = _event(history, transition, site, config.calibration)
            if event.confidence >= config.least:
                events.append(event)
                if not transition.before and len(history.counted) > 2:
                    from_first.add(event.id)
    certain = _certain(events, from_first, config)
    events = link_chains(_shaped(certain, site, readers))
    events = [replace(event, sentence=event_sentence(event, site.looks)) for event in events]
    # Last: what is left out still vouches for what it was replaced by.
    events = [event for event in events if event.kind in config.kinds]
    return tuple(sorted(events, key=_by_time)), tuple(ledger)


def _by_time(event: Event) -> tuple[datetime, datetime, str]:
    never = datetime.max.replace(tzinfo=UTC)
    return event.interval.end or never, event.interval.start or never, event.id


def _event(
    history: History, transition: Transition, site: SiteObservations, calibration: Calibration
) -> Event:
    tracked, kind = history.tracked, transition.kind
    before = _look(history, transition.before)
    after = _look(history, transition.after)
    ends = [position for position in (transition.before, transition.after) if position is not None]
    usable = min(history.seen.usable[history.counted[position]] for position in ends)
    outline = tracked.outlines[kind]
    return Event(
        id=event_id(tracked.id, kind),
        site_id=site.site_id,
        site_name=site.site_name,
        kind=kind,
        interval=Interval(before.start if before else None, after.end if after else None),
        geometry=outline,
        crs=str(site.geobox.crs),
        confidence=calibration(transition.posterior),
        date_confidence=transition.date_posterior,
        area_m2=outline.area,
        before_scenes=before.scene_ids if before else (),
        after_scenes=after.scene_ids if after else (),
        usable_fraction=usable,
        provisional=transition.after == len(history.counted) - 1,
        registration_residual_px=after.residual_px if after else None,
        flags=_flags(history, kind, [look for look in (before, after) if look], usable, site),
    )


def _look(history: History, position: int | None) -> LookMeta | None:
    return None if position is None else history.looks[history.counted[position]]


def _flags(
    history: History, kind: Kind, ends: Sequence[LookMeta], usable: float, site: SiteObservations
) -> tuple[str, ...]:
    outline = history.tracked.outlines[kind]
    own = [c for c in history.tracked.candidates if c.kind is kind]
    rectangle = outline.minimum_rotated_rectangle
    wide_px = width_px(outline, site.geobox)
    if kind is Kind.DOCKING_SLIP:  # of a bent one the rectangle is mostly land
        wide_px = min(wide_px, widest_px(outline, site.geobox))
    true = {
        "low_resolution": wide_px < MIN_WIDTH_PX,
        "tide": kind is Kind.DOCKING_SLIP and outline.area < BERTH_FILL * rectangle.area,
        "misregistered": any(
            not look.aligned or (look.residual_px or 0.0) > MAX_RESIDUAL_PX for look in ends
        ),
        "partly_cloudy": usable < CLEAR_SHARE,
        "single_pair": len(history.counted) == 2,
        "edge_of_site": any(c.at_edge for c in own) or not outline.within(site.area),
        "no_cloud_mask": any(not look.cloud_masked for look in ends),
        "assumed_date": any(look.date_assumed for look in ends),
        "coarse_date": any(look.coarse for look in ends),
        "mixed_sensors": len({_design(look.sensor) for look in ends}) > 1,
        "panchromatic": any(look.panchromatic for look in ends),
    }
    return tuple(flag for flag in FLAGS if true[flag])


def _design(sensor: str | None) -> str | None:
    """The sensor less the letter of the satellite that carries it: Sentinel-2A and 2B see alike."""
    return sensor and SATELLITE.sub(r"\1", sensor.casefold())


def _certain(
    events: Sequence[Event], from_first: Container[str], config: EventsConfig
) -> list[Event]:
    """Leave out what is not certain enough, and what tells again what another event tells.

    ``from_first`` are ids of events after a first look.
    """
    certain = {
        event.id
        for event in events
        if event.confidence
        >= (config.min_confidence_first if event.id in from_first else config.min_confidence)
    }
    events = without_doubles(events, certain)
    return [
        event
        for event, linked in zip(events, link_chains(events), strict=True)
        if event.id in certain
        or (
            event.confidence >= config.min_confidence_eased
            and (
                "single_pair" in event.flags
                or not certain.isdisjoint((*linked.replaces, *linked.replaced_by))
            )
        )
    ]


def _shaped(
    events: Sequence[Event], site: SiteObservations, readers: Readers | None
) -> list[Event]:
    """Right-angled outlines for buildings, axes for berths."""
    buildings = [event for event in events if event.kind is not Kind.DOCKING_SLIP]
    gsd = abs(site.geobox.resolution.x)
    outlines = regularize([event.geometry for event in buildings], gsd)
    shaped = [
        replace(event, geometry=outline, area_m2=outline.area)
        for event, outline in zip(buildings, outlines, strict=True)
    ]
    for event in events:
        if event.kind is Kind.DOCKING_SLIP:
            berth = _berth(event, site, readers)
            shaped += [] if berth is None else [replace(event, **asdict(berth))]
    return shaped


def _berth(event: Event, site: SiteObservations, readers: Readers | None) -> Berth | None:
    """Axes of a berth; None where the look that first shows it shows that it is none."""
    look = next((look for look in site.looks if look.scene_ids == event.after_scenes), None)
    if look is None or readers is None or readers.pixels is None:
        return measure_berth(event.geometry)
    water = show_water(event.geometry, look.id, site.geobox, readers.pixels, readers.usable)
    return measure_berth(event.geometry, water.at) if water.may_hold_berth() else None
