"""What temporal evaluation reads: the truth of a simulation, and a finished run folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely
from pyproj import Transformer
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import transform

from groundbreak.errors import DataError
from groundbreak.evaluate.dates import FAR, Look, SaidEvent, TrueEvent
from groundbreak.events.identity import object_id
from groundbreak.raster.grid import utm_code
from groundbreak.types import Interval, Kind

MIN_USABLE = 0.5
"""A look shows an object from this usable share of its footprint on."""


@dataclass(frozen=True)
class Run:
    """What a run folder says: events, the looks used by site, and those usable by object."""

    events: tuple[SaidEvent, ...]
    site_looks: Mapping[str, tuple[Look, ...]]
    object_looks: Mapping[tuple[str, str], tuple[Look, ...]]


@dataclass(frozen=True)
class Feature:
    """A GeoJSON feature: properties, and a geometry in degrees."""

    fields: Mapping[str, Any]
    geometry: BaseGeometry

    @property
    def site_id(self) -> str:
        """The site it belongs to."""
        return str(self.fields["site_id"])


class Plane:
    """Degrees to metres: every site in the UTM zone of its own middle."""

    def __init__(self, features: Iterable[Feature]) -> None:
        by_site: dict[str, list[BaseGeometry]] = {}
        for feature in features:
            by_site.setdefault(feature.site_id, []).append(feature.geometry)
        self._to_metres = {}
        for site_id, geometries in by_site.items():
            middle = shapely.union_all(geometries).centroid
            code = utm_code(middle.x, middle.y)
            self._to_metres[site_id] = Transformer.from_crs("EPSG:4326", code, always_xy=True)

    def place(self, feature: Feature) -> BaseGeometry:
        """The geometry of a feature in metres."""
        return transform(self._to_metres[feature.site_id].transform, feature.geometry)


def read_features(path: Path) -> list[Feature]:
    """Features of a GeoJSON file.

    Raises:
        DataError: it cannot be read as one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [_feature(entry) for entry in document["features"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ShapelyError) as error:
        raise DataError(str(path), f"cannot be read as GeoJSON ({error})") from error


def _feature(entry: Mapping[str, Any]) -> Feature:
    feature = Feature(entry["properties"], shape(entry["geometry"]))
    if not feature.site_id or not all(map(math.isfinite, feature.geometry.bounds)):
        raise ValueError("a feature has no site or no place")
    return feature


def read_truth(features: Iterable[Feature], path: Path, plane: Plane) -> list[TrueEvent]:
    """True events; a building's works count from the foundation, not from the cleared ground.

    Raises:
        DataError: a feature lacks what it must have.
    """
    events = []
    for feature in features:
        fields = feature.fields
        if fields.get("kind") is None:  # an object that never changed
            continue
        try:
            kind = Kind(fields["kind"])
            begun = _time(fields["start_datetime"])
            if kind is Kind.NEW_BUILDING and fields.get("cleared_end_datetime"):
                begun = max(begun, _time(fields["cleared_end_datetime"]))
            done = fields.get("end_datetime")
            events.append(
                TrueEvent(
                    id=str(fields["id"]),
                    site_id=feature.site_id,
                    kind=kind,
                    geometry=plane.place(feature),
                    begun=begun,
                    done=_time(done) if done else FAR,
                    replaces=_names(fields.get("replaces")),
                )
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(str(path), f"is not a truth file ({error})") from error
    return events


def read_run(run: Path, features: Iterable[Feature], plane: Plane) -> Run:
    """Events and looks of a run folder.

    Args:
        run: the folder.
        features: of its ``events.geojson``.
        plane: where they are put.

    Raises:
        DataError: a file is missing or not what it should be.
    """
    try:
        events = tuple(_said(feature, plane) for feature in features)
        observed = [row for row in _table(run / "observed.parquet") if row["used"]]
        spans = {row["look_id"]: (_utc(row["start"]), _utc(row["end"])) for row in observed}
        site_looks: dict[str, list[Look]] = {}
        for row in observed:
            site_looks.setdefault(row["site_id"], []).append(spans[row["look_id"]])
        object_looks: dict[tuple[str, str], list[Look]] = {}
        for row in _table(run / "ledger.parquet"):
            name = (row["site_id"], row["object_id"])
            own = object_looks.setdefault(name, [])
            if row["usable_fraction"] >= MIN_USABLE and row["look_id"] in spans:
                own.append(spans[row["look_id"]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(str(run), f"is not a run folder that is finished ({error})") from error
    return Run(
        events,
        {name: tuple(sorted(times)) for name, times in site_looks.items()},
        {name: tuple(sorted(times)) for name, times in object_looks.items()},
    )


def object_of(event: SaidEvent) -> str:
    """Id of the object that an event happened to."""
    return object_id(event.id, event.kind)


def _said(feature: Feature, plane: Plane) -> SaidEvent:
    fields = feature.fields
    start, end = (
        _time(text) if (text := fields[name]) else None
        for name in ("start_datetime", "end_datetime")
    )
    return SaidEvent(
        id=str(fields["id"]),
        site_id=feature.site_id,
        kind=Kind(fields["kind"]),
        geometry=plane.place(feature),
        interval=Interval(start, end),
        confidence=float(fields["confidence"]),
        date_confidence=float(fields["date_confidence"]),
        replaces=_names(fields["replaces"]),
        provisional=bool(fields["provisional"]),
    )


def _table(path: Path) -> list[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(str(path), f"cannot be read ({error})") from error


def _names(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _time(text: str) -> datetime:
    return _utc(datetime.fromisoformat(text))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
