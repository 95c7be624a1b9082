"""Judge weights on docking slips at ports that no training pair was made from.

    python scripts/evaluate_slips.py --weights area-10m --data runs/slips --split test \
        --ports ../shared/data/eo/ports --still ../shared/data -o runs/slips/judged

``--data`` holds pairs of ``scripts/make_slip_pairs.py``; objects are cut out, and dropped, as in
detection and matched at IoU 0.25. ``--ports`` adds the ports of the split against themselves,
``--still`` real pairs of the split in which no slip was built, and series that nothing is trained
on. OUT then holds ``slips.json`` and ``index.html``, with pictures.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage
from shapely.affinity import scale

from groundbreak.atomic import write_json, write_text
from groundbreak.errors import DataError, InputError
from groundbreak.evaluate.gallery import stretch
from groundbreak.evaluate.match import label_objects, match, overlaps
from groundbreak.evaluate.objects import least_px, said_objects
from groundbreak.evaluate.predict import Predictor, open_predictor, refusal
from groundbreak.events.geometry import largest_polygon
from groundbreak.events.slips import measure_berth
from groundbreak.events.vectorize import VectorConfig
from groundbreak.events.water import REACH_PX, find_water
from groundbreak.pairs.index import PairArrays, read_index, read_pair
from groundbreak.raster.read import inspect, read_picture
from groundbreak.scaling import to_unit
from groundbreak.slipmaking.folder import SPLITS
from groundbreak.slipmaking.ground import fill_smooth
from groundbreak.slipmaking.ports import read_port
from groundbreak.slipmaking.recipes import silent_pair
from groundbreak.types import Box, Kind, MaskValue

IOU = 0.25
SHOWN = 10
MARGIN_PX = 40
TAUGHT = ("forest_s2_cloudy",)
"""Series that `scripts/make_silent_pairs.py` makes training pairs from."""


@dataclass
class Tally:
    """Counts of one group of pairs, and the lengths of berths found: (true, said) in metres."""

    pairs: int = 0
    area_km2: float = 0.0
    found: int = 0
    missed: int = 0
    invented: int = 0
    lengths: list[tuple[float, float]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Counts and what follows from them."""
        precision = _share(self.found, self.found + self.invented)
        recall = _share(self.found, self.found + self.missed)
        f1 = _share(2 * self.found, 2 * self.found + self.invented + self.missed)
        errors = [abs(said / true - 1) for true, said in self.lengths]
        return {
            "pairs": self.pairs,
            "area_km2": round(self.area_km2, 2),
            "berths": self.found + self.missed,
            "found": self.found,
            "missed": self.missed,
            "invented": self.invented,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "median_length_error": round(float(np.median(errors)), 4) if errors else None,
            "false_per_100_km2": round(100 * self.invented / max(self.area_km2, 1e-9), 2),
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


@dataclass
class Judge:
    """Predicts pairs and keeps the counts by group and the pictures by outcome."""

    predictor: Predictor
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    shown: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    left_out: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __call__(self, groups: tuple[str, ...], name: str, pair: PairArrays) -> None:
        """Predict a pair and count it in every one of its groups."""
        card = self.predictor.card
        reason = refusal(card, pair.bands, pair.gsd_m)
        if reason or pair.gsd_m is None:
            self.left_out[f"{groups[-1]}: {reason or 'no pixel size'}"] += 1
            return
        config = VectorConfig(thresholds=card.thresholds, min_area_m2=card.min_area_m2)
        probabilities = self.predictor(pair)
        said = said_objects(probabilities, config, pair.gsd_m)[Kind.DOCKING_SLIP]
        said = plausible(said, pair)
        truth = label_objects(pair.label == MaskValue.DOCKING_SLIP)
        ignored = (pair.label == MaskValue.IGNORE) | _at_edge(truth)
        truth[ignored] = 0
        truth = label_objects(truth > 0)
        least = least_px(config, Kind.DOCKING_SLIP, pair.gsd_m)
        both = overlaps(truth, said, ignored, least)
        counts = both.count(IOU)
        tallies = [self.tallies[group] for group in groups]
        for tally in tallies:
            tally.pairs += 1
            tally.area_km2 += float((pair.label != MaskValue.IGNORE).sum()) * pair.gsd_m**2 / 1e6
            tally.found += counts.found
            tally.missed += counts.missed
            tally.invented += counts.invented
        # `overlaps` numbers the objects from 0, without those that lie in ignored ground.
        numbers = np.unique(said[said > 0])
        known = [n for n in numbers if 2 * (~ignored[said == n]).sum() >= (said == n).sum()]
        matches = match([couple for couple in both.ious if couple[2] >= IOU])
        for t, s, _ in matches:
            masks = truth == t + 1, said == known[s]
            lengths = berth_length(masks[0], pair.gsd_m), berth_length(masks[1], pair.gsd_m)
            for tally in tallies:
                tally.lengths.append(lengths)
            self._show("hits", name, pair, masks[0], said)
        for t in set(range(len(both.truth_px))) - {t for t, _, _ in matches}:
            self._show("misses", name, pair, truth == t + 1, said)
        for s in set(range(len(known))) - {s for _, s, _ in matches}:
            self._show("false alarms", name, pair, said == known[s], said)

    def _show(
        self, outcome: str, name: str, pair: PairArrays, where: np.ndarray, said: np.ndarray
    ) -> None:
        taken = self.shown[outcome]
        # Of one pair no more than two, so that ten pictures show ten places.
        if len(taken) < SHOWN and sum(n == name for n, _ in taken) < 2:
            taken.append((name, _picture(pair, where, said)))


def plausible(said: np.ndarray, pair: PairArrays) -> np.ndarray:
    """Without the objects that detection drops for the water in and around them.

    Args:
        said: (h, w), objects numbered from 1, 0 elsewhere.
        pair: what was predicted.
    """
    to_pixel = Affine.scale(1 / (pair.gsd_m or 1.0))
    for number, window in enumerate(ndimage.find_objects(said), start=1):
        if window is None:
            continue
        box = Box(window[0].start, window[0].stop, window[1].start, window[1].stop)
        box = box.grown(REACH_PX, said.shape)
        here = said[box.slices] == number
        pixels = pair.after[(slice(None), *box.slices)]
        if not find_water(here, pixels, pair.bands, box, to_pixel).may_hold_berth():
            said = np.where(said == number, 0, said)
    return said


def berth_length(mask: np.ndarray, gsd_m: float | None) -> float:
    """Length by the rule of ``events.slips``, of the outline of a mask."""
    rows, columns = np.nonzero(mask)
    outline = largest_polygon(shapely.union_all(shapely.box(columns, rows, columns + 1, rows + 1)))
    return measure_berth(scale(outline, gsd_m or 1.0, gsd_m or 1.0)).length_m


def main(arguments: list[str] | None = None) -> int:
    """Parse, predict, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True)
    parser.add_argument("--data", type=Path, help="made pairs")
    parser.add_argument("--split", choices=SPLITS, default="test", help="of all three below")
    parser.add_argument("--ports", type=Path, help="folder of ports, each against itself")
    parser.add_argument("--still", type=Path, help="folder with eo/ and pairs/ without slips")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    try:
        judge = Judge(open_predictor(given.weights, "cpu"))
        sources = []
        if given.data is not None:
            sources.append(made_pairs(given.data, given.split))
        if given.ports is not None:
            bands = judge.predictor.card.bands
            sources.append(ports_themselves(given.ports, bands, given.split))
        if given.still is not None:
            sources += [still_pairs(given.still / "pairs", given.split), still_series(given.still)]
        for groups, name, pair in chain.from_iterable(sources):
            judge(groups, name, pair)
        write(judge, given.output)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


Named = Iterator[tuple[tuple[str, ...], str, PairArrays]]
"""(groups, name, pair); the last group is the narrowest."""


def made_pairs(data: Path, split: str) -> Named:
    """Semi-synthetic: the after is real, the before is edited."""
    for record in read_index(data):
        if record.split == split:
            parts = record.scene.split("_", 2)
            if len(parts) < 3:
                mend = "give a folder that scripts/make_slip_pairs.py wrote"
                raise DataError(str(data), f"names no recipe and port in {record.scene}", mend)
            _, recipe, port = parts
            groups = ("made pairs", f"made pairs, recipe/{recipe}", f"made pairs/{port}")
            yield groups, record.name, read_pair(record)


def ports_themselves(ports: Path, bands: tuple[str, ...], split: str) -> Named:
    """Semi-synthetic: each real port of a split on two simulated dates."""
    for number, name in enumerate(sorted(chain.from_iterable(SPLITS.values()))):
        if name not in SPLITS[split]:
            continue
        port = read_port(ports / name)
        if set(bands) <= set(port.bands):
            port = read_port(ports / name, bands)
            pair = silent_pair(np.random.default_rng([7, number]), port, fill_smooth)
            arrays = PairArrays(pair.before, pair.after, pair.label, port.bands, port.gsd_m)
            yield ("ports against themselves", f"ports against themselves/{name}"), name, arrays


def still_pairs(data: Path, split: str) -> Named:
    """Real: labelled pairs of a split between which, as far as is known, no slip was built."""
    if not (data / "index.csv").is_file():
        return
    for record in read_index(data):
        if record.split == split and record.label is not None:
            pair = read_pair(record)
            label = np.where(pair.label == MaskValue.IGNORE, 255, 0).astype(np.uint8)
            groups = ("real pairs", f"real pairs/{record.set}")
            yield groups, record.name, replace(pair, label=label)


def still_series(data: Path) -> Named:
    """Real: dates of places that no training pair shows, and where no slip was built."""
    rooms = [data / "eo" / name for name in ("series", "georef_pairs")]
    for room in rooms:
        if not room.is_dir():
            raise DataError(str(room), "is no folder")
    for folder in (folder for room in rooms for folder in sorted(room.iterdir())):
        if folder.name in TAUGHT:
            continue
        pictures = [p for p in sorted(folder.glob("*.tif")) if "_clm" not in p.stem]
        clear = [p for p in pictures if _is_clear(p)]
        step = max(1, len(clear) // 10)
        for before, after in zip(clear[:-step:step], clear[step::step], strict=False):
            groups = ("real pairs", f"real pairs/{folder.name}")
            yield groups, f"{folder.name}/{before.stem}/{after.stem}", _read_two(before, after)


def _is_clear(path: Path) -> bool:
    mask = path.with_name(f"{path.stem}_clm.tif")
    return not mask.is_file() or not read_picture(mask)[0].any()


def _read_two(before: Path, after: Path) -> PairArrays:
    """Two pictures of one place, cut to the part of a common size."""
    pictures, valids = [], []
    for path in (before, after):
        array, names, valid = read_picture(path)
        names = tuple("nir" if name == "nir08" else name for name in names)
        kept = [names.index(b) for b in ("red", "green", "blue", "nir") if b in names]
        pictures.append(to_unit(array)[kept])
        valids.append(valid)
    height, width = (min(p.shape[axis] for p in pictures) for axis in (1, 2))
    gsd = inspect(before).gsd_m
    bands = tuple(b for b in ("red", "green", "blue", "nir") if b in names)
    pictures = [p[:, :height, :width] for p in pictures]
    label = np.where(valids[0][:height, :width] & valids[1][:height, :width], 0, 255)
    arrays = [p.astype(np.float32) for p in pictures]
    return PairArrays(arrays[0], arrays[1], label.astype(np.uint8), bands, gsd)


def _at_edge(truth: np.ndarray) -> np.ndarray:
    """Berths cut off by the edge of the picture: their length is not known."""
    frame = np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])
    return np.isin(truth, np.unique(frame[frame > 0]))


def _picture(pair: PairArrays, where: np.ndarray, said: np.ndarray) -> str:
    """Before, after, and the after with the truth (if any) and what was said, as a data URI."""
    rows, columns = np.nonzero(where)
    box = tuple(
        slice(max(int(v.min()) - MARGIN_PX, 0), int(v.max()) + MARGIN_PX) for v in (rows, columns)
    )
    rgb = [pair.bands.index(band) for band in ("red", "green", "blue")]
    before, after = (
        stretch(image[rgb][(slice(None), *box)]) for image in (pair.before, pair.after)
    )
    marked = after.copy()
    for mask, colour in (
        (pair.label == MaskValue.DOCKING_SLIP, (255, 220, 0)),
        (said > 0, (0, 220, 160)),
    ):
        marked[(mask ^ ndimage.binary_erosion(mask))[box]] = colour
    image = Image.fromarray(np.concatenate([before, after, marked], axis=1))
    factor = max(1, 200 // max(before.shape[:2]))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def write(judge: Judge, out: Path) -> None:
    """``slips.json`` and a page."""
    out.mkdir(parents=True, exist_ok=True)
    card = judge.predictor.card
    groups = {name: tally.document() for name, tally in sorted(judge.tallies.items())}
    made = sum(t.area_km2 for n, t in judge.tallies.items() if n in SEMI_SYNTHETIC)
    real = judge.tallies["real pairs"].area_km2 if "real pairs" in judge.tallies else 0.0
    document = {
        "weights": card.name,
        "sha256": card.sha256,
        "iou": IOU,
        "semi_synthetic_share_of_area": round(made / max(made + real, 1e-9), 4),
        "semi_synthetic_share_of_berths": 1.0,
        "groups": groups,
        "left_out": dict(judge.left_out),
    }
    write_json(out / "slips.json", document)
    write_text(out / "index.html", _page(document, judge.shown))
    print(json.dumps(document, indent=2))


SEMI_SYNTHETIC = ("made pairs", "ports against themselves")


def _page(document: dict[str, Any], shown: dict[str, list[tuple[str, str]]]) -> str:
    columns = list(next(iter(document["groups"].values()), {}))
    head = "".join(f"<th>{name}</th>" for name in ["group", *columns])
    rows = "".join(
        f"<tr><td>{group}</td>{''.join(f'<td>{tally[c]}</td>' for c in columns)}</tr>"
        for group, tally in document["groups"].items()
    )
    parts = [
        "<!doctype html><meta charset='utf-8'><title>Docking slips</title>",
        "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 8px;text-align:right}"
        "td:first-child{text-align:left}figure{margin:1em 0}</style>",
        f"<h1>Docking slips: {document['weights']}</h1>",
        f"<p>Semi-synthetic: all berths, {100 * document['semi_synthetic_share_of_area']:.0f} % of "
        "the area. The after is a real port, the before is edited. Yellow: truth, green: said.</p>",
        f"<table><tr>{head}</tr>{rows}</table>",
    ]
    for outcome in ("hits", "misses", "false alarms"):
        parts.append(f"<h2>{outcome} ({len(shown.get(outcome, []))} shown)</h2>")
        parts += [
            f"<figure><img src='{uri}'><figcaption>{name}</figcaption></figure>"
            for name, uri in shown.get(outcome, [])
        ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
