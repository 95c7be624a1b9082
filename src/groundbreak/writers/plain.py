"""Events in plain text, value by value, for forms that know neither lists nor types."""

from __future__ import annotations

from typing import Any

from groundbreak.events.schema import event_properties
from groundbreak.types import Event
from groundbreak.writers.lonlat import point_lonlat

SEPARATOR = "; "
PLACE = ("lon", "lat")
AFTER = "kind"
"""The place comes after this property."""
DECIMALS = 6
"""Of a degree: a tenth of a metre."""


def plain_values(event: Event) -> dict[str, str]:
    """The properties of the schema in its order as text, and a point inside the outline.

    ``lon`` and ``lat`` follow the kind. What is null is empty, lists are joined by ``; ``, times
    are ISO 8601 in UTC.
    """
    place = point_lonlat(event.geometry, event.crs)
    values: dict[str, str] = {}
    for name, value in event_properties(event).items():
        values[name] = _text(value)
        if name == AFTER:
            values |= zip(PLACE, (f"{degrees:.{DECIMALS}f}" for degrees in place), strict=True)
    return values


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return SEPARATOR.join(value) if isinstance(value, list) else str(value)
