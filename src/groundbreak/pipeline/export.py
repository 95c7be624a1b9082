"""The events of a run in another form, from what the run left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from groundbreak.atomic import write_json
from groundbreak.errors import OutputError
from groundbreak.pipeline.detect import look_meta
from groundbreak.pipeline.folder import MARKER, OUTPUTS, read_document, read_run
from groundbreak.pipeline.records import OBSERVED, read_summary, read_table
from groundbreak.pipeline.sitework import load_work, site_folder
from groundbreak.prepare.store import PIXELS
from groundbreak.types import Event
from groundbreak.writers.geojson import write_geojson
from groundbreak.writers.geoparquet import read_geoparquet, write_geoparquet
from groundbreak.writers.gpkg import write_gpkg
from groundbreak.writers.kml import write_kml
from groundbreak.writers.kwcoco import Video, write_kwcoco
from groundbreak.writers.spreadsheet import write_csv

WRITERS: Mapping[str, Callable[[Sequence[Event], Path], None]] = {
    "geojson": write_geojson,
    "gpkg": write_gpkg,
    "geoparquet": write_geoparquet,
    "csv": write_csv,
    "kml": write_kml,
}
"""Forms that need nothing but the events."""

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "geojson": (".geojson", ".json"),
    "gpkg": (".gpkg",),
    "geoparquet": (".parquet", ".geoparquet"),
    "csv": (".csv",),
    "kml": (".kml",),
    "stac": (".json", ".geojson"),
    "kwcoco": (".json",),
}
"""How files of each form end; other programs go by it."""
FOREIGN = (".kmz", ".shp", ".xlsx")
"""Forms that are asked for and not written."""


def export_events(run: Path, form: str, path: Path) -> int:
    """Write the events of a finished run in another form.

    Args:
        run: the run folder.
        form: ``geojson``, ``gpkg``, ``geoparquet``, ``csv``, ``kml``, ``stac`` (the run's item,
            with absolute addresses) or ``kwcoco``.
        path: the file to write.

    Returns:
        the number of events.

    Raises:
        OutputError: the run is not finished, a file of it is damaged, the working folder that
            kwcoco needs is gone, the file ends as those of another form do, is one of the run's
            own, or cannot be written.
    """
    read_run(run)
    _check_name(run, form, path)
    events = read_geoparquet(run / "events.parquet")
    if form == "stac":
        write_json(path, _absolute(run))
    elif form == "kwcoco":
        write_kwcoco(events, _videos(run), path)
    else:
        WRITERS[form](events, path)
    return len(events)


def _check_name(run: Path, form: str, path: Path) -> None:
    own, suffix = SUFFIXES[form], path.suffix.lower()
    if suffix not in own and suffix in {*chain.from_iterable(SUFFIXES.values()), *FOREIGN}:
        problem = f"does not end as a file of the form {form} does"
        raise OutputError(str(path), problem, f"end it in {' or '.join(own)}")
    if path.name in (*OUTPUTS, MARKER) and path.resolve().parent == run.resolve():
        raise OutputError(str(path), "is a file of the run itself", "choose another name")


def _absolute(run: Path) -> dict[str, Any]:
    def absolute(document: dict[str, Any]) -> dict[str, Any]:
        for entry in (*document["assets"].values(), *document["links"]):
            entry["href"] = (run / entry["href"]).resolve().as_uri()
        return document

    return read_document(run / "item.json", absolute)


def _videos(run: Path) -> list[Video]:
    """The sites that have looks, with these, from their working folders.

    Raises:
        OutputError: looks that were used are gone from the working folder of a site, or damaged.
    """
    used: dict[str, set[str]] = {}
    for row in read_table(run / "observed.parquet", OBSERVED):
        if row["used"]:
            used.setdefault(row["site_id"], set()).add(row["look_id"])
    videos = []
    for site_id in (site["id"] for site in read_summary(run)):
        folder = site_folder(run, site_id)
        work = load_work(folder)
        looks = {} if work is None else {look.id: look for look in work.looks}
        if not looks.keys() >= used.get(site_id, set()):
            raise OutputError(
                str(folder),
                "is gone or damaged, and with it looks",
                "run detect again, then export",
            )
        if work is None or not looks:
            continue
        files = {name: look.folder / PIXELS for name, look in looks.items()}
        bands = {name: look.bands for name, look in looks.items()}
        videos.append(Video(site_id, work.grid, [look_meta(k) for k in work.looks], files, bands))
    return videos
