"""Events in plain text, value by value, for forms that know neither lists nor types."""

from __future__ import annotations

from typing import Any

from groundbreak.events.schema import event_properties
from groundbreak.types import Event
from groundbreak.writers.lonlat import point_lonlat
from groundbreak.writers.table import columns

SEPARATOR = "; "
NUMBER = "number"
PLACE = ("lon", "lat")
EXTRA = {"site_name": (NUMBER,), "kind": PLACE}
"""What is no property of an event, and comes after which one."""
DECIMALS = 6
"""Of a degree: a tenth of a metre."""


def plain_columns() -> tuple[str, ...]:
    """Names of `plain_values` in order."""
    return tuple(each for name in columns() for each in (name, *EXTRA.get(name, ())))


def plain_values(event: Event, number: int) -> dict[str, str]:
    """The properties of the schema in its order as text, with the number and a point inside.

    ``number`` follows the site, ``lon`` and ``lat`` follow the kind. What is null is empty, lists
    are joined by ``; ``, times are ISO 8601 in UTC.

    Args:
        event: with its geometry.
        number: by which it is called (`groundbreak.events.numbers`).
    """
    place = point_lonlat(event.geometry, event.crs)
    values = {name: _text(value) for name, value in event_properties(event).items()}
    values[NUMBER] = str(number)
    values |= zip(PLACE, (f"{degrees:.{DECIMALS}f}" for degrees in place), strict=True)
    return {name: values[name] for name in plain_columns()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return SEPARATOR.join(value) if isinstance(value, list) else str(value)
