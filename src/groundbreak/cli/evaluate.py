"""``groundbreak evaluate``: pixels and objects on labelled pairs, or dates on a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from groundbreak.cli.output import print_json, print_line, progress
from groundbreak.errors import ConfigError
from groundbreak.plural import counted


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("evaluate")(evaluate)


def evaluate(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    data: Annotated[Path | None, typer.Option(help="Folder with an index.csv of pairs.")] = None,
    split: Annotated[str, typer.Option(help="A name in the index's split column.")] = "test",
    weights: Annotated[str, typer.Option(help="A name or a .safetensors file.")] = "site-2m",
    sets: Annotated[str | None, typer.Option(help="Only these sets, between commas.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, openvino, onnxruntime or openvino-int8.")
    ] = "torch",
    tta: Annotated[
        bool, typer.Option(help="Average over mirror images: four times slower.")
    ] = False,
    compare: Annotated[
        Path | None, typer.Option(help="Output folder of an earlier evaluation.")
    ] = None,
    temporal: Annotated[
        Path | None, typer.Option(help="A run folder: judge its dates; needs --truth.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="truth.geojson of a simulation.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Held-out tiles → metrics, plots and a page; --temporal for dates."""
    if temporal is not None:
        if truth is None:
            raise ConfigError("--temporal", "needs --truth", "give the truth.geojson of the series")
        from groundbreak.evaluate.run_temporal import evaluate_temporal
        from groundbreak.pipeline.folder import read_run

        read_run(temporal)  # that it is a run is asked first
        document = evaluate_temporal(temporal, truth, output)
    else:
        if data is None:
            raise ConfigError("--data", "is missing", "give a folder with an index.csv")
        from groundbreak.evaluate.run import evaluate as evaluate_pairs

        chosen = [name.strip() for name in sets.split(",") if name.strip()] if sets else None
        with progress() as tell:
            document = evaluate_pairs(
                data,
                split,
                weights,
                output,
                sets=chosen,
                device=device,
                compare=compare,
                tta=tta,
                engine=engine,
                tell=tell,
            )
    if json:
        print_json(document)
        return
    if temporal is not None:
        for text in _of_dates(document):
            print_line(text)
    for name, figures in document.get("sets", {}).items():
        print_line(f"{name}: " + _scores(figures))
    for name, reason in document.get("skipped", {}).items():
        print_line(f"{name}: skipped, {reason}")
    if comparison := document.get("compare"):
        print_line(f"against {comparison['with']}:")
        for name, row in comparison["sets"].items():
            print_line(f"  {name}: " + _differences(row))
        for text in comparison["notes"]:
            print_line(f"  {text}")
    print_line(f"→ {output}")


def _differences(row: dict[str, Any]) -> str:
    """How much better F1 of pixels is than that of the other, on the scenes of both."""
    known = []
    for kind, pair in row.items():
        if kind == "scenes" or pair["difference"] is None:
            continue
        low, high = pair["interval"] or (None, None)
        sure = "" if low is None else f" (95 %: {low:+.3f} to {high:+.3f})"
        known.append(f"{kind} F1 {pair['difference']:+.3f}{sure}")
    return f"{', '.join(known) or 'nothing'}, on {counted(row['scenes'], 'scene')}"


def _of_dates(document: dict[str, Any]) -> list[str]:
    """The figures of ``--temporal`` in words; those that nothing was measured for are left out."""
    found, missed, invented = (document[key] for key in ("found", "missed", "invented"))
    rate, chains = document["invented_per_site_year"], document["chains"]
    lines = [
        f"{counted(document['true_events'], 'true event')} at {counted(document['sites'], 'site')}:"
        f" {found} found, {missed} missed though looks show them",
        f"{counted(invented, 'invented event')}, {document['invented_provisional']} provisional"
        + ("" if rate is None else f" ({rate:.2f} in a year of a site)"),
    ]
    for share, text in (
        (document["coverage"], "of the found ones have an interval that holds the date (coverage)"),
        (document["width"]["as_short_as_possible"], "of them have the shortest that looks allow"),
    ):
        lines += [] if share is None else [f"{share:.1%} {text}"]
    if chains["f1"] is not None:
        precision = "" if chains["precision"] is None else f"precision {chains['precision']:.2f}, "
        lines.append(f"chains: F1 {chains['f1']:.2f} ({precision}recall {chains['recall']:.2f})")
    return lines


def _scores(figures: dict[str, Any]) -> str:
    pixel = figures.get("pixel", {})
    known = {k: v["f1"] for k, v in pixel.items() if v and v.get("f1") is not None}
    return ", ".join(f"{kind} F1 {f1:.3f}" for kind, f1 in known.items()) or "nothing to judge"
