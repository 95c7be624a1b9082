"""The card of an event: its interval, its facts, pictures before and after, a strip of looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from odc.geo import Shape2d

from groundbreak.events.captions import MEANINGS, TITLES
from groundbreak.events.identity import object_id
from groundbreak.events.phrases import between, share
from groundbreak.pipeline.sitework import SiteWork
from groundbreak.prepare.store import PreparedLook
from groundbreak.report.anchors import anchor_of
from groundbreak.report.draw import pixel_outline, svg_path
from groundbreak.report.images import Stretch, picture
from groundbreak.report.timeline import day
from groundbreak.types import Kind

CHIP_SIDE, STRIP_SIDE = 260, 74
CHIP_MARGIN = 0.6
"""Ground shown around an event, in lengths of the event."""
LEAST_CHIP_PX = 48
MOST_IN_STRIP = 24


def event_view(
    event: dict[str, Any],
    observed: Sequence[Mapping[str, Any]],
    ledger: Mapping[str, Sequence[Mapping[str, Any]]],
    pictured: tuple[SiteWork, Stretch] | None,
    *,
    with_strip: bool,
) -> dict[str, Any]:
    """What the page shows of an event.

    Args:
        event: a feature of the run.
        observed: rows of its site.
        ledger: rows of its site, by object.
        pictured: where the pictures of the site are, and their stretch; None for no pictures.
        with_strip: show all looks as well.
    """
    about = event["properties"]
    view = {
        "id": event["id"],
        "anchor": anchor_of("event", event["id"]),
        "kind": about["kind"],
        "provisional": about["provisional"],
        "title": f"{TITLES[about['kind']]}, {_interval(about, observed)}",
        "sentence": about["sentence"],
        "percent": round(100 * about["confidence"]),
        "confidence": _two_digits(about["confidence"]),
        "date_confidence": _two_digits(about["date_confidence"]),
        "area": f"{about['area_m2']:,.0f} m²",
        "facts": _facts(about),
        "flags": [
            {"name": flag.replace("_", " "), "meaning": MEANINGS.get(flag, "")}
            for flag in about["flags"]
        ],
        "chips": [],
        "path": "",
        "strip": [],
        "strip_title": "",
    }
    if pictured is None:
        return view
    work, stretch = pictured
    outline = pixel_outline(event["geometry"], work.grid)
    window = chip_window(outline.bounds, work.grid.shape)
    view["path"] = svg_path(outline, window[1].start, window[0].start)
    view["chips"] = [chip(word, look, window, stretch) for word, look in _before_after(work, about)]
    if not with_strip:
        return view
    rows = ledger.get(object_id(event["id"], Kind(about["kind"])), ())
    view["strip_title"] = _strip_title(work)
    view["strip"] = _strip(work, rows, window, stretch)
    return view


def _two_digits(confidence: float) -> str:
    """Rounded down: what is not yet 0.95 must not be read as such."""
    return f"{math.floor(round(confidence * 1000) / 10) / 100:.2f}"


def _before_after(work: SiteWork, about: dict[str, Any]) -> list[tuple[str, PreparedLook]]:
    chosen = []
    for word, key in (("before", "before_scenes"), ("after", "after_scenes")):
        scenes = set(about[key])
        look = next((look for look in work.looks if scenes & set(look.scene_ids)), None)
        if look is not None:
            chosen.append((word, look))
    return chosen


def _strip(
    work: SiteWork,
    rows: Sequence[Mapping[str, Any]],
    window: tuple[slice, slice],
    stretch: Stretch,
) -> list[dict[str, Any]]:
    """Small chips of all looks with what the ledger says of each."""
    by_look = {row["look_id"]: row for row in rows}
    looks = work.looks[:: _strip_step(work)]
    return [
        {
            "image": picture(look, window, stretch, STRIP_SIDE),
            "date": day(look.start, look.end),
            "counted": bool(by_look.get(look.id, {}).get("counted")),
            "why": by_look.get(look.id, {}).get("reason") or "",
        }
        for look in looks
    ]


def _strip_step(work: SiteWork) -> int:
    """Every so many looks are in a strip."""
    return max(1, -(-len(work.looks) // MOST_IN_STRIP))


def _strip_title(work: SiteWork) -> str:
    step = _strip_step(work)
    return "all looks" if step == 1 else f"one look in {step}"


def chip_window(bounds: tuple[float, float, float, float], shape: Shape2d) -> tuple[slice, slice]:
    """A square window around an outline, moved into the grid."""
    west, north, east, south = bounds
    side = max((east - west), (south - north)) * (1 + 2 * CHIP_MARGIN)
    side = int(min(max(side, LEAST_CHIP_PX), 2048))
    slices = []
    for middle, length in (((north + south) / 2, shape[0]), ((west + east) / 2, shape[1])):
        start = int(min(max(0, middle - side / 2), max(0, length - side)))
        slices.append(slice(start, min(start + side, length)))
    return slices[0], slices[1]


def _interval(about: dict[str, Any], observed: Sequence[Mapping[str, Any]]) -> str:
    before = _span(about["start_datetime"], about["before_scenes"], observed)
    return between(before, _span(about["end_datetime"], about["after_scenes"], observed))


def _span(
    text: str | None, scenes: list[str], observed: Sequence[Mapping[str, Any]]
) -> tuple[datetime, datetime] | None:
    """When a look was taken, as exactly as that is known; ``text`` is its outer bound."""
    if text is None:
        return None
    for row in observed:
        if set(scenes) & set(row["scene_ids"]):
            return row["start"], row["end"]
    moment = datetime.fromisoformat(text)
    return moment, moment


def _facts(about: dict[str, Any]) -> str:
    facts = []
    if about["length_m"] is not None:
        facts.append(f"berth {about['length_m']:.0f} × {about['width_m']:.0f} m")
    if about["vessel_length_m"] is not None:
        facts.append(f"fits a vessel of about {about['vessel_length_m']:.0f} m")
    if about["registration_residual_px"] is not None and "misregistered" not in about["flags"]:
        facts.append(f"images lie over each other to {about['registration_residual_px']:.2f} px")
    facts.append(f"{share(about['usable_fraction'])} of the footprint seen")
    return " · ".join(facts)


def chip(
    word: str, look: PreparedLook, window: tuple[slice, slice], stretch: Stretch
) -> dict[str, Any]:
    """A window of a look as a picture, with its date below."""
    return {
        "image": picture(look, window, stretch, CHIP_SIDE),
        "caption": f"{word}: {day(look.start, look.end)}" if word else day(look.start, look.end),
        "width": window[1].stop - window[1].start,
        "height": window[0].stop - window[0].start,
    }
