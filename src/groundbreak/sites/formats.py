"""The three forms of a watch-list: GeoJSON, GeoPackage, and a CSV of points.

Each becomes a list of features, not yet judged; only a file that cannot be read at all is an
error here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from groundbreak.errors import SiteError
from groundbreak.tables import Row, read_table, read_text

_SYNONYMS = {
    "latitude": "lat",
    "y": "lat",
    "longitude": "lon",
    "long": "lon",
    "lng": "lon",
    "x": "lon",
    "buffer": "buffer_m",
}


@dataclass(frozen=True)
class Feature:
    """One site as the file has it. ``where`` names it in messages."""

    where: str
    geometry: Mapping[str, Any] | None
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: Any = None
    problem: str | None = None


@dataclass(frozen=True)
class Watchlist:
    """The features of a file and the CRS of their coordinates (None: lon/lat).

    ``order`` says what to look at where latitude and longitude seem swapped.
    """

    features: tuple[Feature, ...]
    crs: CRS | None = None
    order: str = "GeoJSON wants longitude first"


def read_geojson(path: Path) -> Watchlist:
    """Read a FeatureCollection, a Feature or a bare geometry.

    The ``crs`` member of the older GeoJSON is honoured; coordinates are always x, y, as every
    program writes them whatever the axis order of the CRS.

    Raises:
        SiteError: not JSON, not GeoJSON, or a CRS that is not known.
    """
    try:
        document = json.loads(read_text(path, SiteError))
    except (ValueError, RecursionError) as error:
        raise SiteError(str(path), f"is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise SiteError(str(path), "is JSON, but not GeoJSON", "give a FeatureCollection")
    crs = _declared_crs(path, document.get("crs"))
    kind = document.get("type")
    if kind == "FeatureCollection":
        members = document.get("features")
        if not isinstance(members, list):
            raise SiteError(str(path), "has no list of features", "give a FeatureCollection")
        if any(isinstance(member, dict) and "stac_version" in member for member in members):
            raise SiteError(str(path), "is a catalogue of scenes, not a watch-list")
    elif kind == "Feature":
        members = [document]
    elif isinstance(document.get("coordinates"), list):
        members = [{"type": "Feature", "geometry": document, "properties": {}}]
    else:
        raise SiteError(str(path), "is JSON, but not GeoJSON", "give a FeatureCollection")
    return Watchlist(tuple(_feature(i, m) for i, m in enumerate(members, start=1)), crs)


def read_gpkg(path: Path) -> Watchlist:
    """Read every layer with geometries of a GeoPackage, each converted to lon/lat.

    Raises:
        SiteError: it cannot be read, holds no layer with geometries, or a layer has no CRS.
    """
    import geopandas
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    features: list[Feature] = []
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
        for layer in layers:
            frame = geopandas.read_file(path, layer=layer, engine="pyogrio", fid_as_index=True)
            if frame.crs is None:
                raise SiteError(f"{path}, layer {layer}", "declares no CRS", "set it in the file")
            features += _frame_features(frame.to_crs("EPSG:4326"), layer if layers[1:] else "")
    except (DataSourceError, DataLayerError) as error:
        raise SiteError(str(path), f"is not a GeoPackage that can be read ({error})") from error
    if not layers:
        raise SiteError(str(path), "has no layer with geometries")
    return Watchlist(tuple(features), order="x is the longitude")


def read_csv(path: Path) -> Watchlist:
    """Read a CSV of points: ``id,name,lat,lon,buffer_m`` in any order; further columns are kept.

    Raises:
        SiteError: no header, or no column ``lat`` or ``lon``.
    """
    table = read_table(path, ("lat", "lon"), SiteError, _SYNONYMS)
    features = tuple(_row_feature(row) for row in table.rows)
    return Watchlist(features, order="check the columns lat and lon")


def _declared_crs(path: Path, member: Any) -> CRS | None:
    if member is None:
        return None
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise SiteError(
            str(path), "its crs member names no CRS", 'write it as {"name": "urn:ogc:def:crs:..."}'
        )
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise SiteError(str(path), f"declares an unknown CRS {name!r}") from error


def _feature(number: int, member: Any) -> Feature:
    where = f"feature {number}"
    if not isinstance(member, dict) or member.get("type") != "Feature":
        return Feature(where, None, problem="is not a GeoJSON feature")
    properties = member.get("properties")
    return Feature(
        where,
        member.get("geometry"),
        properties if isinstance(properties, dict) else {},
        member.get("id"),
    )


def _frame_features(frame: Any, layer: str) -> list[Feature]:
    from shapely.geometry import mapping

    names = [name for name in frame.columns if name != frame.geometry.name]
    features = []
    for fid, row in frame.iterrows():
        shape = row[frame.geometry.name]
        geometry = None if shape is None or shape.is_empty else mapping(shape)
        properties = {name: _plain(row[name]) for name in names}
        where = f"layer {layer}, feature {fid}" if layer else f"feature {fid}"
        features.append(
            Feature(where, geometry, properties, f"{layer}-{fid}" if layer else str(fid))
        )
    return features


def _plain(value: Any) -> Any:
    """A JSON value of what a table holds."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    text = str(value)
    return None if text in ("NaT", "<NA>") else text


def _row_feature(row: Row) -> Feature:
    where = f"line {row.line}"
    extra = {key: text for key, text in row.cells.items() if key not in ("lat", "lon")}
    if row.misfit:
        return Feature(where, None, extra, problem=row.misfit)
    try:
        position = [degrees(name, row.cells.get(name, "")) for name in ("lon", "lat")]
    except ValueError as error:
        return Feature(where, None, extra, problem=str(error))
    return Feature(where, {"type": "Point", "coordinates": position}, extra)


def degrees(name: str, text: str) -> float:
    """A decimal number of degrees.

    Raises:
        ValueError: empty, with a decimal comma, in degrees and minutes, or no number at all.
    """
    if not text:
        raise ValueError(f"has no {name}")
    try:
        return float(text)
    except ValueError:
        pass
    if "," in text:
        raise ValueError(f"has {name} {text!r}: write decimals with a point, not a comma")
    raise ValueError(f"has {name} {text!r}: write decimal degrees, such as 39.66")
