"""Make before/after pairs of docking slips from single pictures of real ports.

    python scripts/make_slip_pairs.py --ports ../shared/data/eo/ports -o runs/slips

Writes the package's own pair format (sets ``slips_s2``, 10 m, and ``slips_ps3m``, 2 and 3 m).
What is made, and what it is good for, is said in docs/slips.md. ``--sheet FILE.png`` shows some of
each recipe: before, after, label.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groundbreak.errors import DataError, InputError
from groundbreak.evaluate.gallery import Picture, paint, save_picture, stretch
from groundbreak.pairs.index import PairRecord, read_index, read_pair
from groundbreak.slipmaking import folder
from groundbreak.slipmaking.recipes import RECIPES

COUNTS = {
    ("slips_s2", "train"): 600,
    ("slips_s2", "val"): 80,
    ("slips_s2", "test"): 120,
    ("slips_ps3m", "train"): 360,
    ("slips_ps3m", "test"): 60,
}
SHOWN = 6
"""Pairs of a recipe on the sheet."""
COLUMNS, CELL_PX, TITLE_PX = 2, 320, 16


def main(arguments: list[str] | None = None) -> int:
    """Parse, make, check the index that was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ports", type=Path, required=True, help="folder of folders, one a port")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of pairs")
    parser.add_argument("--splits", nargs="+", choices=folder.SPLITS, default=[*folder.SPLITS])
    sets = list(dict.fromkeys(name for name, _ in COUNTS))
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=[*RECIPES])
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="a picture of what was made")
    given = parser.parse_args(arguments)
    if given.share <= 0:
        parser.error("--share must be more than 0")
    asked = [(s, split) for s, split in COUNTS if s in given.sets and split in given.splits]
    if not asked:
        parser.error(f"there are no {'/'.join(given.splits)} pairs of {'/'.join(given.sets)}")
    try:
        for which in asked:
            count = max(1, round(COUNTS[which] * given.share))
            make(given.ports, given.output, which, count, given.seed, given.recipes)
        records = read_index(given.output)
        print(f"{len(records)} pairs in {given.output}")
        if given.sheet is not None:
            made = [record for record in records if (record.set, record.split) in asked]
            save_picture(given.sheet, sheet(made))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def make(
    ports: Path, out: Path, which: tuple[str, str], count: int, seed: int, recipes: Sequence[str]
) -> None:
    """Make one split of one set.

    Raises:
        DataError: a port is not complete, or none has a place for a pair.
        OutputError: the folder cannot be written.
    """
    name, split = which
    kind = folder.SLIPS_S2 if name == folder.SLIPS_S2.name else folder.SLIPS_PS3M
    read = folder.read_ports(ports, kind, split)
    rows = [
        folder.write_pair(out, kind, split, scene, pair)
        for scene, pair in folder.make_pairs(read, kind, split, count, seed, recipes)
    ]
    if not rows:
        raise DataError(f"{name}/{split}", "no pair could be made", "ask for more, or outline more")
    folder.add_to_index(out, rows)
    fewer = f", {count} were asked for" if len(rows) < count else ""
    print(f"{name}/{split}: {len(rows)} pairs{fewer}")


def sheet(records: Sequence[PairRecord]) -> Picture:
    """Some pairs of each recipe, two in a row of the picture: before, after, label.

    Returns:
        (height, width, 3).
    """
    from PIL import Image, ImageDraw

    recipes: dict[str, list[PairRecord]] = {}
    for record in records:
        recipes.setdefault(record.scene.split("_")[1], []).append(record)
    shown = [record for name in sorted(recipes) for record in recipes[name][:SHOWN]]
    rows = -(-len(shown) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * 3 * (CELL_PX + 4), rows * (CELL_PX + TITLE_PX)), "white")
    draw = ImageDraw.Draw(page)
    for number, record in enumerate(shown):
        y, x = divmod(number, COLUMNS)
        left, top = x * 3 * (CELL_PX + 4), y * (CELL_PX + TITLE_PX)
        draw.text((left, top + 2), record.name, "black")
        pair = read_pair(record).select(("red", "green", "blue"))
        parts = stretch(pair.before), stretch(pair.after), paint(pair.label)
        for place, part in enumerate(parts):
            cell = Image.fromarray(part).resize((CELL_PX, CELL_PX), Image.Resampling.NEAREST)
            page.paste(cell, (left + place * CELL_PX, top + TITLE_PX))
    return np.asarray(page)


if __name__ == "__main__":
    sys.exit(main())
