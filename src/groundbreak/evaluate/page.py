"""One HTML page of an evaluation, pictures included."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from groundbreak.atomic import write_text
from groundbreak.evaluate.gallery import COLOURS
from groundbreak.types import MaskValue

Tiles = Sequence[tuple[str, int, Path]]
"""(name, wrong pixels, picture) of the worst tiles, the worst first."""


def write_page(
    path: Path,
    document: Mapping[str, Any],
    plots: Mapping[str, Sequence[Path]],
    tiles: Mapping[str, Tiles],
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        document: what ``evaluate`` returns.
        plots: pictures by set.
        tiles: worst tiles by set.
    """
    import jinja2

    source = resources.files("groundbreak.evaluate").joinpath("page.html")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(source.read_text(encoding="utf-8"))
    sets = [
        {
            "name": name,
            "figures": figures,
            "plots": [_embed(plot) for plot in plots.get(name, ())],
            "tiles": [
                {"name": tile, "wrong_px": wrong, "src": _embed(picture)}
                for tile, wrong, picture in tiles.get(name, ())
            ],
        }
        for name, figures in document["sets"].items()
    ]
    text = template.render(
        title=f"Evaluation of {document['weights']['name']} on {document['split']}",
        lead=_lead(document),
        overall=document["overall"] if len(sets) > 1 else None,
        sets=sets,
        skipped=document["skipped"],
        comparison=document.get("compare"),
        pixel_threshold=document["pixel_threshold"],
        colours=[
            (value.name.lower().replace("_", " "), "#{:02x}{:02x}{:02x}".format(*COLOURS[value]))
            for value in MaskValue
        ],
    )
    write_text(path, text)


def _lead(document: Mapping[str, Any]) -> str:
    weights = document["weights"]
    parts = [
        f"{document['data']}, split {document['split']}",
        f"weights {weights['name']} ({(weights['sha256'] or 'unsaved')[:12]})",
        document["engine"],
        "with test-time flips" if document["tta"] else "",
        f"groundbreak {document['version']}",
    ]
    return " · ".join(part for part in parts if part)


def _embed(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
