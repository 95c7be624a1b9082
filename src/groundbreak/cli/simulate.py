"""``groundbreak demo`` and ``groundbreak simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundbreak.cli.output import note, print_json, print_line, progress
from groundbreak.errors import OutputError
from groundbreak.plural import counted

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

DEMO_SEED = 21


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("demo")(demo)
    app.command("simulate")(simulate)


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder, made anew.")] = Path(
        "demo"
    ),
    json: Json = False,
) -> None:
    """Simulate a fictional coast, detect on it, score against the truth, write the report."""
    from groundbreak.demo import run_demo

    with progress() as tell:
        result = run_demo(output, DEMO_SEED, tell)
    note("The imagery of the demo is simulated.")
    if json:
        print_json(
            {
                "run": str(result.run),
                "report": str(result.report),
                "scores": result.scores,
                "simulated": True,
            }
        )
        return
    for sentence in result.sentences:
        print_line(f"  {sentence}")
    print_line(result.verdict)
    print_line(f"report: {result.report}")


def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same series.")] = 0,
    sites: Annotated[int, typer.Option(help="Number of sites.", min=1)] = 1,
    json: Json = False,
) -> None:
    """Render dated series of fictional coasts with their exact truth."""
    from groundbreak.simulate.series import write_series

    if output.is_dir() and any(output.iterdir()):
        raise OutputError(str(output), "is not empty: a series is written to a folder of its own")
    write_series(output, seed, sites)
    files = sorted(str(path) for path in (output / "scenes").iterdir())
    if json:
        print_json(
            {
                "folder": str(output),
                "sites": str(output / "sites.geojson"),
                "truth": str(output / "truth.geojson"),
                "scenes": files,
                "simulated": True,
            }
        )
    else:
        print_line(f"{len(files)} simulated scenes of {counted(sites, 'site')} → {output}")
