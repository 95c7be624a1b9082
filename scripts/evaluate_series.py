"""Score the dates of `detect` on rendered series, with the network and with perfect change maps.

Renders fictional sites, runs the whole of `detect` on them, and judges its events by the exact
truth ("model"). Then the same looks, with their clouds, shifts and masks as `detect` prepared
them, are compared by the truth instead of the network ("perfect"): what is wrong there is owed to
the looks, the objects or the decoder, the rest to the network. Prints one JSON document; where an
earlier call was interrupted, it goes on. A folder holds the series of one set of options only.

    python scripts/evaluate_series.py -o series --sites 24 --seed 52000
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from odc.geo.geobox import GeoBox

from groundbreak.atomic import write_json
from groundbreak.config import DetectConfig
from groundbreak.errors import DataError
from groundbreak.evaluate.dates import Look, SaidEvent, TrueEvent
from groundbreak.evaluate.run_files import Plane, read_features, read_run, read_truth
from groundbreak.evaluate.run_temporal import DAYS_PER_YEAR
from groundbreak.evaluate.temporal import temporal_scores
from groundbreak.events.build import Readers, SiteObservations, build_events
from groundbreak.events.geometry import burn, pixel_box, to_pixels
from groundbreak.events.looks import PairKey
from groundbreak.events.vectorize import Candidate, VectorConfig, candidates_streamed
from groundbreak.pipeline.detect import Settings, look_meta
from groundbreak.pipeline.pairs import plan_longer, plan_pairs
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.pipeline.sitework import SiteWork, load_work, site_folder
from groundbreak.prepare.store import PreparedLook
from groundbreak.simulate.plan import EventCounts
from groundbreak.simulate.series import write_series
from groundbreak.simulate.site import SimulationConfig
from groundbreak.types import BoolArray, Box, Event, FloatArray, Kind

SURE = 0.97
"""Probability of what is true in a perfect change map."""


@dataclass(frozen=True)
class Oracle:
    """Change maps of a site from its truth.

    ``looks`` by id; ``there`` (buildings, berths) present at each look, (2, h, w).
    """

    looks: Mapping[str, PreparedLook]
    there: Mapping[str, BoolArray]

    @classmethod
    def of(cls, work: SiteWork, truth: Sequence[TrueEvent]) -> Oracle:
        """Draw the truth at every look of a site."""
        return cls(
            {look.id: look for look in work.looks},
            {look.id: _there(truth, work.grid, look) for look in work.looks},
        )

    def read(self, pair: PairKey, box: Box) -> tuple[FloatArray, BoolArray]:
        """A window of a pair: probabilities (3, h, w) and where both looks are usable (h, w)."""
        was, is_now = (self.there[name][:, *box.slices] for name in pair)
        observed = self.usable(pair.earlier, box) & self.usable(pair.later, box)
        true = np.stack([is_now[0] & ~was[0], was[0] & ~is_now[0], is_now[1] & ~was[1]])
        return np.where(true, SURE, (1 - SURE) / 3).astype(np.float32), observed

    def usable(self, look_id: str, box: Box) -> BoolArray:
        """Usable pixels of a look in a window."""
        return self.looks[look_id].usable(box.slices)


def _there(truth: Sequence[TrueEvent], grid: GeoBox, look: PreparedLook) -> BoolArray:
    """What stands at a look; works under way count as nothing."""
    whole = Box(0, int(grid.shape[0]), 0, int(grid.shape[1]))
    found = np.zeros((2, *whole.shape), np.bool_)
    for true in truth:
        stands = look.end < true.begun if true.kind is Kind.DEMOLITION else look.start >= true.done
        if stands:
            found[int(true.kind is Kind.DOCKING_SLIP)] |= burn(
                to_pixels(true.geometry, grid), whole
            )
    return found


def perfect_events(
    site_id: str, work: SiteWork, truth: Sequence[TrueEvent], settings: Settings
) -> tuple[Event, ...]:
    """Events of a site whose looks are compared by the truth, pair by pair as `detect` does."""
    oracle, vectors = Oracle.of(work, truth), VectorConfig()
    height, width = (int(size) for size in work.grid.shape)
    whole = Box(0, height, 0, width)
    candidates: list[Candidate] = []
    pairs: dict[PairKey, None] = {}
    least = settings.events.evidence.min_usable
    plans = plan_pairs(work.looks, whole.shape, settings.inference)
    for longer in (False, True):
        if longer:
            plans = plan_longer(work.looks, candidates, work.grid, settings.inference, least)
        for pair in (PairKey(plan.earlier.id, plan.later.id) for plan in plans):
            if pair not in pairs:
                pairs[pair] = None
                candidates += candidates_streamed(
                    partial(oracle.read, pair), [whole], work.grid, pair, vectors
                )
    site = SiteObservations(
        site_id,
        site_id,
        shapely.box(*work.grid.boundingbox.bbox),
        work.grid,
        [look_meta(look) for look in work.looks],
        list(pairs),
    )
    readers = Readers(oracle.read, oracle.usable)
    return build_events(site, candidates, readers, settings.events).events


def usable_looks(true: TrueEvent, work: SiteWork, least: float) -> list[Look]:
    """The looks that show enough of a true footprint."""
    outline = to_pixels(true.geometry, work.grid)
    box = pixel_box(outline).grown(0, (int(work.grid.shape[0]), int(work.grid.shape[1])))
    inside = burn(outline, box)
    return [
        (look.start, look.end)
        for look in work.looks
        if (look.usable(box.slices) & inside).sum() >= least * max(inside.sum(), 1)
    ]


def evaluate(series: Path, run: Path, settings: Settings) -> dict[str, Any]:
    """Figures of a finished run, and of perfect change maps on its looks."""
    features = read_features(series / "truth.geojson")
    said = read_features(run / "events.geojson")
    plane = Plane([*features, *said])
    truth = read_truth(features, series / "truth.geojson", plane)
    found = read_run(run, said, plane)
    least = settings.events.evidence.min_usable
    looks: dict[str, list[Look]] = {}
    perfect: list[SaidEvent] = []
    years = 0.0
    for site_id, spans in found.site_looks.items():
        work = load_work(site_folder(run, site_id))
        if work is None or len(work.looks) < 2:
            continue
        own = [true for true in truth if true.site_id == site_id]
        looks |= {true.id: usable_looks(true, work, least) for true in own}
        events = perfect_events(site_id, work, own, settings)
        perfect += [SaidEvent.of(event) for event in events]
        years += (spans[-1][1] - spans[0][0]).days / DAYS_PER_YEAR
    return {
        "sites": len(found.site_looks),
        "site_years": years,
        "model": temporal_scores(truth, found.events, looks, years),
        "perfect": temporal_scores(truth, perfect, looks, years),
    }


def render(output: Path, seed: int, sites: int, config: SimulationConfig) -> Path:
    """The series of these options below ``output``, rendered unless they are there.

    Raises:
        DataError: those that are there are of other options, or of unknown ones.
    """
    series, noted = output / "series", output / "options.json"
    asked = {"seed": seed, "sites": sites, **asdict(config)}
    asked = json.loads(json.dumps(asked, default=str))
    if series.exists():
        there = json.loads(noted.read_text(encoding="utf-8")) if noted.is_file() else {}
        if others := [name for name in asked if there.get(name) != asked[name]]:
            problem = f"was rendered with other options: {', '.join(others)}"
            raise DataError(str(series), problem, "choose another folder")
    write_json(noted, asked)
    if not (series / "truth.geojson").is_file():  # written last
        write_series(series, seed, sites, config)
    return series


def main() -> None:
    """Render, detect and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="kept between calls")
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=300, help="pixels a side")
    parser.add_argument("--gsd", type=float, default=1.0, help="metres a pixel")
    parser.add_argument("--looks", type=int, default=8)
    parser.add_argument("--weights", default="auto")
    options = parser.parse_args()
    config = SimulationConfig(
        size_px=options.size,
        gsd_m=options.gsd,
        looks=options.looks,
        events=EventCounts(new=1, demolished=1, chains=2, slips=1),
    )
    try:
        series = render(options.output, options.seed, options.sites, config)
    except DataError as error:
        parser.error(str(error))
    run, settings = options.output / "run", DetectConfig().settings(None)
    request = RunRequest(
        series / "sites.geojson", series / "scenes", run, settings, weights=options.weights
    )
    run_detect(request)
    print(json.dumps(evaluate(series, run, settings), indent=2, default=str))


if __name__ == "__main__":
    main()
