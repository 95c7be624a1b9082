"""What a run leaves for readers: events in five forms, summary, ledger, observed looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shapely.ops import unary_union

from groundbreak.atomic import write_json
from groundbreak.events.numbers import numbered
from groundbreak.events.summary import SOME_SHARE
from groundbreak.inference.choose import INT8
from groundbreak.lonlat import cut, fingerprint
from groundbreak.pipeline.detect import SiteOutcome
from groundbreak.pipeline.news import NEWS, update
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.records import LEDGER, OBSERVED, write_table
from groundbreak.pipeline.sitework import site_folder
from groundbreak.pipeline.unjudged import UNJUDGED, told_before
from groundbreak.prepare.looks import LookPlan
from groundbreak.types import Event, Kind, Refusal
from groundbreak.writers.geojson import write_geojson
from groundbreak.writers.geoparquet import write_geoparquet
from groundbreak.writers.gpkg import write_gpkg
from groundbreak.writers.kml import write_kml
from groundbreak.writers.spreadsheet import write_csv
from groundbreak.writers.stac import write_stac


def observed_rows(outcome: SiteOutcome) -> list[dict[str, Any]]:
    """A row per look of a site, used or not; one row without a look where there was none."""
    site_id = outcome.plan.site.id
    rows = [
        {
            "site_id": site_id,
            "look_id": look.id,
            "start": look.start,
            "end": look.end,
            "scene_ids": list(look.scene_ids),
            "sensor": look.sensor,
            "gsd_m": look.gsd_m,
            "valid_share": look.valid_share,
            "usable_share": look.usable_share,
            "used": len(outcome.prepared.looks) > 1,
            "reason": "" if len(outcome.prepared.looks) > 1 else "no other look to compare with",
            "shift_x": look.shift_px[0],
            "shift_y": look.shift_px[1],
            "residual_px": look.residual_px,
            "aligned": look.aligned,
            "alignment_note": look.alignment_note,
            "cloud_masked": look.masked,
        }
        for look in outcome.prepared.looks
    ]
    rows += [
        {**_planned(site_id, unused.plan, unused.reason), "usable_share": unused.usable_share}
        for unused in outcome.prepared.unused
    ]
    rows += [
        {
            "site_id": site_id,
            "look_id": left_out.scene.id,
            "start": left_out.scene.start,
            "end": left_out.scene.end,
            "scene_ids": [left_out.scene.id],
            "sensor": left_out.scene.sensor,
            "gsd_m": left_out.scene.gsd_m,
            "usable_share": 0.0,
            "used": False,
            "reason": left_out.reason,
        }
        for left_out in (*outcome.plan.left_out, *outcome.prepared.left_out)
    ]
    if outcome.problem:
        rows += [_planned(site_id, plan, outcome.problem) for plan in outcome.plan.looks]
    rows.sort(key=lambda row: (row["start"], row["look_id"]))
    if not rows:
        rows = [{"site_id": site_id, "used": False, "usable_share": 0.0, "reason": remark(outcome)}]
    notes = list(outcome.plan.site.notes)
    return [{**row, "site_notes": notes} for row in rows]


def refused_rows(sites: Sequence[Refusal], scenes: Sequence[Refusal]) -> list[dict[str, Any]]:
    """A row without a look for each site and each scene that was left out before anything began."""
    gap = {"used": False, "usable_share": 0.0}
    return [
        *({"site_id": r.subject, "reason": r.reason, **gap} for r in sites),
        *({"scene_ids": [r.subject], "reason": r.reason, **gap} for r in scenes),
    ]


MOST_NAMED = 5
"""Scenes and files that were left out before anything began, in notes; a folder may hold many."""


def told_shortly(refused: Sequence[Refusal], all_in: str = "") -> list[str]:
    """A note for each of the first scenes and files that were left out, and one for the others.

    Args:
        refused: what was left out.
        all_in: the file that names them all, if one does.
    """
    notes = [f"{r.subject} was left out: {r.reason}" for r in refused[:MOST_NAMED]]
    if (more := len(refused) - MOST_NAMED) > 0:
        where = f" ({all_in} names them)" if all_in else ""
        notes.append(f"{more} more were left out, {len(refused)} scenes and files in all{where}")
    return notes


def ledger_rows(outcome: SiteOutcome) -> list[dict[str, Any]]:
    """A row per object and look of a site."""
    if outcome.result is None:
        return []
    looks = {look.id: look for look in outcome.prepared.looks}
    return [
        {
            "site_id": outcome.plan.site.id,
            **asdict(row),
            "date": looks[row.look_id].start,
            "scene_ids": list(looks[row.look_id].scene_ids),
            "sensor": looks[row.look_id].sensor,
            "residual_px": looks[row.look_id].residual_px,
        }
        for row in outcome.result.ledger
    ]


MOST_REASONS = 3
"""Of looks that were left out, beside the one that was not."""


def remark(outcome: SiteOutcome) -> str:
    """Why nothing can be said of a site; empty if something can."""
    if outcome.problem:
        return f"not observed: {outcome.problem}"
    if not outcome.plan.looks:
        reasons = sorted({entry.reason for entry in outcome.plan.left_out})
        if outcome.plan.incomplete:
            return "; ".join((f"not searched to the end: {outcome.plan.incomplete}", *reasons))
        return "not observed: " + ("; ".join(reasons) if reasons else "no scene covers it")
    looks = len(outcome.prepared.looks)
    if looks == 0:
        reasons = sorted({entry.reason for entry in outcome.prepared.unused})
        return "not observed: no usable look (" + "; ".join(reasons) + ")"
    if looks == 1:
        day = outcome.prepared.looks[0].start
        reasons = sorted({entry.reason for entry in outcome.prepared.unused})
        others = f"; left out: {', '.join(reasons[:MOST_REASONS])}" if reasons else ""
        return f"one usable look ({day:%Y-%m-%d}): nothing to compare it with{others}"
    if outcome.result is not None and outcome.result.summary.coverage.compared < SOME_SHARE:
        return "not observed: no part of the site is seen twice"
    return ""


def summary_of(outcome: SiteOutcome) -> dict[str, Any]:
    """A site in plain words, each sentence with the ids of its events."""
    found = outcome.result
    document: dict[str, Any] = {
        "id": outcome.plan.site.id,
        "name": outcome.plan.site.name,
        "gsd_m": outcome.plan.gsd_m,
        "weights": outcome.plan.weights,
        "looks": len(outcome.prepared.looks),
        "looks_left_out": len(outcome.prepared.unused) + len(outcome.plan.left_out),
        "events": 0 if found is None else len(found.events),
        "remark": remark(outcome),
        "notes": [*outcome.plan.site.notes, *outcome.plan.notes, *_of_scenes(outcome)],
        "text": "",
        "sentences": [],
        "not_observed": {"periods": [], "never_share": None, "once_share": None},
    }
    return document | (found.summary.document() if found is not None else {})


def _of_scenes(outcome: SiteOutcome) -> list[str]:
    """The notes on the scenes of a site, but for what its remark says of all of them."""
    prepared = outcome.prepared
    reasons = {entry.reason for entry in prepared.unused}
    if prepared.looks or len(reasons) != 1:
        return list(prepared.notes)
    [reason] = reasons
    return [note for note in prepared.notes if not note.endswith(f": {reason}")]


def write_summary(
    run: Path, outcomes: Sequence[SiteOutcome], refused: Sequence[Refusal] = ()
) -> None:
    """``summary.json``; ``refused`` are the sites of the watch-list that could not be begun with.

    Raises:
        OutputError: the file cannot be written.
    """
    document = {
        "sites": [summary_of(outcome) for outcome in outcomes],
        "refused": [{"site": r.subject, "reason": r.reason} for r in refused],
    }
    write_json(run / "summary.json", document)


def write_news(run: Path, outcomes: Sequence[SiteOutcome], record: Mapping[str, Any]) -> None:
    """``news.json``: what is told that was not told before, of each site that can be judged.

    Of the others it is what was told before.

    Args:
        run: the run folder.
        outcomes: of the sites.
        record: what ``run.json`` says.

    Raises:
        OutputError: the file cannot be written.
    """
    sites, unjudged = [], []
    for outcome in outcomes:
        site = outcome.plan.site
        looks = outcome.prepared.looks
        folder = site_folder(run, site.id)
        if outcome.result is None or remark(outcome):
            # Of a site that failed nobody knows what could have been compared.
            compared = [name for look in looks for name in look.scene_ids]
            told = told_before(folder, None if outcome.problem else compared)
            unjudged += [] if told is None else [{"id": site.id, "name": site.name, **told}]
            continue
        events = outcome.result.events
        basis, area = _basis(outcome.plan, record), site.geometry
        kinds = [Kind(name) for name in record["config"]["events"]["kinds"]]
        state = update(folder, looks, events, basis, area, kinds, record["started"])
        sites.append({"id": site.id, "name": site.name, **state.news()})
    about = {"run": record["started"], "finished_before": record["finished_before"]}
    write_json(run / NEWS, about | {"sites": sites, UNJUDGED: unjudged})


def _basis(plan: SitePlan, record: Mapping[str, Any]) -> dict[str, str]:
    """What else than the images decides what is told of a site, by the names in ``news.BASIS``."""
    return {
        "outline": fingerprint(plan.site.geometry),
        "gsd_m": f"{plan.gsd_m:g}",
        "weights": record["weights"][plan.weights]["sha256"],
        "settings": hashlib.sha256(json.dumps(record["config"]).encode()).hexdigest()[:16],
        "version": record["version"],
        "engine": "8-bit integers" if record["asked"]["engine"] == INT8 else "",
    }


def _planned(site_id: str, plan: LookPlan, reason: str) -> dict[str, Any]:
    return {
        "site_id": site_id,
        "look_id": plan.id,
        "start": plan.start,
        "end": plan.end,
        "scene_ids": list(plan.scene_ids),
        "sensor": plan.sensor,
        "gsd_m": plan.gsd_m,
        "usable_share": 0.0,
        "used": False,
        "reason": reason,
    }


def write_results(
    run: Path,
    outcomes: Sequence[SiteOutcome],
    record: Mapping[str, Any],
    refused_sites: Sequence[Refusal] = (),
    refused_scenes: Sequence[Refusal] = (),
) -> list[Event]:
    """Write everything that a finished run holds, but the report.

    Args:
        run: the run folder.
        outcomes: of the sites.
        record: what ``run.json`` says, with the engines that ran the weights.
        refused_sites: of the watch-list, before any site was begun.
        refused_scenes: scenes and files that were left out before.

    Returns:
        the events of all sites, each site's in the order of their numbers.

    Raises:
        OutputError: a file cannot be written.
    """
    found = [event for outcome in outcomes if outcome.result for event in outcome.result.events]
    events = [event for _, event in numbered(found)]
    write_geojson(events, run / "events.geojson")
    write_gpkg(events, run / "events.gpkg")
    write_geoparquet(events, run / "events.parquet")
    write_csv(events, run / "events.csv")
    write_kml(events, run / "events.kml")
    ledger = [row for outcome in outcomes for row in ledger_rows(outcome)]
    write_table(run / "ledger.parquet", LEDGER, ledger)
    observed = [row for outcome in outcomes for row in observed_rows(outcome)]
    refused = refused_rows(refused_sites, refused_scenes)
    write_table(run / "observed.parquet", OBSERVED, [*observed, *refused])
    write_summary(run, outcomes, refused_sites)
    write_news(run, outcomes, record)
    looks = [look for outcome in outcomes for look in outcome.prepared.looks]
    period = (min(k.start for k in looks), max(k.end for k in looks)) if looks else None
    footprint = cut(unary_union([outcome.plan.site.geometry for outcome in outcomes]))
    used = {outcome.plan.weights for outcome in outcomes}
    weights = {name: entry for name, entry in record["weights"].items() if name in used}
    write_stac(run, {**record, "weights": weights}, footprint, period)
    return events
