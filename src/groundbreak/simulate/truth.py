"""The exact truth about a simulated site, as records and in coordinates of the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry
from shapely.ops import transform

from groundbreak.simulate.plan import UNFINISHED, happening
from groundbreak.simulate.works import Stage, Works
from groundbreak.types import Kind


@dataclass(frozen=True)
class TruthEvent:
    """What happened to one object, exactly.

    ``footprint`` is in the site's UTM. ``start_datetime`` is the begin of works,
    ``end_datetime`` when the building stands, is gone, or the slip is flooded; None if that lies
    after the last look. ``cleared`` is when the plot was bare ground, its end None if it still
    is. ``replaces`` names the event whose plot this one takes.
    """

    id: str
    object_id: str
    site_id: str
    kind: Kind
    footprint: BaseGeometry
    start_datetime: datetime
    end_datetime: datetime | None
    cleared: tuple[datetime, datetime | None] | None = None
    replaces: str | None = None


def true_events(
    works: Sequence[Works], site_id: str, geobox: GeoBox, span: tuple[datetime, float]
) -> tuple[TruthEvent, ...]:
    """The events of a site.

    Args:
        works: the objects that change.
        site_id: goes into the ids.
        geobox: places the plane on the ground.
        span: time of day 0, and the day of the last look.
    """
    start, last = span

    def when(day: float) -> datetime | None:
        return None if day > last else _second(start + timedelta(days=day))

    events = []
    for item in works:
        found = happening(item, last)
        if found is None:
            continue
        cleared = None
        if found.cleared is not None and found.cleared[0] <= last:
            end = found.cleared[1]
            follower = next((w for w in works if w.replaces == item.id), None)
            if end == UNFINISHED and follower is not None:
                end = follower.first_day(Stage.FOUNDATION)
            cleared = (_second(start + timedelta(days=found.cleared[0])), when(end))
        events.append(
            TruthEvent(
                id=f"{site_id}-{item.id}",
                object_id=item.id,
                site_id=site_id,
                kind=found.kind,
                footprint=to_utm(item.footprint, geobox),
                start_datetime=_second(start + timedelta(days=found.begun)),
                end_datetime=when(found.done),
                cleared=cleared,
                replaces=f"{site_id}-{item.replaces}" if item.replaces else None,
            )
        )
    return tuple(events)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def to_utm(shape: BaseGeometry, geobox: GeoBox) -> BaseGeometry:
    """A polygon of the world's plane (metres east and south of the corner) in the site's UTM."""
    west, north = geobox.affine.c, geobox.affine.f
    return transform(lambda x, y: (west + np.asarray(x), north - np.asarray(y)), shape)


def to_lonlat(shape: BaseGeometry, geobox: GeoBox) -> BaseGeometry:
    """A polygon of the site's UTM in degrees."""
    project = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True)
    return transform(project.transform, shape)
