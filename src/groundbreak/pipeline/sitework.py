"""The working folder of a site: where its looks and change maps lie, and on which grid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping, shape

from groundbreak.atomic import write_json
from groundbreak.events.objects import KnownObject
from groundbreak.prepare.store import LOOKS, PreparedLook, read_look
from groundbreak.types import Kind

WORK = "work"
LONGEST_NAME = 120


@dataclass(frozen=True)
class SiteWork:
    """What a site's work left: enough for the report to draw on."""

    grid: GeoBox
    looks: tuple[PreparedLook, ...]


def site_folder(run: Path, site_id: str) -> Path:
    """The working folder of a site; any id makes a safe name, a long one ends in its hash."""
    name = quote(site_id, safe=" ").replace(".", "%2E")
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(site_id.encode()).hexdigest()[:12]}"
    return run / WORK / name


def save_work(folder: Path, work: SiteWork) -> None:
    """Record grid and looks.

    Raises:
        OutputError: the file cannot be written.
    """
    document = {
        "crs": str(work.grid.crs),
        "transform": list(work.grid.affine)[:6],
        "shape": list(work.grid.shape),
        "looks": [look.id for look in work.looks],
    }
    write_json(folder / "site.json", document)


def load_work(folder: Path) -> SiteWork | None:
    """Grid and looks of a site, None where the working folder was deleted or never made."""
    document = _read(folder)
    if document is None:
        return None
    looks = [read_look(folder / LOOKS / name) for name in document["looks"]]
    return SiteWork(_grid(document), tuple(look for look in looks if look is not None))


def load_gsd(folder: Path) -> float | None:
    """Pixel size in metres of the grid that an earlier run of a site chose, None without one."""
    document = _read(folder)
    return None if document is None else float(abs(_grid(document).resolution.x))


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / "site.json"
    if not path.is_file():
        return None
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _grid(document: dict[str, Any]) -> GeoBox:
    return GeoBox(tuple(document["shape"]), Affine(*document["transform"]), document["crs"])


def save_objects(folder: Path, objects: Sequence[KnownObject]) -> None:
    """Keep the objects of a site, so that later runs call them by the same ids.

    Raises:
        OutputError: the file cannot be written.
    """
    document = [
        {"id": o.id, "founded_by": o.founded_by.value, "footprint": mapping(o.footprint)}
        for o in objects
    ]
    write_json(folder / "objects.json", document, indent=None)


def load_objects(folder: Path) -> list[KnownObject]:
    """The objects of an earlier run of a site."""
    path = folder / "objects.json"
    if not path.is_file():
        return []
    document: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [KnownObject(o["id"], Kind(o["founded_by"]), shape(o["footprint"])) for o in document]
