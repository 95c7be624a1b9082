"""Events as GeoParquet 1.1, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import atomic_path
from groundbreak.errors import OutputError
from groundbreak.lonlat import bbox, joined
from groundbreak.types import Event, Interval, Kind
from groundbreak.writers.lonlat import HALF_A_TURN, to_lonlat
from groundbreak.writers.table import GEOMETRY, LISTS, NUMBERS, TEXTS, columns, events_table

if TYPE_CHECKING:
    import pyarrow as pa

LONLAT = "OGC:CRS84"
BOX = "bbox"
CORNERS = ("xmin", "ymin", "xmax", "ymax")

WRONG = (AttributeError, KeyError, TypeError, ValueError)
"""What comes of a value that is not what it should be."""


def write_geoparquet(events: Sequence[Event], path: Path) -> None:
    """Write events with their lists as lists and their times in UTC.

    The geometry is in the sites' UTM zone. A column has one CRS: events of several zones are
    written in longitude and latitude, and a column ``crs`` names the zone of each.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    zones = {event.crs for event in events}
    if len(zones) == 1:
        crs, shapes = zones.pop(), [event.geometry for event in events]
        table = events_table(events, shapes)
    else:
        crs, shapes = LONLAT, [to_lonlat(event.geometry, event.crs) for event in events]
        table = events_table(events, shapes)
        if events:
            table = table.append_column("crs", [[event.crs for event in events]])
    table = _with_boxes(table, shapes).replace_schema_metadata(
        {"geo": json.dumps(_geo(crs, shapes))}
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _geo(crs: str, shapes: Sequence[BaseGeometry]) -> dict[str, Any]:
    """The file's metadata (GeoParquet 1.1.0)."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({shape.geom_type for shape in shapes}),
        "crs": CRS.from_user_input(crs).to_json_dict(),
        "covering": {BOX: {corner: [BOX, corner] for corner in CORNERS}},
    }
    if shapes:
        # Over the antimeridian west is more than east here (RFC 7946). A row's own box is left
        # as wide as the globe there: readers that compare its ends would not find the row.
        polygons = MultiPolygon(list(shapely.get_parts(shapes)))
        column["bbox"] = list(bbox(polygons) if crs == LONLAT else polygons.bounds)
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}


def _with_boxes(table: pa.Table, shapes: Sequence[BaseGeometry]) -> pa.Table:
    """A box for each row lets readers skip what lies elsewhere."""
    import pyarrow as pa

    corners = pa.struct([(corner, pa.float64()) for corner in CORNERS])
    boxes = [dict(zip(CORNERS, shape.bounds, strict=True)) for shape in shapes]
    return table.append_column(BOX, pa.array(boxes, corners))


def read_geoparquet(path: Path) -> list[Event]:
    """The events of a file that `write_geoparquet` wrote.

    Raises:
        OutputError: the file is missing or is not one of these.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        geo = json.loads(table.schema.metadata[b"geo"])
        crs = CRS.from_json_dict(geo["columns"][GEOMETRY]["crs"]).to_string()
        missing = [name for name in columns() if name not in table.column_names]
        events = [] if missing else [_event(row, crs) for row in _typed(table).to_pylist()]
    except FileNotFoundError:
        raise OutputError(str(path), "does not exist", "run detect first") from None
    except (OSError, pa.ArrowException, ProjError, ShapelyError, *WRONG) as error:
        problem = "is not a GeoParquet file of events, or is damaged"
        raise OutputError(str(path), problem, "give detect again: it is made anew") from error
    if missing:
        raise OutputError(str(path), f"is not a file of events: it has no column {missing[0]}")
    return events


def _typed(table: pa.Table) -> pa.Table:
    """The columns that are read, as `write_geoparquet` writes them."""
    import pyarrow as pa

    zone = [pa.field("crs", pa.string())] if "crs" in table.column_names else []
    schema = pa.schema([*events_table((), ()).schema, *zone])
    return table.select(schema.names).cast(schema)


def _event(row: Mapping[str, Any], crs: str) -> Event:
    geometry, zone = shapely.from_wkb(row[GEOMETRY]), row.get("crs")
    if zone is not None:
        west, _, east, _ = geometry.bounds
        if east - west > HALF_A_TURN:
            geometry = joined(list(shapely.get_parts(geometry)))
        transformer = Transformer.from_crs(LONLAT, zone, always_xy=True)
        geometry = shapely.transform(geometry, transformer.transform, interleaved=False)
    cleared = Interval(*_moments(row, "cleared_"))
    fields: dict[str, Any] = {name: row[name] for name in (*TEXTS, *NUMBERS)}
    fields |= {name: tuple(row[name]) for name in LISTS}
    fields |= {
        "kind": Kind(row["kind"]),
        "interval": Interval(*_moments(row, "")),
        "geometry": geometry,
        "crs": zone or crs,
        "provisional": row["provisional"],
        "cleared": None if cleared == Interval(None, None) else cleared,
    }
    return Event(**fields)


def _moments(row: Mapping[str, Any], prefix: str) -> tuple[datetime | None, datetime | None]:
    return row[f"{prefix}start_datetime"], row[f"{prefix}end_datetime"]
