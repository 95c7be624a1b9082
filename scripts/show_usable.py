"""What is found unusable, displaced and differently lit in folders of real looks.

    python scripts/show_usable.py sheet.png FOLDER... [--json] [--gsd 0.5] [--only cloudy]

A folder with ``A`` and ``B`` in it holds pairs: files of one stem are two looks of one site. In any
other folder, pictures of one size are looks of one site. Every look is judged against the others of
its site; a look without others is judged by itself. A delivered ``<stem>_clm.tif`` is compared
with, not used. One line a look on stdout (or, with ``--json``, one document): shares called cloud
and shadow, displacement and gains against the first look, CPU milliseconds a megapixel of the cloud
detection. The sheet shows clouds in red and shadows in cyan.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from groundbreak.align import Piece, estimate_shift
from groundbreak.errors import RasterError
from groundbreak.radiometry import match
from groundbreak.raster.read import inspect, read_picture
from groundbreak.scaling import to_unit
from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.background import background_from
from groundbreak.usable.clouds import CloudMask, detect_clouds

TILE = 240
KNOWN = ("red", "green", "blue", "nir")
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """A picture with what is needed to judge it."""

    path: Path
    bands: tuple[str, ...]
    pixels: FloatArray
    valid: BoolArray
    gsd_m: float


@dataclass
class Row:
    """What the table says of one look."""

    site: str
    look: str
    looks: int
    cloud: float
    shadow: float
    reason: str
    ms_per_megapixel: float
    against_mask: dict[str, float] = field(default_factory=dict)
    shift: dict[str, Any] = field(default_factory=dict)
    gain: dict[str, Any] = field(default_factory=dict)


def read(path: Path, gsd_m: float | None) -> Look | None:
    """One look; None if the file is no picture."""
    try:
        values, names, valid = read_picture(path)
        known_gsd = inspect(path).gsd_m
    except RasterError:
        return None
    if known_gsd is None and gsd_m is None:
        raise SystemExit(f"{path}: does not say how large its pixels are; give --gsd")
    if "red" not in names:
        names = KNOWN[: len(values)]
    keep = [i for i, name in enumerate(names) if name in KNOWN]
    bands = tuple(names[i] for i in keep)
    return Look(path, bands, to_unit(values[keep]), valid, gsd_m or known_gsd or 0.0)


def sites(folder: Path, gsd_m: float | None) -> dict[str, list[Look]]:
    """Looks by site."""
    grouped: dict[str, list[Look]] = defaultdict(list)
    paired = (folder / "A").is_dir() and (folder / "B").is_dir()
    parents = [folder / "A", folder / "B"] if paired else [folder]
    for path in sorted(path for parent in parents for path in parent.iterdir()):
        if path.is_dir() or path.stem.endswith("_clm"):
            continue
        look = read(path, gsd_m)
        if look is not None:
            height, width = look.valid.shape
            key = path.stem if paired else f"{folder.name} {width}x{height}"
            grouped[key].append(look)
    return grouped


def judge(site: str, looks: list[Look], index: int) -> tuple[Row, CloudMask]:
    """One look against the others of its site."""
    look = looks[index]
    others = [other for i, other in enumerate(looks) if i != index]
    background, known = None, None
    if others:
        background, known = background_from(
            np.stack([o.pixels for o in others]), np.stack([o.valid for o in others])
        )
    start = time.process_time()
    found = detect_clouds(look.pixels, look.valid, look.bands, look.gsd_m, background, known)
    spent = time.process_time() - start
    seen = max(1, int(look.valid.sum()))
    row = Row(
        site=site,
        look=f"{look.path.parent.name}/{look.path.name}",
        looks=len(looks),
        cloud=round(float(found.cloud.sum() / seen), 5),
        shadow=round(float(found.shadow.sum() / seen), 5),
        reason=found.reason,
        ms_per_megapixel=round(spent * 1e9 / look.valid.size, 1),
        against_mask=against_mask(look, found),
    )
    if index:
        usable = looks[0].valid & look.valid & ~found.cloud & ~found.shadow
        shift = estimate_shift([Piece(looks[0].pixels, look.pixels, usable)])
        row.shift = {
            "dx": round(shift.dx, 2),
            "dy": round(shift.dy, 2),
            "residual_px": None if shift.residual_px is None else round(shift.residual_px, 2),
            "reason": shift.reason,
        }
        line = match(looks[0].pixels, look.pixels, usable)
        gains = [round(float(gain), 2) for gain in line.gain]
        row.gain = {"gain": gains, "reason": line.reason}
    return row, found


def against_mask(look: Look, found: CloudMask) -> dict[str, float]:
    """Recall and precision of cloud and shadow by the delivered MAJA mask, if there is one."""
    path = look.path.with_name(f"{look.path.stem}_clm.tif")
    if not path.is_file():
        return {}
    mask = read_picture(path)[0][0] > 0
    ours = found.cloud | found.shadow
    both = float((mask & ours).sum())
    return {
        "masked": round(float(mask.mean()), 4),
        "recall": round(both / max(1, int(mask.sum())), 4),
        "precision": round(both / max(1, int(ours.sum())), 4),
    }


def drawn(look: Look, found: CloudMask, title: str) -> Image.Image:
    """The look with outlines, a title over it."""
    rgb = look.pixels[:3] if len(look.pixels) >= 3 else look.pixels[:1].repeat(3, axis=0)
    top = float(np.percentile(rgb[:, look.valid], 98)) if look.valid.any() else 1.0
    picture: Picture = (np.clip(rgb / max(top, 0.05), 0, 1) * 255).astype(np.uint8)
    picture = picture.transpose(1, 2, 0).copy()
    thick = max(1, picture.shape[0] // 200)
    for mask, colour in ((found.shadow, (0, 255, 255)), (found.cloud, (255, 0, 0))):
        picture[mask & ~ndimage.binary_erosion(mask, iterations=thick)] = colour
    image = Image.fromarray(picture)
    scale = TILE / max(image.size)
    image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    tile = Image.new("RGB", (TILE, TILE + 14))
    tile.paste(image, (0, 14))
    ImageDraw.Draw(tile).text((2, 1), title, fill=(255, 255, 0))
    return tile


def sheet(tiles: list[Image.Image], columns: int = 6) -> Image.Image:
    """All tiles in rows."""
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * TILE, rows * (TILE + 14)))
    for i, tile in enumerate(tiles):
        page.paste(tile, (i % columns * TILE, i // columns * (TILE + 14)))
    return page


def line_of(row: Row) -> str:
    """A row for the eye."""
    parts = [f"{row.site:24.24} {row.look:32.32} cloud {row.cloud:7.3%} shadow {row.shadow:7.3%}"]
    if row.against_mask:
        parts.append("mask {masked:.0%}".format(**row.against_mask))
    if row.shift:
        told = row.shift["reason"] or "{dx:+.2f} {dy:+.2f} left {residual_px}".format(**row.shift)
        parts += [f"shift {told}", f"gain {row.gain['reason'] or row.gain['gain']}"]
    return "  ".join([*parts, f"{row.ms_per_megapixel:.0f} ms/MP", row.reason])


def main() -> None:
    """Read arguments, judge every look, write the sheet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--gsd", type=float, help="pixel size in metres, for pictures without one")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["all", "cloudy"], default="all", help="on the sheet")
    options = parser.parse_args()
    rows, tiles = [], []
    for folder in options.folders:
        for site, looks in sites(folder, options.gsd).items():
            for index, look in enumerate(looks):
                row, found = judge(site, looks, index)
                rows.append(row)
                if options.only == "all" or row.cloud or row.shadow:
                    tiles.append(drawn(look, found, f"{row.look[-22:]} {row.cloud:.1%}"))
                if not options.json:
                    print(line_of(row), flush=True)
    if options.json:
        print(json.dumps([vars(row) for row in rows], indent=1))
    if tiles:
        sheet(tiles).save(options.sheet)


if __name__ == "__main__":
    main()
