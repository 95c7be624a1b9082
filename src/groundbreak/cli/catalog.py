"""``groundbreak catalog scan`` and ``catalog search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from groundbreak.cli.output import note, print_json, print_line

group = typer.Typer(help="Catalogues of scenes.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("-o", "--output", help="The catalogue to write.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="catalog")


@group.command()
def scan(
    folder: Annotated[Path, typer.Argument(help="Folder of rasters.")],
    output: Output,
    dates: Annotated[
        Path | None, typer.Option(help="CSV file,date[,bands,crs,west,south,east,north,id,…].")
    ] = None,
    strict: Annotated[bool, typer.Option(help="A file that is left out is an error.")] = False,
    json: Json = False,
) -> None:
    """Rasters on disk → STAC ItemCollection."""
    from groundbreak.catalog.scan import scan_folder
    from groundbreak.catalog.store import write_catalog

    result = scan_folder(folder, dates, strict=strict)
    write_catalog(result.items, output, left_out=result.refused, notes=result.notes)
    _tell(result.items, result.notes, result.refused, output, json)


@group.command()
def search(
    api: Annotated[str, typer.Option(help="URL, earth-search or planetary-computer.")],
    sites: Annotated[Path, typer.Option(help="The watch-list.")],
    dates: Annotated[str, typer.Option(help="A/B, both days included.")],
    output: Output,
    collection: Annotated[str | None, typer.Option(help="Default: the preset's.")] = None,
    max_cloud: Annotated[float | None, typer.Option(help="Percent.", min=0, max=100)] = None,
    json: Json = False,
) -> None:
    """STAC API → ItemCollection."""
    from groundbreak.catalog.search import SearchQuery, search, write_results
    from groundbreak.sites.read import read_sites
    from groundbreak.times import parse_range

    watched = read_sites(sites)
    start, end = parse_range(dates, "--dates")
    query = SearchQuery(
        api=api,
        sites=watched.sites,
        start=start,
        end=end,
        collection=collection,
        max_cloud=max_cloud,
    )
    result = search(query)
    write_results(result, output)
    _tell(result.items, result.notes, (), output, json)


def _tell(items: Any, notes: Any, refused: Any, output: Path, json: bool) -> None:
    if json:
        print_json(
            {
                "catalog": str(output),
                "scenes": [item.id for item in items],
                "notes": list(notes),
                "refused": [{"subject": r.subject, "reason": r.reason} for r in refused],
            }
        )
        return
    for remark in notes:
        note(remark)
    for refusal in refused:
        note(f"left out  {refusal.subject}: {refusal.reason}")
    scenes = "1 scene" if len(items) == 1 else f"{len(items)} scenes"
    files = "1 file" if len(refused) == 1 else f"{len(refused)} files"
    print_line(scenes + (f", {files} left out" if refused else "") + f" → {output}")
