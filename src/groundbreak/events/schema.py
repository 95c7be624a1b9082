"""The event as the outside sees it: properties by name, checked by the JSON Schema beside this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from groundbreak.errors import InternalError
from groundbreak.types import Event

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def event_properties(event: Event) -> dict[str, Any]:
    """The event's properties in the schema's order; times as ISO 8601 in UTC, lists as lists."""
    cleared = event.cleared
    return {
        "id": event.id,
        "site_id": event.site_id,
        "site_name": event.site_name,
        "kind": event.kind.value,
        "start_datetime": iso(event.interval.start),
        "end_datetime": iso(event.interval.end),
        "provisional": event.provisional,
        "cleared_start_datetime": iso(cleared.start) if cleared else None,
        "cleared_end_datetime": iso(cleared.end) if cleared else None,
        "confidence": round(event.confidence, 3),
        "date_confidence": round(event.date_confidence, 3),
        "area_m2": round(event.area_m2, 2),
        "before_scenes": list(event.before_scenes),
        "after_scenes": list(event.after_scenes),
        "registration_residual_px": _rounded(event.registration_residual_px, 3),
        "usable_fraction": round(event.usable_fraction, 3),
        "replaces": list(event.replaces),
        "replaced_by": list(event.replaced_by),
        "replaces_overlap": _rounded(event.replaces_overlap, 3),
        "length_m": _rounded(event.length_m, 1),
        "width_m": _rounded(event.width_m, 1),
        "orientation_deg": _rounded(event.orientation_deg, 1, below=180.0),
        "mouth_azimuth_deg": _rounded(event.mouth_azimuth_deg, 1, below=360.0),
        "vessel_length_m": _rounded(event.vessel_length_m, 1),
        "flags": list(event.flags),
        "sentence": event.sentence,
    }


def iso(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC with a Z, None as None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def validate_feature(feature: Mapping[str, Any]) -> None:
    """Check one GeoJSON feature against the schema.

    Raises:
        InternalError: the feature breaks the schema; the message names the field.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(feature))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "feature"
        raise InternalError(f"event {feature.get('id')}: {where}: {error.message}")


def load_schema() -> dict[str, Any]:
    """The JSON Schema of an event."""
    text = resources.files("groundbreak.events").joinpath("schema.json").read_text("utf-8")
    return dict(json.loads(text))


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema())


def _rounded(value: float | None, digits: int, below: float | None = None) -> float | None:
    if value is None:
        return None
    rounded = round(value, digits)
    return 0.0 if below is not None and rounded >= below else rounded
