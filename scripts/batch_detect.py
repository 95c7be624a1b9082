"""The weekly job over a watch-list: find new scenes, detect, report. Made for cron.

    python scripts/batch_detect.py --sites sites.geojson --folder /imagery --output /runs
    python scripts/batch_detect.py --sites sites.geojson --api earth-search --output /runs

Every site has a run folder of its own, OUTPUT/SITE, which is extended each time: only what is new
is computed. One summary line a site goes to stdout, the log of a site is OUTPUT/SITE/log.jsonl.
The exit code is 1 only if every site failed. A second job on the same OUTPUT says so and stops.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from shapely.geometry import mapping

from groundbreak.atomic import write_json
from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.search import SearchQuery, search
from groundbreak.catalog.store import write_catalog
from groundbreak.config import load_config
from groundbreak.errors import GroundbreakError
from groundbreak.pipeline.results import summary_of
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.report.page import write_report
from groundbreak.sites.read import read_sites
from groundbreak.types import Site


def main() -> int:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    with only_one(options.output / ".batch.lock") as first:
        if not first:
            print(f"another batch is at work in {options.output}: nothing done", file=sys.stderr)
            return 0
        watched = read_sites(options.sites)
        for refusal in watched.refused:
            print(f"{refusal.subject}\trefused\t{refusal.reason}")
        if options.folder is not None:
            write_catalog(
                scan_folder(options.folder, options.dates).items, options.output / "catalog.json"
            )
        failed = sum(not done(site, options) for site in watched.sites)
    return 1 if failed == len(watched.sites) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sites", type=Path, required=True, help="the watch-list")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run folders")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", type=Path, help="folder of dated rasters")
    source.add_argument("--api", help="STAC API: URL, earth-search or planetary-computer")
    parser.add_argument("--dates", type=Path, help="dates.csv of the folder")
    parser.add_argument("--days", type=int, default=400, help="how far back to search (400)")
    parser.add_argument("--max-cloud", type=float, default=60, help="percent (60)")
    parser.add_argument("--config", type=Path, help="settings of detect, YAML")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def done(site: Site, options: argparse.Namespace) -> bool:
    """Do one site and print its line; whatever happens, the others go on."""
    folder = options.output / quote(site.id, safe=" ").replace(".", "%2E")
    try:
        catalog = options.output / "catalog.json"
        if options.api is not None:
            catalog = options.output / "catalogs" / f"{folder.name}.json"
            now = datetime.now(UTC)
            query = SearchQuery(
                api=options.api,
                sites=[site],
                start=now - timedelta(days=options.days),
                end=now,
                max_cloud=options.max_cloud,
            )
            found = search(query)
            write_catalog(found.items, catalog, api=found.api)
        outcome = run_detect(
            RunRequest(
                sites=watch_list_of(site, options.output),
                catalog=catalog,
                run=folder,
                settings=load_config(options.config).settings(),
                weights=options.weights,
                device=options.device,
                command=" ".join(sys.argv),
            )
        )
        write_report(folder)
    except GroundbreakError as error:
        print(f"{site.id}\tfailed\t{error}", flush=True)
        return False
    summary = summary_of(outcome.sites[0])
    newest = [s["text"] for s in summary["sentences"]]
    state = summary["remark"] or f"{summary['events']} events in {summary['looks']} looks"
    print(f"{site.id}\t{state}\t{' '.join(newest)}", flush=True)
    return not outcome.sites[0].problem


def watch_list_of(site: Site, output: Path) -> Path:
    """A watch-list of this site alone, so that each has a run of its own."""
    path = output / "sites" / f"{quote(site.id, safe=' ')}.geojson"
    feature = {
        "type": "Feature",
        "id": site.id,
        "properties": {**site.properties, "id": site.id, "name": site.name},
        "geometry": json.loads(json.dumps(mapping(site.geometry))),
    }
    write_json(path, {"type": "FeatureCollection", "features": [feature]})
    return path


if __name__ == "__main__":
    sys.exit(main())
