"""``groundbreak detect`` and ``groundbreak tile``."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundbreak.cli.output import note, print_json, print_line, progress
from groundbreak.errors import ConfigError
from groundbreak.plural import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from groundbreak.pipeline.run import RunOutcome
    from groundbreak.types import Kind

Sites = Annotated[Path, typer.Option(help="The watch-list: GeoJSON, GPKG or CSV.")]
Scenes = Annotated[Path, typer.Option(help="A catalogue, or a folder of dated rasters.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="A host or folder the catalogue may name beside its own; repeatable."),
]
Dates = Annotated[str | None, typer.Option(help="A/B, both included; either may be '..'.")]
Gsd = Annotated[
    float | None,
    typer.Option(help="Pixel size in metres; default: that of the scenes.", min=0.05, max=30),
]
Config = Annotated[Path | None, typer.Option(help="YAML; see configs/detect/default.yaml.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("detect")(detect)
    app.command("tile")(tile)


def detect(
    sites: Sites,
    catalog: Scenes,
    output: Annotated[Path, typer.Option("-o", "--output", help="The run folder.")],
    weights: Annotated[str, typer.Option(help="auto, a shipped name or a file.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    engine: Annotated[
        str | None,
        typer.Option(help="auto (default), torch, openvino, onnxruntime or openvino-int8."),
    ] = None,
    gsd: Gsd = None,
    dates: Dates = None,
    kinds: Annotated[
        str | None, typer.Option(help="new_building, demolition, docking_slip, between commas.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Leave out events below; default 0.8.", min=0, max=1)
    ] = None,
    config: Config = None,
    scheduler: Annotated[
        str, typer.Option(help="local, local:N (processes) or dask://HOST:PORT.")
    ] = "local",
    allow: Allow = None,
    strict: Annotated[bool, typer.Option(help="What is left out is an error.")] = False,
    report: Annotated[bool, typer.Option(help="Write report.html as well.")] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Find what was built, torn down or dug; also resumes and extends a run."""
    from groundbreak.config import load_config
    from groundbreak.pipeline.folder import read_run
    from groundbreak.pipeline.news import read_news
    from groundbreak.pipeline.run import RunRequest, detected
    from groundbreak.pipeline.unjudged import read_unjudged
    from groundbreak.report.page import write_report

    settings = load_config(config)
    request = RunRequest(
        sites=sites,
        catalog=catalog,
        run=output,
        settings=settings.settings(min_confidence),
        weights=weights,
        device=device,
        engine=engine or settings.engine,
        gsd_m=gsd,
        dates=_dates(dates),
        kinds=_kinds(kinds),
        scheduler=scheduler,
        allow=tuple(allow or ()),
        strict=strict,
        command=shlex.join(["groundbreak", *sys.argv[1:]]),
    )
    page: Path | None = None
    trouble: Exception | None = None
    with progress() as tell, detected(request, tell) as outcome:
        news, notes = read_news(output), read_run(output)["notes"]
        unjudged = read_unjudged(output)
        try:
            page = write_report(output) if report else None
        except Exception as error:  # what was found, and what is new of it, is told all the same
            trouble = error
    _show(outcome, news, unjudged, notes, page, json)
    if trouble is not None:
        raise trouble


def _show(
    outcome: RunOutcome,
    news: Mapping[str, dict[str, Any]],
    unjudged: Mapping[str, dict[str, Any]],
    notes: Sequence[str],
    page: Path | None,
    json: bool,
) -> None:
    from groundbreak.pipeline.news import in_words
    from groundbreak.pipeline.results import summary_of
    from groundbreak.pipeline.unjudged import UNJUDGED
    from groundbreak.pipeline.unjudged import in_words as unjudged_in_words

    summaries = [
        {
            **(summary := summary_of(site)),
            "news": news.get(summary["id"]),
            UNJUDGED: unjudged.get(summary["id"]),
        }
        for site in outcome.sites
    ]
    if json:
        print_json(
            {
                "run": str(outcome.run),
                "report": None if page is None else str(page),
                "sites": summaries,
                "refused": [{"site": r.subject, "reason": r.reason} for r in outcome.refused],
                "notes": notes,
            }
        )
        return
    told_with_its_site = {f"{s['id']}: {text}" for s in summaries for text in s["notes"]}
    told_with_its_site |= {f"site {r.subject} was refused: {r.reason}" for r in outcome.refused}
    for text in notes:
        if text not in told_with_its_site:
            note(f"note: {text}")
    shared = Counter(text for summary in summaries for text in summary["notes"])
    for text, count in shared.items():
        if count > 1:
            note(f"note: {text} ({count} sites)")
    for summary in summaries:
        line = summary["remark"] or (
            f"{counted(summary['events'], 'event')} in {summary['looks']} looks"
            + (f" ({summary['looks_left_out']} left out)" if summary["looks_left_out"] else "")
        )
        print_line(f"{summary['name']}: {line}")
        for sentence in summary["sentences"]:
            print_line(f"  {sentence['text']}")
        if brought := in_words(summary["news"], events=summary["events"] > 0):
            print_line(f"  {brought}")
        if summary[UNJUDGED]:
            print_line(f"  {unjudged_in_words(summary[UNJUDGED])}")
        for text in summary["notes"]:
            if shared[text] == 1:
                note(f"  note: {text}")
    for refusal in outcome.refused:
        print_line(f"{refusal.subject}: refused: {refusal.reason}")
    print_line(f"→ {page or outcome.run}")


def tile(
    sites: Sites,
    catalog: Scenes,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the tiles.")],
    size: Annotated[int, typer.Option(help="Side of a tile in pixels.", min=16)] = 512,
    overlap: Annotated[int, typer.Option(help="Pixels that neighbours share.", min=0)] = 0,
    gsd: Gsd = None,
    dates: Dates = None,
    config: Config = None,
    allow: Allow = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """The tiling stage by itself: looks cut into tiles (COG) and a GeoParquet manifest."""
    from groundbreak.config import load_config
    from groundbreak.pipeline.tiles import TileRequest, cut_sites
    from groundbreak.raster.tiling import TileConfig

    if overlap >= size:
        raise ConfigError("--overlap", f"{overlap} is not less than --size {size}")
    request = TileRequest(
        sites=sites,
        catalog=catalog,
        output=output,
        config=load_config(config).prepare,
        tiles=TileConfig(size, overlap),
        gsd_m=gsd,
        dates=_dates(dates),
        allow=tuple(allow or ()),
    )
    with progress() as tell:
        result = cut_sites(request, tell)
    if json:
        print_json(
            {"manifest": str(result.manifest), "tiles": result.tiles, "notes": list(result.notes)}
        )
        return
    for text in result.notes:
        note(f"note: {text}")
    print_line(f"{counted(result.tiles, 'tile')} → {result.manifest}")


def _dates(text: str | None) -> tuple[datetime | None, datetime | None]:
    from groundbreak.times import parse_range

    return (None, None) if text is None else parse_range(text, "--dates")


def _kinds(text: str | None) -> tuple[Kind, ...] | None:
    from groundbreak.types import Kind

    if text is None:
        return None
    known = {kind.value: kind for kind in Kind}
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise ConfigError("--kinds", f"unknown '{', '.join(unknown)}'", f"use {', '.join(known)}")
    return tuple(known[word] for word in words)
