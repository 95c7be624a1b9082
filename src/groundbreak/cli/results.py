"""``groundbreak report`` and ``groundbreak export``: what a run found, in other forms."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundbreak.cli.output import print_json, print_line
from groundbreak.plural import counted

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Run = Annotated[Path, typer.Argument(help="A run folder.")]


class Format(StrEnum):
    """Forms that events can be exported to."""

    GEOJSON = "geojson"
    GPKG = "gpkg"
    GEOPARQUET = "geoparquet"
    CSV = "csv"
    KML = "kml"
    STAC = "stac"
    KWCOCO = "kwcoco"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)
    app.command("export")(export)


def report(run: Run, json: Json = False) -> None:
    """Write RUN/report.html: one page that needs no network."""
    from groundbreak.report.page import write_report

    path = write_report(run)
    if json:
        print_json({"report": str(path)})
    else:
        print_line(str(path))


def export(
    run: Run,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    form: Annotated[Format, typer.Option("--format", help="Form of the events.")],
    json: Json = False,
) -> None:
    """The events of a run in another form."""
    from groundbreak.pipeline.export import export_events

    count = export_events(run, form.value, output)
    if json:
        print_json({"file": str(output), "format": form.value, "events": count})
    else:
        print_line(f"{counted(count, 'event')} → {output}")
