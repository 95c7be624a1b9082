"""The main job on the real data beside the checkout: what came out, as a table.

    python scripts/run_real_data.py ../shared/data -o out/real [--only oscd,series,...]

Cases: ``oscd`` (19 cities, two dates each), ``series`` (five real series), ``georef`` (a cloudy
pair with forest clearing), ``joplin`` (tiles of two dates in two CRSs), ``levir`` and ``mshs`` (ten
pairs each with a made-up place and dates), ``sejong`` (its true dates, a made-up place), ``ports``
(one look each), ``fixtures`` (odd and broken files alone, then among good ones). Events are
compared with the labels where there are any: an event is right where at least a tenth of it is
labelled as change of its kind (or of unknown direction). No figure here chose anything.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.features import geometry_mask
from shapely.geometry import box, mapping, shape

from groundbreak.atomic import write_json
from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.store import write_catalog
from groundbreak.config import DetectConfig
from groundbreak.errors import InputError
from groundbreak.pipeline.results import summary_of
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.raster.read import inspect, read_picture
from groundbreak.raster.write import write_cog
from groundbreak.report.page import write_report

IGNORED = 255
KIND_VALUES = {"new_building": 1, "demolition": 2, "docking_slip": 3}
JOPLIN_GSD_M = 0.6
MADE_UP_CORNER = (500_000.0, 4_000_000.0)


@dataclass(frozen=True)
class Truth:
    """A label on the grid of a scene."""

    label: np.ndarray
    crs: str
    transform: Affine

    def judge(self, feature: dict[str, Any]) -> str:
        """``right``, ``other direction`` or ``wrong``."""
        to_scene = Transformer.from_crs("OGC:CRS84", self.crs, always_xy=True)
        outline = shapely.transform(
            shape(feature["geometry"]), to_scene.transform, interleaved=False
        )
        inside = geometry_mask(
            [outline], self.label.shape, self.transform, invert=True, all_touched=True
        )
        values = self.label[inside]
        if not (values != IGNORED).any():
            return "without a label"
        kind = KIND_VALUES[feature["properties"]["kind"]]
        if np.isin(values, (kind, 254)).mean() >= 0.1:
            return "right"
        return "other direction" if np.isin(values, (1, 2, 3)).mean() >= 0.1 else "wrong"


def sites_file(path: Path, sites: dict[str, Any]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"id": name, "name": name},
            "geometry": mapping(outline),
        }
        for name, outline in sites.items()
    ]
    write_json(path, {"type": "FeatureCollection", "features": features})
    return path


def detect(case: Path, sites: Path, catalog: Path, **options: Any) -> list[dict[str, Any]]:
    outcome = run_detect(
        RunRequest(sites, catalog, case / "run", DetectConfig().settings(), **options)
    )
    write_report(case / "run")
    return [summary_of(site) for site in outcome.sites]


def features(case: Path) -> list[dict[str, Any]]:
    document = json.loads((case / "run" / "events.geojson").read_text(encoding="utf-8"))
    return list(document["features"])


def shrunk(outline: Any, share: float = 0.005) -> Any:
    """A little inside the footprint, so that the site ends where the picture does."""
    west, south, east, north = outline.bounds
    dx, dy = (east - west) * share, (north - south) * share
    return box(west + dx, south + dy, east - dx, north - dy)


def report_events(case: Path, truths: dict[str, Truth], summaries: list[dict[str, Any]]) -> None:
    verdicts: dict[str, Counter[str]] = {}
    for feature in features(case):
        name = feature["properties"]["site_id"]
        truth = truths.get(name)
        verdict = truth.judge(feature) if truth else feature["properties"]["kind"]
        verdicts.setdefault(name, Counter())[verdict] += 1
    for summary in summaries:
        counts = ", ".join(f"{n} {v}" for v, n in sorted(verdicts.get(summary["id"], {}).items()))
        state = summary["remark"] or f"{summary['looks']} looks, {summary['events']} events"
        print(f"  {summary['id']:<28} {state}" + (f": {counts}" if counts else ""))
    total = sum(verdicts.values(), Counter())
    print("  all: " + (", ".join(f"{n} {v}" for v, n in sorted(total.items())) or "no event"))


def report_dates(case: Path, dates: Mapping[str, Sequence[str]]) -> None:
    """How many events happened between exactly the two dates of their site."""
    told = [f["properties"] for f in features(case)]
    exact = sum(
        [(p["start_datetime"] or "")[:10], (p["end_datetime"] or "")[:10]]
        == sorted(set(dates[p["site_id"]]))
        for p in told
    )
    print(f"  {exact} of {len(told)} intervals are exactly the two dates")


def oscd(data: Path, case: Path) -> None:
    folder = data / "pairs" / "oscd"
    catalog = case / "catalog.json"
    scan = scan_folder(folder, folder / "dates.csv")
    write_catalog(scan.items, catalog)
    sites, truths = {}, {}
    for split in ("train", "test"):
        for path in sorted((folder / split / "A").glob("*.jp2")):
            info = inspect(path)
            sites[path.stem] = shrunk(info.footprint)
            if info.transform is None:
                raise ValueError(f"{path} says not where it lies")
            label = read_picture(folder / split / "label" / f"{path.stem}.tif")[0][0]
            truths[path.stem] = Truth(label, str(info.crs), info.transform)
    summaries = detect(case, sites_file(case / "sites.geojson", sites), catalog)
    report_events(case, truths, summaries)
    dates: dict[str, list[str]] = {}
    with (folder / "dates.csv").open(newline="") as text:
        for row in csv.DictReader(text):
            dates.setdefault(Path(row["file"]).stem, []).append(row["date"])
    report_dates(case, dates)


def series(data: Path, case: Path) -> None:
    for folder in sorted((data / "eo" / "series").iterdir()):
        mine = case / folder.name
        scan = scan_folder(folder)
        catalog = mine / "catalog.json"
        write_catalog(scan.items, catalog)
        outline = max((shape(item.geometry) for item in scan.items), key=lambda s: s.area)
        sites = sites_file(mine / "sites.geojson", {folder.name: shrunk(outline)})
        report_events(mine, {}, detect(mine, sites, catalog))


def georef(data: Path, case: Path) -> None:
    folder = data / "eo" / "georef_pairs" / "suriname_clearing"
    rasters = sorted(p for p in folder.iterdir() if p.suffix in (".tif", ".png", ".jpg", ".webp"))
    dates = case / "dates.csv"
    dates.parent.mkdir(parents=True, exist_ok=True)
    first = [p for p in rasters if "before" in p.stem or "pre" in p.stem or p is rasters[0]][:1]
    with dates.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["file", "date", "note"])
        for path in rasters:
            day = "2020-01-01" if path in first else "2021-01-01"
            writer.writerow([path.name, day, "made up: the source states none"])
    scan = scan_folder(folder, dates)
    write_catalog(scan.items, case / "catalog.json")
    outline = shape(scan.items[0].geometry)
    sites = sites_file(case / "sites.geojson", {"suriname": shrunk(outline)})
    report_events(case, {}, detect(case, sites, case / "catalog.json"))


def joplin(data: Path, case: Path) -> None:
    folder = data / "pairs" / "joplin_geotiff"
    scan = scan_folder(folder, folder / "dates.csv")
    write_catalog(scan.items, case / "catalog.json")
    outlines = [shape(item.geometry) for item in scan.items if "pre" in item.id]
    west, south, east, north = np.array([o.bounds for o in outlines]).T
    outline = box(west.min(), south.min(), east.max(), north.max())
    sites = sites_file(case / "sites.geojson", {"joplin": shrunk(outline, 0.02)})
    truths = {"joplin": joplin_truth(data)}
    report_events(case, truths, detect(case, sites, case / "catalog.json"))
    kinds = Counter(f["properties"]["kind"] for f in features(case))
    print(f"  kinds: {dict(kinds)}")
    report_dates(case, {"joplin": [f"{item.datetime:%Y-%m-%d}" for item in scan.items]})


def joplin_truth(data: Path) -> Truth:
    """The labels of ``pairs/joplin`` on their own grid; the index tells the corner of each."""
    with (data / "pairs" / "index.csv").open(newline="") as text:
        rows = [row for row in csv.DictReader(text) if row["set"] == "joplin"]
    found = [re.search(r"corner E ([\d.]+) N ([\d.]+)", row["original_name"]) for row in rows]
    corners = np.array([match.groups() for match in found if match], dtype=float)
    west, north = corners[:, 0].min(), corners[:, 1].max()
    labels = [read_picture(data / "pairs" / row["label"])[0][0] for row in rows]
    tops = np.rint((north - corners[:, 1]) / JOPLIN_GSD_M).astype(int)
    lefts = np.rint((corners[:, 0] - west) / JOPLIN_GSD_M).astype(int)
    placed = list(zip(labels, tops, lefts, strict=True))
    height = max(top + label.shape[0] for label, top, _ in placed)
    width = max(left + label.shape[1] for label, _, left in placed)
    whole = np.full((height, width), IGNORED, np.uint8)
    for label, top, left in placed:
        whole[top : top + label.shape[0], left : left + label.shape[1]] = label
    return Truth(whole, "EPSG:26915", Affine(JOPLIN_GSD_M, 0, west, 0, -JOPLIN_GSD_M, north))


def made_up(data: Path, case: Path, name: str, count: int, gsd_m: float) -> None:
    """Pairs without a place: each gets one, in a row from west to east, and dates if need be."""
    with (data / "pairs" / "index.csv").open(newline="") as text:
        rows = [r for r in csv.DictReader(text) if r["set"] == name and r["split"] != "train"]
    rows = rows[:count]
    sites, truths, dates = {}, {}, {}
    to_lonlat = Transformer.from_crs("EPSG:32652", "OGC:CRS84", always_xy=True)
    for number, row in enumerate(rows):
        corner = (MADE_UP_CORNER[0] + 3000.0 * number, MADE_UP_CORNER[1])
        days = [row["date_before"] or "2020-05-01", row["date_after"] or "2023-06-01"]
        for key, day in zip(("before", "after"), days, strict=True):
            pixels = read_picture(data / "pairs" / row[key])[0]
            grid = GeoBox(
                pixels.shape[1:],
                Affine(gsd_m, 0, corner[0], 0, -gsd_m, corner[1]),
                "EPSG:32652",
            )
            path = case / "scenes" / f"{row['scene']}_{day}.tif"
            write_cog(path, pixels, grid, ("red", "green", "blue"), nodata=None)
        label = read_picture(data / "pairs" / row["label"])[0][0]
        truths[row["scene"]] = Truth(label, "EPSG:32652", grid.affine)
        dates[row["scene"]] = days
        extent = box(*grid.extent.boundingbox.bbox)
        outline = shapely.transform(extent, to_lonlat.transform, interleaved=False)
        sites[row["scene"]] = shrunk(outline)
    scan = scan_folder(case / "scenes")
    write_catalog(scan.items, case / "catalog.json")
    watch_list = sites_file(case / "sites.geojson", sites)
    report_events(case, truths, detect(case, watch_list, case / "catalog.json"))
    report_dates(case, dates)


def ports(data: Path, case: Path) -> None:
    scan = scan_folder(data / "eo" / "ports")
    write_catalog(scan.items, case / "catalog.json")
    sites = {item.id: shrunk(shape(item.geometry), 0.02) for item in scan.items}
    watch_list = sites_file(case / "sites.geojson", sites)
    report_events(case, {}, detect(case, watch_list, case / "catalog.json"))


def fixtures(data: Path, case: Path) -> None:
    """Every odd file, dated by hand: alone, then mixed into a good catalogue."""
    mixed = case / "scenes"
    for path in sorted((data / "eo" / "fixtures").rglob("*.tif")):
        name = f"odd_{path.stem}_2021-03-0{1 + len(path.stem) % 8}.tif"
        mixed.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, mixed / name)
        print(f"  alone {path.stem:<32} {alone(path, case / 'alone' / path.stem, name)}")
    good = data / "eo" / "series" / "naip_north_dakota_wetlands"
    for path in sorted(good.glob("*.tif"))[:3]:
        shutil.copy(path, mixed / path.name)
    scan = scan_folder(mixed)
    for refusal in scan.refused:
        print(f"  left out {refusal.subject}: {refusal.reason}")
    write_catalog(scan.items, case / "catalog.json")
    sites = {item.id: shrunk(shape(item.geometry)) for item in scan.items}
    watch_list = sites_file(case / "sites.geojson", sites)
    report_events(case, {}, detect(case, watch_list, case / "catalog.json"))


def alone(path: Path, case: Path, name: str) -> str:
    """What is said of a file that is all there is."""
    (case / "scenes").mkdir(parents=True)
    shutil.copy(path, case / "scenes" / name)
    try:
        scan = scan_folder(case / "scenes")
        write_catalog(scan.items, case / "catalog.json")
        sites = {item.id: shrunk(shape(item.geometry)) for item in scan.items}
        summaries = detect(case, sites_file(case / "sites.geojson", sites), case / "catalog.json")
    except InputError as error:
        return f"refused: {error}"
    return "; ".join(summary["remark"] or f"{summary['looks']} looks" for summary in summaries)


CASES: dict[str, Callable[[Path, Path], None]] = {
    "oscd": oscd,
    "series": series,
    "georef": georef,
    "joplin": joplin,
    "levir": lambda data, case: made_up(data, case, "levir", 10, 0.5),
    "mshs": lambda data, case: made_up(data, case, "mshs_bcd", 10, 2.0),
    "sejong": lambda data, case: made_up(data, case, "sejong_k3a", 10, 0.55),
    "ports": ports,
    "fixtures": fixtures,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in CASES]:  # its folder will be deleted
        parser.error(f"--only {','.join(unknown)!r} is not among {', '.join(CASES)}")
    for name in names:
        print(name, flush=True)
        case = options.output / name
        shutil.rmtree(case, ignore_errors=True)
        CASES[name](options.data, case)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
