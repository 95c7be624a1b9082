"""One self-contained HTML page of a run: no script, no network, images inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import write_text
from groundbreak.errors import OutputError, RasterError
from groundbreak.events.numbers import numbers, runs
from groundbreak.events.schema import validate_feature
from groundbreak.events.summary import UNSEEN
from groundbreak.pipeline.folder import read_document, read_run
from groundbreak.pipeline.news import read_news
from groundbreak.pipeline.records import LEDGER, OBSERVED, read_summary, read_table
from groundbreak.pipeline.sitework import WORK, SiteWork, load_work, site_folder
from groundbreak.pipeline.unjudged import read_unjudged
from groundbreak.prepare.store import PreparedLook, unit
from groundbreak.report.anchors import anchor_of
from groundbreak.report.card import chip, chip_window, event_view
from groundbreak.report.draw import pixel_outline, site_edge, svg_path
from groundbreak.report.gaps import (
    not_checked,
    not_observed,
    nothing_hidden,
    partly_compared,
    refused_sites,
)
from groundbreak.report.gone import bounds, looks_of, on_map, ring
from groundbreak.report.images import (
    Stretch,
    data_uri,
    find_stretch,
    rows_of,
    shown,
)
from groundbreak.report.labels import WIDTHS, place_labels
from groundbreak.report.news import marks, site_news, unjudged_news
from groundbreak.report.timeline import LANE, dates_below, day, period, timeline
from groundbreak.types import KINDS

MAP_SIDE = 900
MOSTLY = 0.8
"""Of the looks that show so much of a site its picture is the newest: it shows what stands now."""
MOST_EVENTS = 60
"""Of a site that are shown with pictures, the surest first."""
LEAST_EVENTS, MOST_ON_PAGE, MOST_STRIPS = 5, 400, 20
"""The least of a site, and the most of a page; a site's surest have a strip of all looks."""
MOST_PICTURED = 150
"""Sites that are shown with pictures: those with news first, then those with events."""
MOST_GONE = 8
"""Of a site's events that are told no more, so many have pictures."""
MOST_LINKS = 12
"""Of a sentence; the other numbers are told, up to so many letters."""
MOST_LETTERS = 300
FEW_NOTES = 12
"""Up to so many are shown without being asked for."""


@dataclass(frozen=True)
class _Site:
    """Everything the page needs of a site."""

    document: dict[str, Any]
    events: list[dict[str, Any]]
    observed: list[dict[str, Any]]
    ledger: dict[str, list[dict[str, Any]]]
    work: SiteWork | None
    news: dict[str, Any] | None = None
    unjudged: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def anchor(self) -> str:
        return anchor_of("site", self.id)

    @property
    def numbers(self) -> dict[str, int]:
        """Of its events, by id."""
        return numbers({e["id"]: e["properties"]["confidence"] for e in self.events})


def write_report(run: Path) -> Path:
    """Write ``report.html`` into a run folder.

    Returns:
        its path.

    Raises:
        OutputError: not a run folder, a file of it is missing or damaged, it cannot be written, or
            a page is there that could only be replaced by one without pictures.
    """
    import jinja2

    about = read_run(run)
    path = run / "report.html"
    observed = read_table(run / "observed.parquet", OBSERVED)
    sites = _read_sites(run, observed)
    seen = any(site.document["looks"] for site in sites)
    if seen and path.is_file() and not (run / WORK).is_dir():
        problem = "is gone: the page that is there would lose its pictures, and is kept"
        raise OutputError(str(run / WORK), problem, "give detect again, or delete the page first")
    pictured = _pictured(sites)
    views = [_whole_view(site, _most_events(len(sites)), pictured) for site in sites]
    refused = refused_sites(observed, {site.id for site in sites})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    text = environment.get_template("template.html").render(
        title="groundbreak: what was built, torn down or dug",
        lead=_lead(about, sites, len(refused)),
        simulated=bool(about.get("simulated")),
        sites=views,
        **_news_view(views),
        refused=refused,
        about=_about(about, sites),
        notes=about.get("notes", []),
        few_notes=len(about.get("notes", [])) <= FEW_NOTES,
    )
    write_text(path, text)
    return path


