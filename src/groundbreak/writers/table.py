"""Events as an Arrow table: the properties of the schema as typed columns, also without a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import shapely

from groundbreak.events.schema import event_properties, load_schema
from groundbreak.types import Event, Interval

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = ("before_scenes", "after_scenes", "replaces", "replaced_by", "flags")
TIMES = ("start_datetime", "end_datetime", "cleared_start_datetime", "cleared_end_datetime")
TRUTHS = ("provisional",)
TEXTS = ("id", "site_id", "site_name", "kind", "sentence")
NUMBERS = (
    "confidence",
    "date_confidence",
    "area_m2",
    "usable_fraction",
    "registration_residual_px",
    "replaces_overlap",
    "length_m",
    "width_m",
    "orientation_deg",
    "mouth_azimuth_deg",
    "vessel_length_m",
)
"""The columns of the table by what they hold; a test compares them with the schema."""

GEOMETRY = "geometry"


def columns() -> tuple[str, ...]:
    """The schema's properties in its order."""
    return tuple(load_schema()["$defs"]["properties"]["properties"])


def events_table(events: Sequence[Event], geometries: Sequence[Any]) -> pa.Table:
    """A table with one row for each event and its geometry, as WKB, last.

    Times are UTC with milliseconds, lists are lists of strings, numbers are float64.

    Args:
        events: any number, none included.
        geometries: one for each event.
    """
    import pyarrow as pa

    types = {
        **dict.fromkeys(LISTS, pa.list_(pa.string())),
        **dict.fromkeys(TIMES, pa.timestamp("ms", tz="UTC")),
        **dict.fromkeys(TRUTHS, pa.bool_()),
        **dict.fromkeys(TEXTS, pa.string()),
        **dict.fromkeys(NUMBERS, pa.float64()),
    }
    rows = [event_properties(event) | _times(event) for event in events]
    data = {name: pa.array([row[name] for row in rows], types[name]) for name in columns()}
    data[GEOMETRY] = pa.array([shapely.to_wkb(shape) for shape in geometries], pa.binary())
    return pa.table(data)


def _times(event: Event) -> dict[str, Any]:
    cleared = event.cleared or Interval(None, None)
    ends = (event.interval.start, event.interval.end, cleared.start, cleared.end)
    return dict(zip(TIMES, ends, strict=True))
