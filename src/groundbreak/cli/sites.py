"""``groundbreak sites check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundbreak.cli.output import print_json, print_line
from groundbreak.plural import counted

if TYPE_CHECKING:
    from groundbreak.sites.read import SiteList

group = typer.Typer(help="Watch-lists.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="sites")


@group.command()
def check(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GPKG, or CSV id,name,lat,lon,buffer_m.")],
    strict: Annotated[bool, typer.Option(help="A repaired or refused site is an error.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Validate a watch-list; show places, repairs, refusals. Exit code 2 if any was refused."""
    from groundbreak.sites.read import read_sites

    result = read_sites(file, strict=strict)
    (_print_json if json else _print_text)(result)
    if result.refused:
        raise typer.Exit(2)


def _print_json(result: SiteList) -> None:
    from groundbreak.sites.extent import extent

    print_json(
        {
            "sites": [
                {
                    "id": site.id,
                    "name": site.name,
                    "centre": {"lat": round(place.lat, 5), "lon": round(place.lon, 5)},
                    "width_m": round(place.width_m, 1),
                    "height_m": round(place.height_m, 1),
                    "area_m2": round(place.area_m2, 1),
                    "notes": list(site.notes),
                }
                for site in result.sites
                for place in [extent(site.geometry)]
            ],
            "notes": list(result.notes),
            "refused": [
                {"subject": refusal.subject, "reason": refusal.reason} for refusal in result.refused
            ],
        }
    )


def _print_text(result: SiteList) -> None:
    from groundbreak.sites.extent import extent

    for site in result.sites:
        print_line(f"ok       {site.id}  {site.name}")
        print_line(f"         {extent(site.geometry).in_words()}")
        for remark in site.notes:
            print_line(f"         {remark}")
    for refusal in result.refused:
        print_line(f"refused  {refusal.subject}: {refusal.reason}")
    print_line(f"{counted(len(result.sites), 'site')}, {len(result.refused)} refused")
