"""The working folder of a site: where its looks and change maps lie, and on which grid."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import write_json
from groundbreak.events.objects import KnownObject
from groundbreak.events.schema import iso
from groundbreak.kept import kept_json
from groundbreak.prepare.store import LOOKS, PreparedLook, read_look
from groundbreak.raster.grid import site_shape
from groundbreak.types import Interval, Kind, Site

WORK = "work"
LONGEST_NAME = 120


@dataclass(frozen=True)
class SiteWork:
    """What a site's work left: enough for the report to draw on.

    ``area`` is the site's polygon in the grid's CRS; None where an earlier version did not keep it.
    """

    grid: GeoBox
    looks: tuple[PreparedLook, ...]
    area: BaseGeometry | None = None


def site_folder(run: Path, site_id: str) -> Path:
    """The working folder of a site; any id makes a safe name, a long one ends in its hash."""
    name = quote(site_id, safe=" ").replace(".", "%2E")
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(site_id.encode()).hexdigest()[:12]}"
    return run / WORK / name


def save_work(folder: Path, work: SiteWork) -> None:
    """Record grid, looks and, if it is known, the site's polygon.

    Raises:
        OutputError: the file cannot be written.
    """
    document = {
        "crs": str(work.grid.crs),
        "transform": list(work.grid.affine)[:6],
        "shape": list(work.grid.shape),
        "looks": [look.id for look in work.looks],
        "area": None if work.area is None else mapping(work.area),
    }
    write_json(folder / "site.json", document)


def load_work(folder: Path) -> SiteWork | None:
    """Grid, looks and polygon of a site, as far as they are whole.

    None where the working folder was deleted or never made, or what it says of the site is damaged.
    """
    known = kept_json(folder / "site.json", _site)
    if known is None:
        return None
    grid, names, area = known
    looks = [read_look(folder / LOOKS / name) for name in names]
    return SiteWork(grid, tuple(look for look in looks if look is not None), area)


@dataclass(frozen=True)
class Ground:
    """What an earlier run of a site worked on; ``area`` as in ``SiteWork``."""

    grid: GeoBox
    area: BaseGeometry | None

    @property
    def gsd_m(self) -> float:
        """Pixel size in metres."""
        return float(abs(self.grid.resolution.x))

    def other_than(self, site: Site, grid: GeoBox) -> str:
        """Why a site has to be computed anew on this grid, in one line; empty if it has not."""
        said = []
        resized = self.grid.resolution != grid.resolution
        if self.area is None:  # of an earlier version: only the grid can tell
            moved = self.grid != grid and not resized
        else:
            moved = self.grid.crs != grid.crs or not _alike(self.area, site_shape(site))
        if moved:
            said.append("its outline has changed since the earlier run")
        if resized:
            size_m = abs(float(grid.resolution.x))
            said.append(f"its pixels are {size_m:g} m now, and were {self.gsd_m:g} m before")
        end = "its events are told anew" if self.grid == grid else "the site is computed anew"
        return f"{', '.join(said)}: {end}" if said else ""


def _alike(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two polygons are the same to a millimetre, wherever their rings begin."""
    return bool(one.normalize().equals_exact(other.normalize(), 1e-3))


def load_ground(folder: Path) -> Ground | None:
    """Grid and polygon of an earlier run of a site; None without one, or if it is not known."""
    known = kept_json(folder / "site.json", _site)
    return None if known is None else Ground(known[0], known[2])


def _site(document: dict[str, Any]) -> tuple[GeoBox, list[str], BaseGeometry | None]:
    """Grid, names of the looks, and the site's polygon."""
    height, width = (int(side) for side in document["shape"])
    grid = GeoBox((height, width), Affine(*document["transform"]), document["crs"])
    gsd_m = abs(grid.resolution.x)
    if not (math.isfinite(gsd_m) and gsd_m > 0):
        raise ValueError(f"pixels of {gsd_m} m")
    area = document.get("area")  # working folders of earlier versions have none
    return grid, [str(name) for name in document["looks"]], None if area is None else shape(area)


def save_objects(folder: Path, objects: Sequence[KnownObject]) -> None:
    """Keep the objects of a site, so that later runs call them by the same ids.

    Raises:
        OutputError: the file cannot be written.
    """
    document = [
        {
            "id": o.id,
            "founded_by": o.founded_by.value,
            "footprint": mapping(o.footprint),
            "told": {kind.value: [iso(t.start), iso(t.end)] for kind, t in o.told.items()},
            "followed": o.followed,
        }
        for o in objects
    ]
    write_json(folder / "objects.json", document, indent=None)


def load_objects(folder: Path) -> list[KnownObject] | None:
    """The objects of an earlier run of a site, none without one; None if the file is damaged."""
    path = folder / "objects.json"
    return kept_json(path, _objects) if path.exists() else []


def _objects(document: Any) -> list[KnownObject]:
    if not isinstance(document, list):
        raise TypeError("no list of objects")
    return [
        KnownObject(
            _id(o["id"]),
            Kind(o["founded_by"]),
            _footprint(o["footprint"]),
            # Runs of before noted none.
            {Kind(kind): _interval(*ends) for kind, ends in o.get("told", {}).items()},
            bool(o.get("followed", True)),
        )
        for o in document
    ]


def _id(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no id")
    return name


def _footprint(document: Any) -> BaseGeometry:
    footprint = shape(document)
    if footprint.is_empty or not footprint.is_valid:
        raise ValueError("a footprint is no polygon")
    return footprint


def _interval(start: str | None, end: str | None) -> Interval:
    return Interval(_moment(start), _moment(end))


def _moment(text: str | None) -> datetime | None:
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{text} is in no time zone")
    return moment
