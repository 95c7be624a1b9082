"""A watch-list becomes sites: each validated, repaired with a note, or refused with a reason."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import SiteError
from groundbreak.lonlat import fingerprint
from groundbreak.sites.formats import Feature, read_csv, read_geojson, read_gpkg
from groundbreak.sites.geometry import RefusedError, SwappedError, outline
from groundbreak.types import Refusal, Site

log = logging.getLogger(__name__)

DEFAULT_BUFFER_M = 1000.0
"""Radius of a point site that states none."""
LEAST_BUFFER_M, MOST_BUFFER_M = 15.0, 50_000.0
"""Beyond these somebody may have meant other units: in less than a house nothing can be aligned."""

_READERS = {
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".gpkg": read_gpkg,
    ".csv": read_csv,
}
_FORBIDDEN_IN_ID = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True)
class SiteList:
    """The usable sites of a watch-list, what was repaired or assumed, and what was refused."""

    sites: tuple[Site, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


def read_sites(path: Path, *, strict: bool = False) -> SiteList:
    """Read and validate a watch-list.

    Polygons, or points with ``buffer_m`` (a radius in metres; 1000 is assumed, with a note, where
    a point states none). A site's id is ``properties.id``, else the feature's ``id``, else one is
    derived from the name or the outline, which stays the same when the list is reordered.

    Args:
        path: GeoJSON (``.geojson``, ``.json``), GeoPackage (``.gpkg``) or a CSV of points.
        strict: take any repair, assumption or refusal for an error.

    Returns:
        The sites in the order of the file.

    Raises:
        SiteError: the file cannot be read, or no site is left, or ``strict`` found something.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if not path.is_file():
        raise SiteError(str(path), "does not exist" if not path.exists() else "is not a file")
    if reader is None:
        raise SiteError(
            str(path),
            f"has the unknown extension {path.suffix!r}",
            "watch-lists are .geojson, .json, .gpkg or .csv",
        )
    watchlist = reader(path)
    sites: dict[str, Site] = {}
    refused: list[Refusal] = []
    for feature in watchlist.features:
        try:
            site = _site(feature, watchlist.crs, sites)
            sites[site.id] = site
        except RefusedError as problem:
            hint = f" ({watchlist.order})" if isinstance(problem, SwappedError) else ""
            refused.append(Refusal(_subject(feature), f"{problem}{hint}"))
    found = tuple(sites.values())
    notes = tuple(f"{site.id}: {note}" for site in found for note in site.notes)
    return _judged(path, SiteList(found, notes, tuple(refused)), strict)


def _judged(path: Path, result: SiteList, strict: bool) -> SiteList:
    for note in result.notes:
        log.info("site %s", note)
    for refusal in result.refused:
        log.warning("site left out: %s %s", refusal.subject, refusal.reason)
    if strict and result.refused:
        first = result.refused[0]
        raise SiteError(f"{path}, {first.subject}", first.reason)
    if strict and result.notes:
        raise SiteError(str(path), result.notes[0], "mend it, or leave out --strict")
    if not result.sites:
        why = "; ".join(f"{r.subject} {r.reason}" for r in result.refused[:3])
        raise SiteError(str(path), "no site is left" if why else "holds no site", why)
    return result


def _site(feature: Feature, crs: CRS | None, earlier: Container[str]) -> Site:
    if feature.problem:
        raise RefusedError(feature.problem)
    notes: list[str] = []
    buffer_m = _buffer(feature, notes)
    geometry, repairs = outline(feature.geometry, crs, buffer_m)
    if buffer_m is not None and not LEAST_BUFFER_M <= buffer_m <= MOST_BUFFER_M:
        notes.append(f"buffer_m is {buffer_m:g}: it is taken in metres")
    name = _text(feature.properties.get("name"))
    identity = _id(feature, name, geometry, notes)
    if identity in earlier:
        raise RefusedError(f"has the id {identity!r} of an earlier site: ids must differ")
    kept = {k: v for k, v in feature.properties.items() if k not in ("id", "name")}
    return Site(identity, name or identity, geometry, (*notes, *repairs), kept)


def _buffer(feature: Feature, notes: list[str]) -> float | None:
    given = feature.properties.get("buffer_m")
    kind = feature.geometry.get("type") if isinstance(feature.geometry, Mapping) else None
    if kind not in ("Point", "MultiPoint"):
        if given not in (None, "", 0):
            notes.append("buffer_m is ignored: the site is a polygon")
        return None
    if given in (None, ""):
        notes.append(f"no buffer_m: {DEFAULT_BUFFER_M:g} m around the point are taken")
        notes.extend(
            f"the column '{name}' is not used; did you mean buffer_m?"
            for name in feature.properties
            if name != "buffer_m" and re.search("radius|buffer", str(name), re.IGNORECASE)
        )
        return DEFAULT_BUFFER_M
    try:
        return float(given) if not isinstance(given, bool) else math.nan
    except (TypeError, ValueError):
        raise RefusedError(
            f"has buffer_m {given!r}: it must be a positive number of metres"
        ) from None


def _id(feature: Feature, name: str, geometry: BaseGeometry, notes: list[str]) -> str:
    identity = _text(feature.properties.get("id")) or _text(feature.id)
    if not identity:
        slug = re.sub(r"[^\w]+", "-", name.lower()).strip("-_")
        identity = slug or f"site-{fingerprint(geometry)}"
        notes.append(f"no id: this one was derived from the {'name' if slug else 'outline'}")
    if _FORBIDDEN_IN_ID.search(identity) or identity in (".", "..") or len(identity) > 100:
        raise RefusedError(
            f"has the id {identity[:100]!r}: use up to 100 characters without slashes, backslashes "
            "and control characters, and neither '.' nor '..'"
        )
    return identity


def _text(value: Any) -> str:
    """An id or name as text: 7 and 7.0 (a table's way to hold 7) are "7"."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        value = int(value) if value.is_integer() else value
    return str(value).strip()


def _subject(feature: Feature) -> str:
    label = _text(feature.properties.get("id")) or _text(feature.properties.get("name"))
    return f"{feature.where} ({label})" if label else feature.where
