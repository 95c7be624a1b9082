"""The event as the outside sees it: properties by name, checked by the JSON Schema beside this."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from groundbreak.errors import InternalError
from groundbreak.types import Event

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

MOST_LETTERS = 200
"""Of a message."""


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
    try:
        errors = [] if _validator().is_valid(feature) else list(_validator().iter_errors(feature))
    except ValueError as problem:  # what JSON has not: numbers of NumPy
        raise InternalError(f"event {feature.get('id')}: {problem}") from problem
    if errors:
        error = _most_telling(errors)
        where = "/".join(str(part) for part in error.instance_path) or "feature"
        raise InternalError(f"event {feature.get('id')}: {where}: {_short(error.message)}")


def _short(message: str) -> str:
    """A message without the middle of what it quotes, which may be a whole outline."""
    if len(message) <= MOST_LETTERS:
        return message
    return f"{message[: MOST_LETTERS // 4]} … {message[-MOST_LETTERS // 2 :]}"


def _most_telling(errors: Sequence[ValidationError]) -> ValidationError:
    """The error nearest to the root; of one with alternatives, that of the one most nearly met."""
    error = min(errors, key=lambda error: len(error.instance_path))
    alternatives = getattr(error.kind, "context", None)
    return _most_telling(min(alternatives, key=len)) if alternatives else error


def load_schema() -> dict[str, Any]:
    """The JSON Schema of an event."""
    text = resources.files("groundbreak.events").joinpath("schema.json").read_text("utf-8")
    return dict(json.loads(text))


@cache
def _validator() -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(load_schema())


def _rounded(value: float | None, digits: int, below: float | None = None) -> float | None:
    if value is None:
        return None
    rounded = round(value, digits)
    return 0.0 if below is not None and rounded >= below else rounded
