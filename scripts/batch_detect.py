"""The weekly job over a watch-list: find new scenes, detect, report. Made for cron.

    python scripts/batch_detect.py --sites sites.geojson --folder /imagery --output /runs
    python scripts/batch_detect.py --sites sites.geojson --api earth-search --output /runs
    python scripts/batch_detect.py ... --scheduler local:8

Every site has a run folder of its own, OUTPUT/SITE, which is extended each time: only what is new
is computed. An API is asked for what came since the newest scene that is known; what was found
before is kept in OUTPUT/catalogs/SITE.json. Where the outline of a site or what is asked for has
changed since, the whole time is searched again. One summary line a site goes to stdout, the log of
a site is OUTPUT/SITE/log.jsonl. The exit code is 1 only if every site failed. A second job on the
same OUTPUT says so and stops.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# As the command line does, before NumPy is imported: its threads would only wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("OPENBLAS_NUM_THREADS", "1")

import pystac
import shapely
from shapely import STRtree
from shapely.geometry import mapping, shape

from groundbreak.atomic import output_error, write_json
from groundbreak.catalog.criteria import touches, without_older_processing
from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.search import SearchQuery, search
from groundbreak.catalog.store import SOURCE, write_catalog
from groundbreak.cli.main import explain
from groundbreak.config import load_config
from groundbreak.errors import OutputError, UnreachedError
from groundbreak.inference.choose import ENGINES
from groundbreak.lonlat import continuous, shifted
from groundbreak.model.weights import located
from groundbreak.pipeline import delisted, unjudged
from groundbreak.pipeline.detect import Settings, SiteOutcome
from groundbreak.pipeline.folder import MARKER, UNLOCKED, lock_file
from groundbreak.pipeline.news import in_words, read_news
from groundbreak.pipeline.records import read_summary
from groundbreak.pipeline.results import summary_of
from groundbreak.pipeline.run import RunRequest, detected
from groundbreak.pipeline.sitework import site_folder
from groundbreak.pipeline.spread import KILLED, spread
from groundbreak.report.page import write_report
from groundbreak.sites.read import SiteList, read_sites
from groundbreak.types import Refusal, Site

LATE = timedelta(days=30)
"""Archives receive scenes up to weeks after they were taken."""


@dataclass(frozen=True)
class Job:
    """One site to be done, by whichever process: what it needs travels with it.

    ``known``: its catalogue is written already, from a folder.
    """

    site: Site
    settings: Settings
    options: argparse.Namespace
    known: bool


Line = tuple[bool, tuple[str, ...], tuple[str, ...]]
"""Whether a site was done, the fields of its line, and what its last run did not note yet."""


def main() -> int:
    options = parse()
    config = load_config(options.config)
    settings = config.settings(options.min_confidence)
    options.engine = options.engine or config.engine
    with only_one(options.output) as first:
        if not first:
            print(f"another batch is at work in {options.output}: nothing done", file=sys.stderr)
            return 0
        watched = read_sites(options.sites)
        for text in watched.notes:
            print(f"note: site {text}", file=sys.stderr)
        for refusal in watched.refused:
            tell(refusal.subject, "refused", refusal.reason)
        say_delisted(options.output, watched)
        sites, done = list(watched.sites), []
        if options.folder is not None:
            scan = scan_folder(options.folder, options.dates)
            for text in scan.notes:
                print(f"note: {text}", file=sys.stderr)
            sites = listed(sites, Scanned(scan.items, scan.refused, scan.notes), options)
            done = [True] * (len(watched.sites) - len(sites))
        jobs = [Job(site, settings, options, options.folder is not None) for site in sites]
        with closing(spread(do, jobs, options.scheduler, killed)) as finished:
            for _, (well, fields, noted) in finished:
                for text in noted:
                    print(f"note: {fields[0]}: {text}", file=sys.stderr)
                tell(*fields)
                done.append(well)
    return 0 if any(done) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--sites", type=Path, required=True, help="the watch-list")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run folders")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", type=Path, help="folder of dated rasters")
    source.add_argument("--api", help="STAC API: URL, earth-search or planetary-computer")
    parser.add_argument("--dates", type=dates_file, help="dates.csv of the folder")
    parser.add_argument("--collection", help="of the API (the preset's own)")
    parser.add_argument("--days", type=int, default=400, help="how far back to begin (400)")
    parser.add_argument("--max-cloud", type=float, default=60, help="percent (60)")
    parser.add_argument("--config", type=Path, help="settings of detect, YAML")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", choices=ENGINES, help="what runs the network")
    parser.add_argument(
        "--gsd", type=number(0.05, 30), help="pixel size in metres (the scenes' own)"
    )
    parser.add_argument("--min-confidence", type=number(0, 1), help="leave out events below")
    parser.add_argument(
        "--allow", action="append", default=[], help="a host or folder to be read; repeatable"
    )
    parser.add_argument(
        "--scheduler", default="local", help="local, local:N (processes) or dask://HOST:PORT"
    )
    options = parser.parse_args()
    # Absolute: a worker elsewhere has another current folder.
    options.output = options.output.resolve()
    options.weights = located(options.weights) if options.weights != "auto" else "auto"
    options.command = shlex.join(sys.argv)
    return options


def dates_file(text: str) -> Path:
    """The path of a ``dates.csv``; a range, which other commands take, is refused."""
    path = Path(text)
    if not path.is_file():
        problem = f"{text} is no file: give a dates.csv here (--days says how far back to search)"
        raise argparse.ArgumentTypeError(problem)
    return path


def number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """Reads a number within bounds."""

    def read(text: str) -> float:
        if not low <= (value := float(text)) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low:g} to {high:g}")
        return value

    return read


@contextmanager
def only_one(output: Path) -> Iterator[bool]:
    """Whether no other job is at work in a folder, as far as is known, and hold it if so."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = (output / ".batch.lock").open("a")
    except OSError as error:
        raise output_error(output, error) from error
    with lock:
        try:
            first = True
            if not lock_file(lock):
                print(f"{output}: {UNLOCKED}", file=sys.stderr)
        except BlockingIOError:
            first = False
        except OSError as error:
            raise output_error(output, error) from error
        yield first


