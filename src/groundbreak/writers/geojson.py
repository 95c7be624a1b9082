"""Events as GeoJSON (RFC 7946)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shapely.geometry import mapping

from groundbreak.atomic import write_json
from groundbreak.events.schema import event_properties
from groundbreak.types import Event
from groundbreak.writers.lonlat import to_lonlat


def event_feature(event: Event) -> dict[str, Any]:
    """One event as a GeoJSON feature in longitude and latitude."""
    return {
        "type": "Feature",
        "id": event.id,
        "geometry": _lists(mapping(to_lonlat(event.geometry, event.crs))),
        "properties": event_properties(event),
    }


def write_geojson(events: Sequence[Event], path: Path) -> None:
    """Write a FeatureCollection; without events it is empty but valid.

    Raises:
        OutputError: the file cannot be written.
    """
    features = [event_feature(event) for event in events]
    write_json(path, {"type": "FeatureCollection", "features": features})


def _lists(value: Any) -> Any:
    """Tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: _lists(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_lists(part) for part in value]
    return value
