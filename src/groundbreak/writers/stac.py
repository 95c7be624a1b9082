"""The run as a STAC item: inputs as links, outputs as assets, and what made them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import write_json
from groundbreak.lonlat import bbox

FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PROCESSING_EXTENSION = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
MARKER = "run.json"

ASSETS: Mapping[str, tuple[str, str, str]] = {
    "events.geojson": ("application/geo+json", "Events as GeoJSON", "data"),
    "events.gpkg": ("application/geopackage+sqlite3", "Events as GeoPackage", "data"),
    "events.parquet": ("application/vnd.apache.parquet", "Events as GeoParquet", "data"),
    "events.csv": ("text/csv", "Events as a table for spreadsheets", "data"),
    "events.kml": ("application/vnd.google-earth.kml+xml", "Events for Google Earth", "data"),
    "summary.json": ("application/json", "Sites in plain words", "metadata"),
    "news.json": ("application/json", "What is new since the run before", "metadata"),
    "ledger.parquet": ("application/vnd.apache.parquet", "Every object at every look", "data"),
    "observed.parquet": ("application/vnd.apache.parquet", "What was observed when", "metadata"),
    MARKER: ("application/json", "What was asked, and of which version", "metadata"),
}
"""Files of a run folder: media type, title, role."""


def write_stac(
    run: Path,
    record: Mapping[str, Any],
    footprint: BaseGeometry | None,
    period: tuple[datetime, datetime] | None,
) -> None:
    """Write ``item.json`` of a run folder; assets are those of `ASSETS` that exist.

    Args:
        run: the run folder.
        record: what ``run.json`` says: ``version``, ``command``, ``started``, ``config``,
            ``weights`` (those used), ``versions``, ``sites`` (with ``path``), ``catalog`` (with
            ``source``); both paths as the user gave them.
        footprint: of all sites in longitude and latitude, cut at the antimeridian; None when there
            is no site.
        period: first and last look, None when there is no look.

    Raises:
        OutputError: the file cannot be written.
    """
    import pystac

    started = datetime.fromisoformat(record["started"])
    item = pystac.Item(
        id=f"groundbreak-{run.resolve().name}-{started.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        geometry=None if footprint is None else mapping(footprint),
        bbox=None if footprint is None else bbox(footprint),
        datetime=None if period else started,
        start_datetime=period[0] if period else None,
        end_datetime=period[1] if period else None,
        properties={
            "title": "Changes found by groundbreak",
            "created": record["started"],
            "processing:software": {"groundbreak": record["version"], **record["versions"]},
            "processing:lineage": record["command"],
            "groundbreak:config": record["config"],
            "groundbreak:weights": record["weights"],
        },
        stac_extensions=[FILE_EXTENSION, PROCESSING_EXTENSION],
    )
    for title, section, key in (("Scenes", "catalog", "source"), ("Sites", "sites", "path")):
        source = Path(record[section][key]).resolve()
        href = os.path.relpath(source, run.resolve())
        link = pystac.Link("derived_from", Path(href).as_posix(), title=title)
        if record[section].get("sha256") and not source.is_dir():  # of a folder it is the scan's
            link.extra_fields["file:checksum"] = f"1220{record[section]['sha256']}"
        item.add_link(link)
    for name, (media_type, title, role) in ASSETS.items():
        path = run / name
        if path.is_file():
            item.add_asset(
                Path(name).stem + "-" + path.suffix[1:], _asset(path, media_type, title, role)
            )
    write_json(run / "item.json", item.to_dict(include_self_link=False, transform_hrefs=False))


def _asset(path: Path, media_type: str, title: str, role: str) -> Any:
    import pystac

    extra: dict[str, Any] = {}
    if path.name != MARKER:  # which is written once more, when all is done
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # A multihash: 0x12 is SHA-256, 0x20 its length.
        extra = {"file:size": path.stat().st_size, "file:checksum": f"1220{digest}"}
    return pystac.Asset(
        f"./{path.name}", title, media_type=media_type, roles=[role], extra_fields=extra
    )