def say_delisted(output: Path, watched: SiteList) -> None:
    """Say of which run folders the watch-list does not hold the site any more."""
    gone: dict[str, int] = {}
    for run in sorted(path.parent for path in output.glob(f"*/{MARKER}")):
        try:
            gone |= delisted.delisted(run, watched)
        except UnreachedError as error:
            print(f"note: {error}", file=sys.stderr)
    if gone:
        said = delisted.in_words(gone, "earlier runs")
        print(f"note: {said}; the run folders stay in {output}", file=sys.stderr)


class Scanned:
    """The scenes of a folder, found by place: reading all of them for each site would take long.

    Args:
        items: as a scan gives them.
        left_out: the files that it left out. Nobody knows where they lie: each site is told.
        notes: what it assumed and passed over; of these each site is told too.
    """

    def __init__(
        self,
        items: Sequence[pystac.Item],
        left_out: Sequence[Refusal] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.items, self.left_out, self.notes = items, left_out, notes
        self._tree = STRtree([continuous(shape(item.geometry)) for item in items])

    def touching(self, site: Site) -> list[pystac.Item]:
        """The scenes that touch a site, on whichever side of the antimeridian it was written."""
        turned = [
            shifted(part, turn)
            for part in shapely.get_parts(site.geometry)
            for turn in (-360.0, 0.0, 360.0)
        ]
        _, found = self._tree.query(turned, predicate="intersects")
        return [self.items[place] for place in sorted(set(found.tolist()))]


def listed(sites: Sequence[Site], scanned: Scanned, options: argparse.Namespace) -> list[Site]:
    """Write the catalogue of each site that a folder shows; say it of the others."""
    shown = []
    for site in sites:
        if scenes := scanned.touching(site):
            path = catalog_of(site, options.output)
            write_catalog(scenes, path, left_out=scanned.left_out, notes=scanned.notes)
            shown.append(site)
        else:
            tell(site.id, with_told_before("not observed: no scene covers it", site, options), "")
    return shown


def do(job: Job) -> Line:
    """Do one site; whatever happens, the others go on."""
    site, options = job.site, job.options
    try:
        catalog = catalog_of(site, options.output)
        if not job.known and not extended(catalog, site, options):
            return True, (site.id, with_told_before("no scene was found", site, options), ""), ()
        run = options.output / name_of(site)
        before = noted_in(run)
        request = RunRequest(
            sites=watch_list_of(site, options.output),
            catalog=catalog,
            run=run,
            settings=job.settings,
            weights=options.weights,
            device=options.device,
            engine=options.engine,
            gsd_m=options.gsd,
            allow=tuple(options.allow),
            command=options.command,
            notes=tuple(f"{site.id}: {note}" for note in site.notes),
        )
        trouble = ""
        with detected(request) as finished:
            [outcome] = finished.sites
            news = read_news(run).get(site.id)
            some = outcome.result is not None and len(outcome.result.events) > 0
            brought = in_words(news, events=some) if news and news["fresh"] else ""
            if kept := unjudged.read_unjudged(run).get(site.id):
                brought = unjudged.in_words(kept)
            try:
                write_report(run)
            except Exception as error:  # what is new no later run tells again
                trouble = f"no report: {error}"
    except Exception as error:
        return failed(job, f"{error or type(error).__name__}")
    well = not outcome.problem and not trouble
    fields = (site.id, *told(outcome, "; ".join(filter(None, (brought, trouble)))))
    return well, fields, tuple(text for text in summary_of(outcome)["notes"] if text not in before)


def noted_in(run: Path) -> tuple[str, ...]:
    """What the last run of a site noted; nothing where there was none that can be read."""
    try:
        return tuple(text for site in read_summary(run) for text in site["notes"])
    except OutputError:
        return ()


def with_told_before(state: str, site: Site, options: argparse.Namespace) -> str:
    """The state of a site that no scene shows, with what its last run told nevertheless."""
    kept = told_before(site, options, ())
    return f"{state} ({kept})" if kept else state


def told_before(
    site: Site, options: argparse.Namespace, compared: tuple[str, ...] | None = None
) -> str:
    """What the last run told of a site, in words; empty for nothing."""
    folder = site_folder(options.output / name_of(site), site.id)
    kept = unjudged.told_before(folder, compared)
    return unjudged.in_words(kept) if kept else ""


def failed(job: Job, reason: str) -> Line:
    """What is said of a site that could not be done."""
    texts = (reason, told_before(job.site, job.options))
    return False, (job.site.id, "failed", "; ".join(filter(None, texts))), ()


def killed(job: Job) -> Line:
    """What is said of a site whose process was killed each time it was tried."""
    return failed(job, KILLED)


def extended(path: Path, site: Site, options: argparse.Namespace) -> int:
    """Add what an API has got since to the catalogue of a site; how many scenes it holds then.

    What was found before stays: were the oldest scenes to fall out of the catalogue week by week,
    the reference look would change and with it everything.
    """
    asked = question(site, options)
    known, before = known_scenes(path)
    times = [item.datetime for item in known if item.datetime is not None]
    if any(before.get(name) != asked[name] for name in ("api", "collection")):
        known = []
    now = datetime.now(UTC)
    query = SearchQuery(
        api=options.api,
        sites=[site],
        start=max(times) - LATE if times and before == asked else now - timedelta(options.days),
        end=now,
        collection=options.collection,
        max_cloud=options.max_cloud,
    )
    found = search(query)
    still = [item for item in known if before == asked or matches(item, query)]
    scenes = {(item.collection_id, item.id): item for item in (*still, *found.items)}
    kept, _ = without_older_processing(list(scenes.values()))
    if kept:
        # A search that did not come to its end is done again in full.
        ended = None if found.incomplete else asked
        write_catalog(kept, path, api=found.api, incomplete=found.incomplete, query=ended)
    return len(kept)


def question(site: Site, options: argparse.Namespace) -> dict[str, Any]:
    """What is searched for, but for the days since the last time."""
    return {
        "api": options.api,
        "collection": options.collection,
        "days": options.days,
        "max_cloud": options.max_cloud,
        "outline": site.geometry.wkt,
    }


def known_scenes(path: Path) -> tuple[list[pystac.Item], dict[str, Any]]:
    """The scenes of the catalogue of a site, and what was asked for them."""
    if not path.is_file():
        return [], {}
    content = path.read_bytes()
    try:
        document = json.loads(content)
        query = document.get(SOURCE, {}).get("query") or {}
        return list(pystac.ItemCollection.from_dict(document)), query
    except Exception as error:  # whatever is wrong with it; not that it cannot be read now
        aside = path.rename(path.with_name(f"{path.name}.damaged"))
        print(f"{aside}: damaged ({error}): searched again in full", file=sys.stderr)
        return [], {}


def matches(item: pystac.Item, query: SearchQuery) -> bool:
    """Whether a scene that was found before is still one that is asked for, whatever its age."""
    cloud, most = item.properties.get("eo:cloud_cover"), query.max_cloud
    cloudy = most is not None and isinstance(cloud, int | float) and cloud > most
    return not cloudy and touches(item, query.sites[0].geometry)


def told(outcome: SiteOutcome, brought: str) -> tuple[str, str]:
    """The state of a site with what its last update brought, and its sentences."""
    summary = summary_of(outcome)
    found = "1 event" if summary["events"] == 1 else f"{summary['events']} events"
    state = summary["remark"] or f"{found} in {summary['looks']} looks"
    state += f" ({brought})" if brought else ""
    return state, " ".join(sentence["text"] for sentence in summary["sentences"])


def tell(*fields: str) -> None:
    """One line, its fields between tabs."""
    print("\t".join(" ".join(field.split()) for field in fields), flush=True)


def name_of(site: Site) -> str:
    """A name for files and folders, whatever the id is."""
    return site_folder(Path(), site.id).name


def catalog_of(site: Site, output: Path) -> Path:
    """The file with the scenes of a site."""
    return output / "catalogs" / f"{name_of(site)}.json"


def watch_list_of(site: Site, output: Path) -> Path:
    """A watch-list of this site alone, so that each has a run of its own.

    A point and its radius have become an outline, for which a radius has no meaning any more.
    """
    path = output / "sites" / f"{name_of(site)}.geojson"
    kept = {key: value for key, value in site.properties.items() if key != "buffer_m"}
    feature = {
        "type": "Feature",
        "id": site.id,
        "properties": {**kept, "id": site.id, "name": site.name},
        "geometry": json.loads(json.dumps(mapping(site.geometry))),
    }
    write_json(path, {"type": "FeatureCollection", "features": [feature]})
    return path


if __name__ == "__main__":
    try:
        code = main()
    except BaseException as error:  # as the command line does: one line, an exit code
        code = explain(error)
    sys.exit(code)
