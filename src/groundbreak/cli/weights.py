"""``groundbreak weights list|show|export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundbreak.cli.output import print_json, print_line

group = typer.Typer(help="Shipped weights and their cards.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="weights")


@group.command("list")
def list_shipped(json: Json = False) -> None:
    """The shipped weights, in two lines each."""
    from groundbreak.model.weights import list_weights

    cards = list_weights()
    if json:
        print_json([card.to_json() for card in cards])
        return
    for card in cards:
        low, high = card.gsd_m
        print_line(f"{card.name}  {low:g} to {high:g} m  {', '.join(card.bands)}")
        print_line(f"  {card.description}")


@group.command()
def show(
    weights: Annotated[str, typer.Argument(help="A name or a .safetensors file.")],
    json: Json = False,
) -> None:
    """The card of weights: what they were trained on, how good they are, their limits."""
    from groundbreak.model.told import in_words
    from groundbreak.model.weights import read_card

    card = read_card(weights)
    if json:
        print_json(card.to_json())
        return
    for line in in_words(card):
        print_line(line)


@group.command()
def export(
    weights: Annotated[str, typer.Argument(help="A name or a .safetensors file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="NAME.onnx")],
    gsd: Annotated[
        float | None,
        typer.Option(help="Pixel size it is for, in m. [default: the middle of the card's range]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write the network as ONNX, with a STAC item (MLM) that describes it beside it."""
    from groundbreak.model.export import export_onnx, item_path

    export_onnx(weights, output, gsd)
    if json:
        print_json({"file": str(output), "item": str(item_path(output))})
    else:
        print_line(str(output))