def _read_sites(run: Path, observed: list[dict[str, Any]]) -> list[_Site]:
    events: dict[str, list[dict[str, Any]]] = {}
    for feature in read_document(run / "events.geojson", _features):
        events.setdefault(feature["properties"]["site_id"], []).append(feature)
    ledger: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in read_table(run / "ledger.parquet", LEDGER):
        ledger.setdefault(row["site_id"], {}).setdefault(row["object_id"], []).append(row)
    looks: dict[str, list[dict[str, Any]]] = {}
    for row in observed:
        if row["look_id"]:
            looks.setdefault(row["site_id"], []).append(row)
    news, unjudged = read_news(run), read_unjudged(run)
    return [
        _Site(
            document,
            events.get(name := document["id"], []),
            looks.get(name, []),
            ledger.get(name, {}),
            load_work(site_folder(run, name)),
            news.get(name),
            unjudged.get(name),
        )
        for document in read_summary(run)
    ]


def _features(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Events of a GeoJSON document, all as the schema wants them."""
    for feature in document["features"]:
        validate_feature(feature)
    features: list[dict[str, Any]] = document["features"]
    return features


def _news_view(views: list[dict[str, Any]]) -> dict[str, Any]:
    """Sites with something new, how many others were compared anew, and what was new before."""
    updated = [view for view in views if view["news"] is not None]
    fresh = [view for view in updated if view["news"]["fresh"]]
    changed = [view for view in fresh if view["news"]["lines"]]
    return {
        "changed": changed,
        "unchanged": len(fresh) - len(changed),
        "older": [v for v in updated if v["news"]["lines"] and not v["news"]["fresh"]],
    }


def _lead(about: dict[str, Any], sites: list[_Site], refused: int) -> str:
    events = sum(len(site.events) for site in sites)
    finished = str(about.get("finished") or about.get("started") or "")[:16].replace("T", " ")
    watched = "1 site" if len(sites) == 1 else f"{len(sites)} sites"
    watched += f" ({refused} more refused)" if refused else ""
    found = "1 event" if events == 1 else f"{events} events"
    return f"{watched}, {found}. Run of {finished} UTC."


def _about(about: dict[str, Any], sites: list[_Site]) -> list[tuple[str, str]]:
    used = {site.document.get("weights") for site in sites}
    weights = "; ".join(
        f"{name} ({(entry.get('sha256') or '')[:12]}) on {entry.get('engine', '')}"
        for name, entry in about.get("weights", {}).items()
        if name in used
    )
    rows = [
        ("groundbreak", about.get("version", "")),
        ("command", about.get("command", "")),
        ("watch-list", about.get("sites", {}).get("path", "")),
        ("catalogue", about.get("catalog", {}).get("source", "")),
        ("weights", weights),
    ]
    return [(name, value) for name, value in rows if value]


def _pictured(sites: list[_Site]) -> frozenset[str]:
    """Ids of the sites that are shown with pictures, so that the page can still be opened."""

    def rank(site: _Site) -> tuple[bool, bool]:
        fresh = site.news is not None and site.news["fresh"]
        return not (site.unjudged or (fresh and marks(site.news))), not site.events

    shown = [site for site in sites if site.document["looks"]]
    return frozenset(site.id for site in sorted(shown, key=rank)[:MOST_PICTURED])


def _whole_view(site: _Site, most: int, pictured: Container[str]) -> dict[str, Any]:
    """The view of a site.

    Without pictures if others need them more, or a look is damaged, which need not end the page.
    """
    if site.document["looks"] and site.id not in pictured:
        return _site_view(replace(site, work=None), most) | {"no_map": UNPICTURED}
    try:
        return _site_view(site, most)
    except RasterError as error:
        trouble = f"{error}. Delete this file, and give detect again: the page then has pictures."
        return _site_view(replace(site, work=None), most) | {"no_map": trouble}


UNPICTURED = (
    f"The page shows pictures of {MOST_PICTURED} sites, those with news and events first. For one "
    "of this site give detect a watch-list without the others, and a run folder of its own."
)
NO_FILES = "The working files of this site were deleted, or are damaged."


def _site_view(site: _Site, most: int | None = None) -> dict[str, Any]:
    counts = Counter(event["properties"]["kind"] for event in site.events)
    stretch = _stretch(site)
    called = site.numbers
    pictured = None if stretch is None or site.work is None else (site.work, stretch)
    surest, others = _carded(site, MOST_EVENTS if most is None else most)
    shown_map = _map_view(site, called, {event["id"] for event in surest}, stretch)
    anchors = {event["id"]: anchor_of("map", event["id"]) for event in others if shown_map}
    anchors |= {event["id"]: anchor_of("event", event["id"]) for event in surest}
    if site.unjudged is None:
        news = site_news(site.news, called, anchors)
    else:
        news = unjudged_news(site.unjudged)
    if news is not None and shown_map is not None:
        shown_map["gone"] = _gone(site, news["lines"], stretch)
    used = [row for row in site.observed if row["used"]]
    none = "–" if site.document["remark"] else "0"
    marked = marks(site.news)
    return {
        "news": news,
        "anchor": site.anchor,
        "name": site.document["name"],
        "counts": {kind.value: counts[kind.value] or none for kind in KINDS},
        "looks_line": f"{len(used)} of {len(site.observed)}",
        "remark": site.document["remark"],
        "in_table": site.document["remark"] or partly_compared(site.document),
        "map": shown_map,
        # A look that is the only one is not used, but there is a picture of it.
        "no_map": NO_FILES
        if site.document["looks"]
        else "There is no picture: no look could be used.",
        "sentences": [
            {"text": sentence["text"], **_links(sentence["events"], called, anchors)}
            for sentence in site.document["sentences"]
            if not sentence["text"].startswith(UNSEEN)  # told below
        ],
        "not_observed": not_observed(site.document, site.observed),
        "nothing_hidden": nothing_hidden(site.observed),
        "notes": [*site.document["notes"], *not_checked(site.observed, events=bool(site.events))],
        "timeline": timeline(site.observed),
        "lane": LANE,
        "dates": dates_below(site.observed),
        "period": period(site.observed),
        "events": [
            {
                "number": called[event["id"]],
                "on_map": anchor_of("map", event["id"]) if shown_map else "",
                "marks": marked.get(event["id"], []),
                **event_view(
                    event, site.observed, site.ledger, pictured, with_strip=i < MOST_STRIPS
                ),
            }
            for i, event in enumerate(surest)
        ],
        "more": (
            f"Without a picture here: {len(others)} less certain, "
            f"{runs([called[event['id']] for event in others])}; all are in events.csv."
            if others
            else ""
        ),
    }


def _carded(site: _Site, most: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The surest events of a site, which have a card, and the others; both by their numbers."""
    called = site.numbers
    ordered = sorted(site.events, key=lambda event: called[event["id"]])
    return ordered[:most], ordered[most:]


def _links(
    events: list[str], called: Mapping[str, int], anchors: Mapping[str, str]
) -> dict[str, Any]:
    """Links to the surest events of a sentence by their numbers, and the numbers of the others.

    Args:
        events: ids of the sentence's events.
        called: their numbers.
        anchors: where the page shows them, by id.
    """
    known = sorted((name for name in events if name in called), key=lambda name: called[name])
    linked = [name for name in known if name in anchors][:MOST_LINKS]
    rest = [called[name] for name in known if name not in linked]
    named = _shortened(runs(rest))
    return {
        "links": [{"anchor": anchors[name], "label": f"[{called[name]}]"} for name in linked],
        "more": "" if not rest else f"… and {len(rest)} more: {named}" if linked else named,
    }


def _shortened(text: str) -> str:
    """A list without its end, if it is very long."""
    if len(text) <= MOST_LETTERS:
        return text
    return text[:MOST_LETTERS].rpartition(",")[0] + ", …"


def _most_events(sites: int) -> int:
    """How many events of a site are shown, so that a page of many sites can still be opened."""
    return max(LEAST_EVENTS, min(MOST_EVENTS, MOST_ON_PAGE // max(1, sites)))


def _stretch(site: _Site) -> Stretch | None:
    if site.work is None or not site.work.looks:
        return None
    height, width = site.work.grid.shape
    rows = slice(max(0, height // 2 - 512), height // 2 + 512)
    columns = slice(max(0, width // 2 - 512), width // 2 + 512)
    window = (_within(rows, height), _within(columns, width))
    samples = []
    for look in site.work.looks[:: max(1, len(site.work.looks) // 4)]:
        # A quarter of the pixels says as much.
        pixels = unit(look.numbers(window)[rows_of(look), ::2, ::2])
        samples.append(pixels * look.usable(window)[::2, ::2])
    return find_stretch(samples)


def _map_view(
    site: _Site, called: Mapping[str, int], carded: Container[str], stretch: Stretch | None
) -> dict[str, Any] | None:
    """The picture of a site with its events; None without one.

    Args:
        site: with its work.
        called: numbers of its events by id.
        carded: ids of those that have a card, to which their outlines lead.
        stretch: of its pictures.
    """
    if stretch is None or site.work is None:
        return None
    look = max(
        site.work.looks, key=lambda look: (min(round(look.usable_share, 1), MOSTLY), look.start)
    )
    height, width = site.work.grid.shape
    step = max(1, max(height, width) // (2 * MAP_SIDE))
    events = sorted(site.events, key=lambda event: called[event["id"]])
    outlines = [pixel_outline(event["geometry"], site.work.grid) for event in events]
    shapes = [
        {
            "id": anchor_of("map", event["id"]),
            "anchor": anchor_of("event", event["id"]) if event["id"] in carded else site.anchor,
            "number": called[event["id"]],
            "title": f"[{called[event['id']]}] {event['properties']['sentence']}",
            "kind": event["properties"]["kind"],
            "provisional": event["properties"]["provisional"],
            "path": svg_path(outline),
        }
        for event, outline in zip(events, outlines, strict=True)
    ]
    gsd_m = abs(float(site.work.grid.resolution.x))
    image, some_veiled = look_overview(look, (height, width), step, stretch)
    edge = site_edge(site.work.area, site.work.grid, max(height, width) / (2 * MAP_SIDE))
    return {
        "image": image,
        "date": day(look.start, look.end),
        "width": width,
        "height": height,
        "shapes": shapes,
        "edge": edge,
        "gone": [],
        "labels": _labels(shapes, outlines, (width, height)),
        "caption": f"{day(look.start, look.end)}, {look.sensor or 'sensor not stated'}, "
        f"{width * gsd_m / 1000:.2f} × {height * gsd_m / 1000:.2f} km, "
        f"{gsd_m:g} m a pixel."
        + (" White line: the edge of the site; what lies outside is not told." if edge else "")
        + (" Veiled: not usable on that date." if some_veiled else ""),
    }


def _gone(
    site: _Site, lines: Sequence[dict[str, Any]], stretch: Stretch | None
) -> list[dict[str, Any]]:
    """Rings on the map around what is told no more, to which its lines of the news then lead.

    Some of the lines get pictures of the place.
    """
    rings: list[dict[str, Any]] = []
    for line in (line for line in lines if line["told"]):
        found = None if site.work is None else ring(line["told"], site.work.grid)
        if found is None or site.work is None or stretch is None:
            continue
        if len(rings) < MOST_GONE:
            window = chip_window(bounds(found), site.work.grid.shape)
            x, y, radius = found
            place = {"x": x - window[1].start, "y": y - window[0].start, "r": radius}
            line["chips"] = [
                chip(word, look, window, stretch) | place
                for word, look in looks_of(line["told"], site.work)
            ]
        x, y, radius = on_map(found, site.work.grid)
        line["anchor"] = anchor_of("gone", line["id"])
        rings.append(
            {
                "id": line["anchor"],
                "anchor": line["own_anchor"],
                "title": f"{line['word']}: {line['text']}",
                "kind": line["told"]["kind"],
                **{"x": round(x, 1), "y": round(y, 1), "r": round(radius, 1)},
            }
        )
    return rings


def _labels(
    shapes: Sequence[Mapping[str, Any]], outlines: Sequence[BaseGeometry], size: tuple[int, int]
) -> list[dict[str, Any]]:
    """The numbers of the shapes of a map, for each width that they are placed for."""
    digits = [len(str(shape["number"])) for shape in shapes]
    views = []
    for width in WIDTHS:
        placed = place_labels(outlines, digits, size, width)
        left_out = len(shapes) - len(placed)
        views.append(
            {
                "width": width,
                "numbers": [{"at": label, **shapes[label.index]} for label in placed],
                "left_out": f"{left_out} without a number here: there is no room for them all."
                if left_out
                else "",
            }
        )
    return views


def look_overview(
    look: PreparedLook, shape: tuple[int, int], step: int, stretch: Stretch
) -> tuple[str, bool]:
    """The whole look as a JPEG data URI, and whether a part of it is veiled.

    Every ``step``-th pixel, read in bounded strips.
    """
    height, width = shape
    strips, some_veiled = [], False
    rows_at_once = max(step, 256 // step * step)
    for top in range(0, height, rows_at_once):
        window = (slice(top, min(top + rows_at_once, height)), slice(0, width))
        strip, veiled = shown(look, window, stretch, step)
        strips.append(strip)
        some_veiled |= veiled
    side = min(MAP_SIDE, max(strips[0].shape[1], 480))
    return data_uri(np.concatenate(strips), side), some_veiled


def _within(span: slice, length: int) -> slice:
    return slice(max(0, span.start), min(span.stop, length))
